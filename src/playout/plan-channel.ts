import { eq } from 'drizzle-orm';
import { violationOf } from '../db/channels.ts';
import { resolveCollection } from '../db/collections.ts';
import type { Database } from '../db/connection.ts';
import {
  deleteRowsFrom,
  firstCheckpoint,
  insertRows,
  lastCheckpoint,
  lastContentEnd,
  moveRowEnd,
  type NewPlayoutRow,
  type PlayoutRow,
  replaceCheckpoints,
  rowAt,
  rowBefore,
  rowsEndingAfter,
  type TimelineExtent,
  timelineExtent,
} from '../db/playout.ts';
import { channels } from '../db/schema.ts';
import { UnavailableError } from '../errors.ts';
import { parseCursors } from '../schedule/cursors.ts';
import { plan } from '../schedule/plan.ts';
import { type Cursors, collectionsOf, type EpochMs, type PlanProblem } from '../schedule/types.ts';
import { type Layout, layOut, type Planner, type PlanSources, sameOffline, sameRow } from './lay-out.ts';

// How a timeline is kept. Rows and the planner's cursors are written in one transaction, under a lock on the
// channel's row, so that two planners of one channel take turns.
//
// A plan is made in steps, and the cursors after each step are a checkpoint. A rebuild begins at the first
// checkpoint beyond the freeze horizon, which is a quarter of an hour later at most, or an item longer, or a few
// hours with collections of thousands. From any other boundary the cursors are found by planning the few rows
// since the checkpoint before it once more; when these come out otherwise than stored, because of an edit, the
// checkpoint's own cursors are used: then some minutes of programmes may be repeated, and none is lost.
//
// Being offline is no programme: where nothing but offline rows follow, a plan replaces them from now on.

export interface PlanChannelRequest {
  channelId: string;
  now: EpochMs;
  /** The timeline shall reach as far as this. */
  until: EpochMs;
  /**
   * What of the timeline may be replaced: what starts beyond the freeze horizon, or all that comes after the
   * item on air. Without it, the timeline is only made longer.
   */
  replace?: 'beyond-freeze' | 'after-current';
  freezeMs: number;
}

export interface PlanChannelResult {
  added: number;
  removed: number;
  /** Whether anything in the timeline is not as it was. */
  changed: boolean;
  endsAt: EpochMs;
  status: 'ok' | 'no_content';
  problems: PlanProblem[];
}

/** A first plan of very short items is stored in several transactions, so that no other query waits for long. */
const maxRowsPerTransaction = 5_000;
/** After a longer absence the channel goes on from now, and not from where it was. */
const longestAbsenceMs = 86_400_000;
const attempts = 5;

/**
 * Makes a channel's timeline reach until the instant that is asked for, and replaces the part of it that may be
 * replaced, if it would come out otherwise. The item on air stays, unless the channel is offline. Undefined
 * when there is no such channel.
 *
 * A replacement is one transaction: when it fails, everything is as it was.
 */
export async function planChannel(
  db: Database,
  request: PlanChannelRequest,
  planner: Planner = plan,
): Promise<PlanChannelResult | undefined> {
  const total = { added: 0, removed: 0, changed: false };
  let replace = request.replace;
  for (let attempt = 1; attempt <= attempts; ) {
    // Before the transaction: collections can be large, and the embedded database serves one at a time.
    const sources = await loadSources(db, request.channelId);
    if (sources === undefined) return undefined;
    try {
      for (;;) {
        const turn = await db.transaction((tx) => planOnce(tx, sources, { ...request, replace }, planner));
        if (turn === 'gone') return undefined;
        if (turn === 'edited') break;
        total.added += turn.added;
        total.removed += turn.removed;
        total.changed ||= turn.changed;
        replace = undefined;
        if (turn.endsAt >= request.until) {
          const { endsAt, status, problems } = turn;
          return { ...total, endsAt, status, problems };
        }
      }
    } catch (error) {
      // A media was deleted after the collections had been read.
      if (violationOf(error) !== 'playout_items_media_id_media_id_fk') throw error;
    }
    attempt++;
  }
  throw new UnavailableError('The channel is being edited too often to be planned.', {
    operation: 'planning',
  });
}

interface ChannelSources extends PlanSources {
  channelId: string;
}

