import type { Loudness } from '../library/analysis.ts';
import type { MediaProbe } from '../library/media.ts';
import type { EpochMs } from '../schedule/types.ts';

/** What an item plays. */
export interface TimelineMedia {
  id: string;
  absolutePath: string;
  probe: MediaProbe;
  durationMs: number;
  title: string;
  show?: string;
  season?: number;
  episode?: number;
  /** Absent before it has been measured. */
  loudness?: Loudness;
}

/** An item of a channel's timeline as it is kept in memory: `[startsAt, endsAt)`. */
export interface TimelineItem {
  id: number;
  startsAt: EpochMs;
  endsAt: EpochMs;
  kind: 'program' | 'filler' | 'offline';
  /** Absent when offline, and when the media has been removed from the library since. */
  media?: TimelineMedia;
  /** Milliseconds into the media; absent when offline. */
  inMs?: number;
  outMs?: number;
  slot?: string;
  filler?: string;
  /** Items of one guide entry share a number; absent is hidden. */
  guide?: number;
}

/** The item that is on at an instant, and how long it has been. The items are in order and do not overlap. */
export function itemAt<Item extends { startsAt: EpochMs; endsAt: EpochMs }>(
  items: readonly Item[],
  at: EpochMs,
): { item: Item; index: number; offsetMs: number } | undefined {
  const index = firstEndingAfter(items, at);
  const item = items[index];
  if (item === undefined || item.startsAt > at) return undefined;
  return { item, index, offsetMs: at - item.startsAt };
}

/** The index of the first item that ends after an instant; their number when there is none. */
export function firstEndingAfter(items: readonly { endsAt: EpochMs }[], at: EpochMs): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle]!.endsAt > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
