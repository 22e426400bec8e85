import type { Database } from '../db/connection.ts';
import {
  firstCheckpoint,
  lastCheckpoint,
  rowAt,
  rowBefore,
  rowsBetween,
  type TimelineExtent,
  timelineExtent,
} from '../db/playout.ts';
import { parseCursors } from '../schedule/cursors.ts';
import type { Cursors, EpochMs } from '../schedule/types.ts';
import type { Checkpoint } from './cursor-log.ts';

/**
 * What of a timeline may be replaced: what starts beyond the freeze horizon, or all that comes after the programme
 * on air and its filler.
 */
export type Replacement = 'beyond-freeze' | 'after-current';

/** Where a plan begins: everything before stays. */
export interface Beginning {
  from: EpochMs;
  cursors: Cursors;
  extent: TimelineExtent | undefined;
  /** The timeline did not cover the present: none of what was ahead is kept. */
  anew: boolean;
}

export interface BeginningRequest {
  channelId: string;
  now: EpochMs;
  replace?: Replacement | undefined;
  freezeMs: number;
}

/** After a longer absence the channel goes on from now, and not from where it was. */
const longestAbsenceMs = 86_400_000;

// A plan begins at a checkpoint: there the cursors are known, and so an edit neither repeats nor loses an episode.
// Checkpoints are behind each programme with its filler, so one is never far. Being offline is no programme: it can
// be cut anywhere, and where nothing else follows, it is replaced from now on.

/** Finds where the plan of a channel begins, and the cursors there. */
export async function findBeginning(db: Database, request: BeginningRequest): Promise<Beginning> {
  const { channelId, now } = request;
  const extent = await timelineExtent(db, channelId, now);
  const second = Math.floor(now / 1000) * 1000;
  if (extent === undefined || !extent.coversNow) {
    return { ...(await resumption(db, channelId, now, second)), extent, anew: true };
  }
  const kept = await endOfKept(db, request, second, extent.endsAt);
  const offlineSince = extent.contentEndsAt ?? extent.startsAt;
  const from = offlineSince === extent.endsAt ? kept : Math.min(kept, Math.max(offlineSince, second));
  return { ...(await checkpointAt(db, channelId, from, extent.endsAt)), extent, anew: false };
}

/** Where a plan could begin at an instant or soon after it, wherever in the timeline that is. */
export async function beginningAt(
  db: Database,
  channelId: string,
  at: EpochMs,
): Promise<{ from: EpochMs; cursors: Cursors }> {
  const extent = await timelineExtent(db, channelId, at);
  const second = Math.ceil(at / 1000) * 1000;
  if (extent === undefined) return { from: second, cursors: {} };
  const within = Math.min(Math.max(second, extent.startsAt), extent.endsAt);
  return await checkpointAt(db, channelId, within, extent.endsAt);
}

async function endOfKept(
  db: Database,
  { channelId, now, replace, freezeMs }: BeginningRequest,
  second: EpochMs,
  endsAt: EpochMs,
): Promise<EpochMs> {
  switch (replace) {
    case undefined:
      return endsAt;
    case 'beyond-freeze': {
      const frozenUntil = now + freezeMs;
      const row = await rowAt(db, channelId, frozenUntil);
      if (row?.kind === 'offline') return Math.min(row.endsAt, Math.ceil(frozenUntil / 1000) * 1000);
      return Math.min((await firstCheckpoint(db, channelId, frozenUntil))?.at ?? endsAt, endsAt);
    }
    case 'after-current': {
      const current = await rowAt(db, channelId, now);
      if (current?.kind === 'offline') return Math.max(current.startsAt, second);
      const after = current && (await firstCheckpoint(db, channelId, current.endsAt));
      return Math.min(after?.at ?? current?.endsAt ?? endsAt, endsAt);
    }
  }
}

/**
 * Nothing is planned for now: the channel is new, its rows are gone, or the server was away. From a checkpoint
 * in the near past the timeline comes out as it was, or as it would have been.
 */
async function resumption(
  db: Database,
  channelId: string,
  now: EpochMs,
  second: EpochMs,
): Promise<{ from: EpochMs; cursors: Cursors }> {
  const before = await rowBefore(db, channelId, now);
  const earliest = Math.max(before?.endsAt ?? 0, now - longestAbsenceMs);
  const checkpoint = await lastCheckpoint(db, channelId, now);
  if (checkpoint !== undefined && checkpoint.at >= earliest) {
    return { from: checkpoint.at, cursors: checkpoint.cursors };
  }
  const from = Math.max(before?.endsAt ?? 0, second);
  return { from, cursors: guideNotBelow(checkpoint, before?.guide ?? 0) };
}

/**
 * The cursors at an instant; where they are not known, the plan begins at the next one at which they are. Checkpoints
 * beyond the end are of rows that somebody has deleted: what is left of them is planned again from the last joint.
 */
async function checkpointAt(
  db: Database,
  channelId: string,
  at: EpochMs,
  endsAt: EpochMs,
): Promise<{ from: EpochMs; cursors: Cursors }> {
  const before = await lastCheckpoint(db, channelId, at);
  if (before !== undefined && (await nothingBetween(db, channelId, before.at, at))) {
    return { from: at, cursors: before.cursors };
  }
  const after = await firstCheckpoint(db, channelId, at);
  if (after !== undefined && after.at <= endsAt) return { from: after.at, cursors: after.cursors };
  if (after !== undefined && before !== undefined) return { from: before.at, cursors: before.cursors };
  return { from: at, cursors: guideNotBelow(before, (await rowBefore(db, channelId, at))?.guide ?? 0) };
}

/** Whether there is nothing but being offline between two instants. */
async function nothingBetween(db: Database, channelId: string, from: EpochMs, to: EpochMs): Promise<boolean> {
  if (from === to) return true;
  const rows = await rowsBetween(db, channelId, from, to, fewRows);
  return rows.length < fewRows && rows.every(({ kind }) => kind === 'offline');
}

const fewRows = 20;

/** A number that has been given is not given again: neighbours that share one are one entry in the guide. */
function guideNotBelow(checkpoint: Checkpoint | undefined, guide: number): Cursors {
  const state = parseCursors(checkpoint?.cursors ?? {});
  return { ...state, guide: Math.max(state.guide, guide) };
}