async function loadSources(db: Database, channelId: string): Promise<ChannelSources | undefined> {
  const [channel] = await db.select().from(channels).where(eq(channels.id, channelId));
  if (channel === undefined) return undefined;
  const { zone, seed, schedule } = channel;
  const collections = new Map<string, Awaited<ReturnType<typeof resolveCollection>>>();
  for (const name of collectionsOf(schedule)) collections.set(name, await resolveCollection(db, name));
  return { channelId, zone, seed, schedule, collections };
}

type Request = Omit<PlanChannelRequest, 'replace'> & { replace: PlanChannelRequest['replace'] };

async function planOnce(
  tx: Database,
  sources: ChannelSources,
  request: Request,
  planner: Planner,
): Promise<PlanChannelResult | 'gone' | 'edited'> {
  const lock = await lockChannel(tx, sources);
  if (lock !== 'locked') return lock;
  const { channelId, now } = request;
  const extent = await timelineExtent(tx, channelId, now);
  const from = await beginning(tx, request, extent);
  const cursors = await cursorsAt(tx, sources, from, extent, planner);
  const layout = layOut(planner, sources, {
    from,
    until: request.until,
    cursors,
    ...(request.replace === undefined ? { maxRows: maxRowsPerTransaction } : {}),
  });
  const written = await write(tx, channelId, { from, cursors }, layout);
  const contentEndsAt = await lastContentEnd(tx, channelId);
  return {
    ...written,
    endsAt: layout.endsAt,
    status: contentEndsAt !== undefined && contentEndsAt > now ? 'ok' : 'no_content',
    problems: layout.problems,
  };
}

/** Holds the channel's row until the end of the transaction, if it is still what the sources were read from. */
async function lockChannel(tx: Database, sources: ChannelSources): Promise<'locked' | 'gone' | 'edited'> {
  const [channel] = await tx
    .select({ zone: channels.zone, seed: channels.seed, schedule: channels.schedule })
    .from(channels)
    .where(eq(channels.id, sources.channelId))
    .for('no key update');
  if (channel === undefined) return 'gone';
  const { zone, seed, schedule } = sources;
  return JSON.stringify(channel) === JSON.stringify({ zone, seed, schedule }) ? 'locked' : 'edited';
}

/** Where the plan begins: everything before stays. */
async function beginning(
  tx: Database,
  request: Request,
  extent: TimelineExtent | undefined,
): Promise<EpochMs> {
  const { channelId, now, freezeMs } = request;
  const second = Math.floor(now / 1000) * 1000;
  if (extent === undefined || !extent.coversNow) return await resumption(tx, channelId, now, second);
  const kept = await endOfKept(tx, request, second, extent.endsAt, now + freezeMs);
  const offlineSince = extent.contentEndsAt ?? extent.startsAt;
  if (offlineSince === extent.endsAt) return kept;
  return Math.min(kept, Math.max(offlineSince, second));
}

async function endOfKept(
  tx: Database,
  { channelId, now, replace }: Request,
  second: EpochMs,
  endsAt: EpochMs,
  frozenUntil: EpochMs,
): Promise<EpochMs> {
  switch (replace) {
    case undefined:
      return endsAt;
    case 'beyond-freeze':
      return (await firstCheckpoint(tx, channelId, frozenUntil))?.at ?? endsAt;
    case 'after-current': {
      const current = await rowAt(tx, channelId, now);
      if (current === undefined) return endsAt;
      return current.kind === 'offline' ? Math.max(current.startsAt, second) : current.endsAt;
    }
  }
}

/**
 * Nothing is planned for now: the channel is new, its rows are gone, or the server was away. From a checkpoint
 * in the near past the timeline comes out as it was, or as it would have been.
 */
async function resumption(tx: Database, channelId: string, now: EpochMs, second: EpochMs): Promise<EpochMs> {
  const before = await rowBefore(tx, channelId, now);
  const earliest = Math.max(before?.endsAt ?? 0, now - longestAbsenceMs);
  const checkpoint = await lastCheckpoint(tx, channelId, now);
  if (checkpoint !== undefined && checkpoint.at >= earliest) return checkpoint.at;
  return Math.max(before?.endsAt ?? 0, second);
}

async function cursorsAt(
  tx: Database,
  sources: ChannelSources,
  at: EpochMs,
  extent: TimelineExtent | undefined,
  planner: Planner,
): Promise<Cursors> {
  const { channelId } = sources;
  const before = await lastCheckpoint(tx, channelId, at);
  if (before?.at === at) return before.cursors;
  if (extent !== undefined && at >= (extent.contentEndsAt ?? extent.startsAt)) {
    // Nothing was placed between here and the next checkpoint.
    const after = await firstCheckpoint(tx, channelId, at);
    if (after !== undefined) return after.cursors;
  }
  const replayed = before && (await replay(tx, sources, before.at, at, before.cursors, planner));
  if (replayed !== undefined) return replayed;
  return guideNotBelow(before?.cursors ?? {}, (await rowBefore(tx, channelId, at))?.guide ?? 0);
}

