import type { Checkpoint, NewPlayoutRow } from '../db/playout.ts';
import { AircheckError } from '../errors.ts';
import type {
  Cursors,
  EpochMs,
  PlanCollection,
  PlanInput,
  PlanItem,
  PlanOutput,
  PlanProblem,
  Schedule,
} from '../schedule/types.ts';

export type Planner = (input: PlanInput) => PlanOutput;

/** What a channel is planned from. */
export interface PlanSources {
  zone: string;
  seed: number;
  schedule: Schedule;
  collections: ReadonlyMap<string, PlanCollection>;
}

/** A stretch of timeline as it will be stored. */
export interface Layout {
  rows: NewPlayoutRow[];
  /** Each at the end of one of the rows. */
  checkpoints: Checkpoint[];
  problems: PlanProblem[];
  endsAt: EpochMs;
  cursors: Cursors;
}

/**
 * Plans `[from, until)` step by step, with a checkpoint after each step, so that a later edit finds cursors
 * near the instant from which it takes effect. A plan from one checkpoint to the next is the same as one plan
 * over both (scheduling contract, rule 3). Stops early once there are `maxRows`.
 *
 * Throws AircheckError when the planner breaks its contract: nothing of such a plan may be stored.
 */
export function layOut(
  planner: Planner,
  sources: PlanSources,
  window: { from: EpochMs; until: EpochMs; cursors: Cursors; maxRows?: number },
): Layout {
  const { until, maxRows = Number.POSITIVE_INFINITY } = window;
  const lengthMs = stepOf(sources.collections);
  const rows: NewPlayoutRow[] = [];
  const checkpoints: Checkpoint[] = [];
  const problems = new Map<string, PlanProblem>();
  let { cursors, from: at } = window;
  do {
    const to = Math.max(at, Math.min(at + lengthMs, until));
    const output = planner({ ...sources, from: at, to, cursors });
    if (output.items.length === 0 && at < to) throw broken('it left a hole', at);
    const [first] = output.items;
    const last = rows.at(-1);
    if (first && last && first.kind === 'offline' && sameOffline(last, rowOf(first))) {
      // The step ended amid one offline stretch: there is no boundary for a checkpoint.
      checkpoints.pop();
    }
    for (const item of output.items) {
      if (item.start !== at || item.stop <= at) throw broken('its items do not follow each other', at);
      append(rows, rowOf(item));
      at = item.stop;
    }
    cursors = output.cursors;
    if (output.items.length > 0) checkpoints.push({ at, cursors });
    for (const problem of output.problems) {
      const key = JSON.stringify([problem.code, problem.slot, problem.filler, problem.media]);
      if (!problems.has(key)) problems.set(key, problem);
    }
  } while (at < until && rows.length < maxRows);
  return { rows, checkpoints, problems: [...problems.values()], endsAt: at, cursors };
}

/** Two rows that put the same on air at the same time, and are shown alike. */
export function sameRow(a: NewPlayoutRow, b: NewPlayoutRow): boolean {
  return (
    a.startsAt === b.startsAt &&
    a.endsAt === b.endsAt &&
    a.kind === b.kind &&
    same(a.mediaId, b.mediaId) &&
    same(a.inMs, b.inMs) &&
    same(a.outMs, b.outMs) &&
    same(a.slot, b.slot) &&
    same(a.filler, b.filler) &&
    same(a.guide, b.guide)
  );
}

/** Two offline rows that would be one if they touched. */
export function sameOffline(a: NewPlayoutRow, b: NewPlayoutRow): boolean {
  return a.kind === 'offline' && b.kind === 'offline' && same(a.slot, b.slot) && same(a.guide, b.guide);
}

const stepMs = 900_000;
const longestStepMs = 6 * 3_600_000;
/** A planner call costs some 0.3 ms, and another one for each of so many media. */
const mediaPerStep = 1_000;

/** A quarter of an hour, and longer steps for large collections, which each step sorts anew. */
function stepOf(collections: PlanSources['collections']): number {
  let size = 0;
  for (const collection of collections.values()) size += 'playlist' in collection ? 0 : collection.length;
  return Math.min(longestStepMs, stepMs * Math.max(1, Math.ceil(size / mediaPerStep)));
}

function append(rows: NewPlayoutRow[], row: NewPlayoutRow): void {
  const last = rows.at(-1);
  if (last !== undefined && last.endsAt === row.startsAt && sameOffline(last, row)) last.endsAt = row.endsAt;
  else rows.push(row);
}

function rowOf(item: PlanItem): NewPlayoutRow {
  const base = { startsAt: item.start, endsAt: item.stop, kind: item.kind, guide: item.guide ?? null };
  switch (item.kind) {
    case 'offline':
      return { ...base, slot: item.slot ?? null };
    case 'program':
    case 'filler':
      return {
        ...base,
        mediaId: item.media,
        inMs: item.in,
        outMs: item.out,
        slot: item.slot,
        filler: item.kind === 'filler' ? item.filler : null,
        why: item.why,
      };
  }
}

function same<T>(a: T | null | undefined, b: T | null | undefined): boolean {
  return (a ?? null) === (b ?? null);
}

function broken(how: string, at: EpochMs): AircheckError {
  return new AircheckError(`The planner broke its contract: ${how} at ${new Date(at).toISOString()}.`, {
    operation: 'planning',
  });
}
