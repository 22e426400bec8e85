import type { NewPlayoutRow } from '../db/playout.ts';
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
import { type Checkpoint, CursorLog, type PackedCheckpoints } from './cursor-log.ts';

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
  /** Checkpoints at joints of the rows: wherever a plan can begin. The first is that at the beginning. */
  packs: PackedCheckpoints[];
  problems: PlanProblem[];
  endsAt: EpochMs;
  cursors: Cursors;
}

/**
 * Plans `[from, until)`, with a checkpoint behind each programme with its filler. A plan from one of them on is the
 * same as the rest of this one (scheduling contract, rule 3). It is made in windows, so that the checkpoints of two
 * weeks, which are large, are not held unpacked all at once.
 *
 * Throws AircheckError when the planner breaks its contract: nothing of such a plan may be stored.
 */
export function layOut(
  planner: Planner,
  sources: PlanSources,
  window: { from: EpochMs; until: EpochMs; cursors: Cursors },
): Layout {
  const { zone, seed, schedule, collections } = sources;
  const { from, until } = window;
  const lengthMs = windowOf(collections);
  const rows: NewPlayoutRow[] = [];
  const log = new CursorLog();
  const problems = new Map<string, PlanProblem>();
  let { cursors } = window;
  let at = from;
  // Being offline may go on over the end of a window: its checkpoint is held back until that is known.
  let atEnd: Checkpoint | undefined = { at, cursors };
  do {
    const to = Math.max(at, Math.min(at + lengthMs, until));
    const input = { zone, seed, schedule, collections, from: at, to, cursors };
    const output = planner({ ...input, checkpointEveryMs: 1 });
    if (output.items.length === 0 && at < to) throw broken('it left a hole', at);
    for (const item of output.items) {
      if (item.start !== at || item.stop <= at) throw broken('its items do not follow each other', at);
      append(rows, rowOf(item));
      at = item.stop;
    }
    cursors = output.cursors;
    const ends = rows.slice(-output.items.length - 1).map((row) => row.endsAt);
    const joints = new Set([from, ...ends]);
    const all: Checkpoint[] = [...(atEnd === undefined ? [] : [atEnd]), ...(output.checkpoints ?? [])];
    const checkpoints = all.filter((checkpoint) => joints.has(checkpoint.at));
    atEnd = checkpoints.pop();
    for (const checkpoint of checkpoints) log.add(checkpoint);
    for (const problem of output.problems) {
      const key = JSON.stringify([problem.code, problem.slot, problem.filler, problem.media]);
      if (problems.size < mostProblems || problems.has(key)) problems.set(key, problem);
    }
  } while (at < until);
  if (atEnd !== undefined) log.add(atEnd);
  return { rows, packs: log.packs, problems: [...problems.values()], endsAt: at, cursors };
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

const dayMs = 86_400_000;
/** Of more media, the planner takes longer to begin than to plan a day. */
const mediaPerDay = 5_000;
/** Each media of a collection can be one. */
const mostProblems = 200;

/** A day, and more where collections are large: for each window they are sorted anew. */
function windowOf(collections: PlanSources['collections']): number {
  let size = 0;
  for (const collection of collections.values()) size += 'playlist' in collection ? 0 : collection.length;
  return dayMs * Math.max(1, Math.ceil(size / mediaPerDay));
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
