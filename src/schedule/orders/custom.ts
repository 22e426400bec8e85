import type { CustomCursor } from '../cursors.ts';
import type { Entry } from '../stock.ts';
import type { Ordering } from './ordering.ts';

/** How many of its neighbours on either side may vanish with the last played entry before its place is lost. */
const neighbours = 8;

/** As listed. */
export function custom(entries: readonly Entry[]): Ordering<CustomCursor> {
  return {
    cycle: (number) => ({ number, entries }),
    resume: (cursor) => ({ cycle: { number: cursor.cycle, entries }, next: indexAfter(entries, cursor) }),
    remember: (_cycle, index) => ({
      order: 'custom',
      preceding: refs(entries.slice(Math.max(0, index - neighbours), index)).reverse(),
      following: refs(entries.slice(index + 1, index + 1 + neighbours)),
    }),
  };
}

function indexAfter(entries: readonly Entry[], cursor: CustomCursor): number {
  const indexes = new Map(entries.map((entry, index) => [entry.ref, index]));
  const last = indexes.get(cursor.after);
  if (last !== undefined) return last + 1;
  const follower = cursor.following.find((ref) => indexes.has(ref));
  if (follower !== undefined) return indexes.get(follower)!;
  const predecessor = cursor.preceding.find((ref) => indexes.has(ref));
  return predecessor === undefined ? 0 : indexes.get(predecessor)! + 1;
}

function refs(entries: readonly Entry[]): string[] {
  return entries.map((entry) => entry.ref);
}
