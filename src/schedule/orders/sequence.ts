import type { SlotCursor } from '../cursors.ts';
import { type Entry, parseRef } from '../stock.ts';
import type { ItemReason, PlanMedia, Slot } from '../types.ts';
import { chronological } from './chronological.ts';
import { custom } from './custom.ts';
import type { Cycle, Ordering } from './ordering.ts';
import { shuffle } from './shuffle.ts';

export interface Pick {
  media: PlanMedia;
  why: ItemReason;
}

/** Goes through what a slot can play, cycle after cycle, from where a cursor left it. */
export interface Sequence {
  /** What plays next; it counts as played from now on. */
  take(): Pick;
  /** Where to go on; undefined while nothing has been taken, when the cursor it began with still holds. */
  cursor(): SlotCursor | undefined;
}

/** `entries` must not be empty. */
export function sequenceOf(
  slot: Slot,
  entries: readonly Entry[],
  seed: number,
  cursor: SlotCursor | undefined,
): Sequence {
  const from = cursor !== undefined && belongs(cursor, slot, entries) ? cursor : undefined;
  switch (slot.order) {
    case 'chronological':
      return start(slot, chronological(entries), from?.order === 'chronological' ? from : undefined);
    case 'shuffle':
      return start(slot, shuffle(entries, seed, slot.id), from?.order === 'shuffle' ? from : undefined);
    case 'custom':
      return start(slot, custom(entries), from?.order === 'custom' ? from : undefined);
  }
}

/** A slot that was given another collection begins anew, unless that one has what was played last. */
function belongs(cursor: SlotCursor, slot: Slot, entries: readonly Entry[]): boolean {
  return cursor.play === slot.play || entries.some((entry) => entry.ref === cursor.after);
}

function start<C extends SlotCursor>(slot: Slot, ordering: Ordering<C>, from: C | undefined): Sequence {
  let { cycle, next } =
    from === undefined ? { cycle: ordering.cycle(1, undefined), next: 0 } : ordering.resume(from);
  let last = from === undefined ? undefined : parseRef(from.after).id;
  let taken: { cycle: Cycle; index: number } | undefined;
  return { take, cursor };

  function take(): Pick {
    if (next >= cycle.entries.length) {
      cycle = ordering.cycle(cycle.number + 1, last);
      next = 0;
    }
    const { media } = cycle.entries[next]!;
    taken = { cycle, index: next };
    last = media.id;
    next += 1;
    return { media, why: { order: slot.order, cycle: cycle.number, position: next } };
  }

  function cursor(): SlotCursor | undefined {
    if (taken === undefined) return undefined;
    return {
      ...ordering.remember(taken.cycle, taken.index),
      slot: slot.id,
      play: slot.play,
      cycle: taken.cycle.number,
      after: taken.cycle.entries[taken.index]!.ref,
    } as SlotCursor;
  }
}
