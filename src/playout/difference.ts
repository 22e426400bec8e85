import type { NewPlayoutRow } from '../db/playout.ts';
import type { EpochMs } from '../schedule/types.ts';

/** What a plan would change in a timeline. */
export interface Difference {
  /** Rows of the plan that the timeline does not have; rows that the plan does not have; rows that both have. */
  added: number;
  removed: number;
  unchanged: number;
  /** The first instant at which something else is on. */
  firstAt?: EpochMs;
}

export interface Comparison {
  difference: Difference;
  isStored(row: NewPlayoutRow): boolean;
  /** What is in the timeline, and not in the plan. */
  gone: NewPlayoutRow[];
}

/**
 * Compares what is stored with what is planned, as far as the window reaches: the same media, from and to the same
 * instants. Being offline is cut at both ends of the window; what plays is not.
 */
export function compare(
  stored: readonly NewPlayoutRow[],
  planned: readonly NewPlayoutRow[],
  { from, to }: { from: EpochMs; to: EpochMs },
): Comparison {
  const keyOf = (row: NewPlayoutRow) => {
    const { startsAt, endsAt, kind, mediaId = null, inMs = null, outMs = null } = row;
    if (kind !== 'offline') return [startsAt, endsAt, kind, mediaId, inMs, outMs].join(' ');
    return [Math.max(startsAt, from), Math.min(endsAt, to), kind].join(' ');
  };
  const within = (rows: readonly NewPlayoutRow[]) =>
    rows.filter(({ startsAt, endsAt }) => endsAt > from && startsAt < to);
  const [before, after] = [within(stored), within(planned)];
  const [known, wanted] = [new Set(before.map(keyOf)), new Set(after.map(keyOf))];
  const gone = before.filter((row) => !wanted.has(keyOf(row)));
  const added = after.filter((row) => !known.has(keyOf(row)));
  const firstAt = Math.min(...[gone[0], added[0]].flatMap((row) => row?.startsAt ?? []));
  return {
    difference: {
      ...{ added: added.length, removed: gone.length, unchanged: after.length - added.length },
      ...(Number.isFinite(firstAt) ? { firstAt: Math.max(from, firstAt) } : {}),
    },
    isStored: (row) => known.has(keyOf(row)),
    gone,
  };
}
