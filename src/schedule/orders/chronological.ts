import type { ChronologicalCursor } from '../cursors.ts';
import { type Entry, parseRef } from '../stock.ts';
import type { PlanMedia } from '../types.ts';
import type { Ordering } from './ordering.ts';

/** By date aired, then show, season, episode, title and id. What lacks one of these comes after what has it. */
export function chronological(entries: readonly Entry[]): Ordering<ChronologicalCursor> {
  const sorted = entries.toSorted((a, b) => compare(a.media, a.nth, b.media, b.nth));
  return {
    cycle: (number) => ({ number, entries: sorted }),
    resume: (cursor) => ({
      cycle: { number: cursor.cycle, entries: sorted },
      next: indexAfter(sorted, cursor),
    }),
    remember: (_cycle, index) => ({ order: 'chronological', key: keyOf(sorted[index]!.media) }),
  };
}

type SortKey = ChronologicalCursor['key'];

function indexAfter(sorted: readonly Entry[], cursor: ChronologicalCursor): number {
  const last = sorted.findIndex((entry) => entry.ref === cursor.after);
  if (last >= 0) return last + 1;
  const { id, nth } = parseRef(cursor.after);
  const gone = { ...cursor.key, id };
  const next = sorted.findIndex((entry) => compare(entry.media, entry.nth, gone, nth) > 0);
  return next >= 0 ? next : sorted.length;
}

function compare(
  a: SortKey & { id: string },
  aNth: number,
  b: SortKey & { id: string },
  bNth: number,
): number {
  return (
    ascending(a.aired, b.aired) ||
    ascending(a.show, b.show) ||
    ascending(a.season, b.season) ||
    ascending(a.episode, b.episode) ||
    ascending(a.title, b.title) ||
    ascending(a.id, b.id) ||
    aNth - bNth
  );
}

/** By code unit and not by locale: a plan must not depend on the machine. */
function ascending<T extends string | number>(a: T | undefined, b: T | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -1 : 1;
}

function keyOf({ aired, show, season, episode, title }: PlanMedia): SortKey {
  return {
    ...(aired === undefined ? {} : { aired }),
    ...(show === undefined ? {} : { show }),
    ...(season === undefined ? {} : { season }),
    ...(episode === undefined ? {} : { episode }),
    ...(title === undefined ? {} : { title }),
  };
}
