import type { ShuffleCursor } from '../cursors.ts';
import { hashAfter } from '../hash.ts';
import { type Entry, parseRef } from '../stock.ts';
import type { Cycle, Ordering } from './ordering.ts';

/**
 * A permutation for each cycle: the entries by a hash of seed, slot, cycle and entry. What is added or removed
 * leaves the others in their order, and the place of an entry is known even when it is gone.
 */
export function shuffle(entries: readonly Entry[], seed: number, slot: string): Ordering<ShuffleCursor> {
  return {
    cycle: (number, last) => {
      const cycle = { number, entries: permutation(number) };
      return last !== undefined && cycle.entries[0]?.media.id === last ? holdBack(cycle, last) : cycle;
    },
    resume: (cursor) => {
      const whole = { number: cursor.cycle, entries: permutation(cursor.cycle) };
      const cycle = cursor.held === undefined ? whole : holdBack(whole, cursor.held);
      return { cycle, next: indexAfter(cycle, cursor.after) };
    },
    remember: ({ held }) => ({ order: 'shuffle', ...(held === undefined ? {} : { held }) }),
  };

  function permutation(number: number): readonly Entry[] {
    const rank = ranking(number);
    return entries
      .map((entry) => ({ entry, rank: rank(entry.ref) }))
      .sort((a, b) => compare(a.rank, a.entry.ref, b.rank, b.entry.ref))
      .map(({ entry }) => entry);
  }

  function indexAfter(cycle: Cycle, after: string): number {
    const last = cycle.entries.findIndex((entry) => entry.ref === after);
    if (last >= 0) return last + 1;
    const rank = ranking(cycle.number);
    const gone = { rank: rank(after), late: parseRef(after).id === cycle.held };
    const next = cycle.entries.findIndex(({ ref, media }) => {
      const late = media.id === cycle.held;
      return late === gone.late ? compare(rank(ref), ref, gone.rank, after) > 0 : late;
    });
    return next >= 0 ? next : cycle.entries.length;
  }

  function ranking(number: number): (ref: string) => number {
    return hashAfter(JSON.stringify([seed, slot, number]));
  }
}

/** Moves a media to the end of its cycle. */
function holdBack(cycle: Cycle, held: string): Cycle {
  const others = cycle.entries.filter((entry) => entry.media.id !== held);
  const late = cycle.entries.filter((entry) => entry.media.id === held);
  return { ...cycle, entries: [...others, ...late], held };
}

function compare(aRank: number, aRef: string, bRank: number, bRef: string): number {
  if (aRank !== bRank) return aRank - bRank;
  if (aRef === bRef) return 0;
  return aRef < bRef ? -1 : 1;
}