/** The cursors at `to`, if planning from a checkpoint gives the rows that are stored. */
async function replay(
  tx: Database,
  sources: ChannelSources,
  from: EpochMs,
  to: EpochMs,
  cursors: Cursors,
  planner: Planner,
): Promise<Cursors | undefined> {
  if (to - from > longestAbsenceMs) return undefined;
  const layout = layOut(planner, sources, { from, until: to, cursors });
  if (layout.endsAt !== to) return undefined;
  const stored = (await rowsEndingAfter(tx, sources.channelId, from, layout.rows.length)).map((row) => ({
    ...row,
    endsAt: row.kind === 'offline' ? Math.min(row.endsAt, to) : row.endsAt,
  }));
  const alike =
    stored.length === layout.rows.length && layout.rows.every((row, index) => sameRow(row, stored[index]!));
  return alike ? layout.cursors : undefined;
}

/** A number that has been given is not given again: neighbours that share one are one entry in the guide. */
function guideNotBelow(cursors: Cursors, guide: number): Cursors {
  const state = parseCursors(cursors);
  return { ...state, guide: Math.max(state.guide, guide) };
}

/** Stores what differs from what is there. */
async function write(
  tx: Database,
  channelId: string,
  beginning: { from: EpochMs; cursors: Cursors },
  layout: Layout,
): Promise<{ added: number; removed: number; changed: boolean }> {
  if (layout.rows.length === 0) return { added: 0, removed: 0, changed: false };
  const { from } = beginning;
  // With what ends at the beginning: an offline row there goes on, if the plan begins with one.
  const stored = (await rowsEndingAfter(tx, channelId, from - 1)).filter(
    (row) => row.endsAt > from || row.kind === 'offline',
  );
  const rows = joined(stored[0], from, layout.rows);
  await writeCheckpoints(tx, channelId, beginning, rows[0]!, layout);
  const kept = commonLength(stored, rows);
  const next = stored[kept];
  const fresh = rows[kept];
  if (fresh === undefined) {
    const removed = next === undefined ? 0 : await deleteRowsFrom(tx, channelId, layout.endsAt);
    return { added: 0, removed, changed: removed > 0 };
  }
  // An offline row that becomes longer or shorter is still the same one.
  const moved =
    next !== undefined && next.startsAt === fresh.startsAt && sameOffline(next, fresh) ? next : undefined;
  const removed = await deleteRowsFrom(tx, channelId, moved === undefined ? fresh.startsAt : moved.endsAt);
  if (moved !== undefined) await moveRowEnd(tx, moved.id, fresh.endsAt);
  const added = rows.slice(moved === undefined ? kept : kept + 1);
  await insertRows(tx, channelId, added);
  return { added: added.length, removed, changed: true };
}

/** The plan's rows, together with the offline row that they touch or cut. */
function joined(
  before: PlayoutRow | undefined,
  from: EpochMs,
  rows: readonly NewPlayoutRow[],
): NewPlayoutRow[] {
  if (before === undefined || before.startsAt >= from) return [...rows];
  const [first, ...rest] = rows;
  if (first !== undefined && sameOffline(before, first)) {
    return [{ ...first, startsAt: before.startsAt }, ...rest];
  }
  return [{ ...before, endsAt: from }, ...rows];
}

function commonLength(stored: readonly NewPlayoutRow[], rows: readonly NewPlayoutRow[]): number {
  const different = rows.findIndex((row, index) => {
    const other = stored[index];
    return other === undefined || !sameRow(row, other);
  });
  return different === -1 ? rows.length : different;
}

/** Checkpoints belong to boundaries of rows: where two offline rows have become one, there is none any more. */
async function writeCheckpoints(
  tx: Database,
  channelId: string,
  { from, cursors }: { from: EpochMs; cursors: Cursors },
  first: NewPlayoutRow,
  layout: Layout,
): Promise<void> {
  const swallowed = first.startsAt < from && first.endsAt > from;
  const checkpoints = swallowed ? layout.checkpoints : [{ at: from, cursors }, ...layout.checkpoints];
  await replaceCheckpoints(tx, channelId, from, checkpoints);
}
