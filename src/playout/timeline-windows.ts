import type { Database } from '../db/connection.ts';
import { type PlayoutRow, rowsBetween, rowsEndingAfter, timelineItem, timelineMedia } from '../db/playout.ts';
import type { Loudness } from '../library/analysis.ts';
import type { EpochMs } from '../schedule/types.ts';
import { itemAt, type TimelineItem, type TimelineMedia } from './timeline.ts';

/** How much of a timeline is kept: so long can the database be away. */
const aheadMs = 3 * 3_600_000;
const leastAheadMs = 2 * 3_600_000;
const behindMs = 60_000;
/** Of long items a few, of very short ones not too many. */
const leastItems = 5;
const mostItems = 1_200;

/**
 * The near timeline of every channel, in memory, so that nothing on the way of a stream waits for the database.
 * What cannot be read anew stays as it was.
 */
export class TimelineWindows {
  readonly #db: Database;
  readonly #now: () => EpochMs;
  readonly #windows = new Map<string, readonly TimelineItem[]>();
  /** Shared by all items that play it. */
  readonly #media = new Map<string, TimelineMedia>();
  /** The last load of each channel that has not ended: loads of one channel take turns. */
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(deps: { db: Database; now: () => EpochMs }) {
    this.#db = deps.db;
    this.#now = deps.now;
  }

  items(channelId: string): readonly TimelineItem[] {
    return this.#windows.get(channelId) ?? [];
  }

  /**
   * Reads a channel's window, and says whether any of it is not as it was.
   *
   * @param media `fresh` when media may have been moved, changed or removed
   */
  async load(channelId: string, media: 'known' | 'fresh' = 'known'): Promise<boolean> {
    const before = this.#loading.get(channelId) ?? Promise.resolve();
    const load = before.catch(() => {}).then(() => this.#load(channelId, media));
    this.#loading.set(channelId, load);
    try {
      return await load;
    } finally {
      if (this.#loading.get(channelId) === load) this.#loading.delete(channelId);
    }
  }

  /** Forgets what is over, and reads the windows that run short. */
  async advance(channelIds: readonly string[]): Promise<void> {
    const now = this.#now();
    for (const [channelId, items] of this.#windows) {
      const first = items.findIndex((item) => item.endsAt > now - behindMs);
      if (first > 0) this.#windows.set(channelId, items.slice(first));
    }
    for (const channelId of channelIds) {
      const until = this.items(channelId).at(-1)?.endsAt;
      if (until === undefined || until < now + leastAheadMs) await this.load(channelId);
    }
    this.#forgetMedia();
  }

  /**
   * A media has been measured. That is no change of what is on: who airs it next looks at it, and nobody is told.
   */
  measured(mediaId: string, loudness: Loudness): void {
    const media = this.#media.get(mediaId);
    if (media !== undefined) media.loudness = loudness;
  }

  remove(channelId: string): void {
    this.#windows.delete(channelId);
  }

  async #load(channelId: string, media: 'known' | 'fresh'): Promise<boolean> {
    const now = this.#now();
    const rows = await this.#rows(channelId, now);
    const ids = new Set(rows.flatMap(({ mediaId }) => mediaId ?? []));
    const wanted = media === 'fresh' ? [...ids] : [...ids].filter((id) => !this.#media.has(id));
    const found = await timelineMedia(this.#db, wanted);
    for (const id of wanted) {
      const read = found.get(id);
      if (read === undefined) this.#media.delete(id);
      else if (JSON.stringify(read) !== JSON.stringify(this.#media.get(id))) this.#media.set(id, read);
    }
    const items = rows.map((row) => timelineItem(row, this.#media.get(row.mediaId ?? '')));
    const old = this.items(channelId);
    // A timeline with a hole at now is about to be planned again; until then the old one is better.
    if (itemAt(items, now) === undefined && itemAt(old, now) !== undefined) return false;
    this.#windows.set(channelId, items);
    return !alike(old, items, now);
  }

  async #rows(channelId: string, now: EpochMs): Promise<PlayoutRow[]> {
    const from = now - behindMs;
    const rows = await rowsBetween(this.#db, channelId, from, now + aheadMs, mostItems);
    return rows.length < leastItems ? await rowsEndingAfter(this.#db, channelId, from, leastItems) : rows;
  }

  #forgetMedia(): void {
    const used = new Set<string>();
    for (const items of this.#windows.values()) for (const { media } of items) if (media) used.add(media.id);
    for (const id of this.#media.keys()) if (!used.has(id)) this.#media.delete(id);
  }
}

/** Whether two windows put the same on air, as far as both reach. */
function alike(old: readonly TimelineItem[], fresh: readonly TimelineItem[], now: EpochMs): boolean {
  const [a, b] = [old, fresh].map((items) => items.filter((item) => item.endsAt > now)) as [
    TimelineItem[],
    TimelineItem[],
  ];
  if ((a.length === 0) !== (b.length === 0)) return false;
  const length = Math.min(a.length, b.length);
  return a.slice(0, length).every((item, index) => {
    const other = b[index]!;
    return (
      item.startsAt === other.startsAt &&
      item.endsAt === other.endsAt &&
      item.media === other.media &&
      item.inMs === other.inMs
    );
  });
}
