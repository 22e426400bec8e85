import type { Pick } from './orders/feed.ts';
import type { Sheet } from './sheet.ts';
import type { ReadySlot, Roll } from './slots.ts';
import { shortestMs } from './stock.ts';
import type { EpochMs, FillerKind, PlanMedia } from './types.ts';
import type { ZoneClock } from './zone-clock.ts';

/** What a programme is laid out in. */
export interface Frame {
  sheet: Sheet;
  clock: ZoneClock;
  slot: ReadySlot;
  /** The number of its guide entry. */
  guide: number | undefined;
  /** What does not end by then has no place. */
  limit: EpochMs;
}

/** A programme has no more filler than this, besides its pad: it is laid out whole, however much it asks for. */
const mostFiller = 10_000;

/** What a programme may still have of filler. */
interface Room {
  items: number;
  ms: number;
}

/**
 * Writes a programme with its filler: pre-rolls, the media in pieces with mid-rolls between them, post-rolls, and
 * a pad. Says whether all but the pad ends by the limit; if it does not, only a part of it has been written.
 *
 * @param yielding whether filler that does not fit beside the media is left out
 */
export function layProgramme(frame: Frame, pick: Pick, yielding = false): boolean {
  const { sheet, slot, limit } = frame;
  const ms = yielding ? limit - sheet.now - pick.lengthMs : Number.POSITIVE_INFINITY;
  const room: Room = { items: mostFiller, ms };
  const { pre, mid, post } = slot.beside;
  const breaks = mid?.feed === undefined ? [] : breaksOf(pick.media, pick.lengthMs, mid.everyMs);
  rolls(frame, room, 'pre', pre);
  let inMs = 0;
  for (const outMs of breaks) {
    if (sheet.now + outMs - inMs > limit) return false;
    const before = sheet.mark();
    sheet.program(pick, inMs, outMs, slot.slot.id, frame.guide);
    if (rolls(frame, room, 'mid', mid)) inMs = outMs;
    else sheet.rewind(before);
  }
  sheet.program(pick, inMs, pick.lengthMs, slot.slot.id, frame.guide);
  if (breaks.length === 0) rolls(frame, room, 'post', mid);
  if (post?.padMs === undefined) rolls(frame, room, 'post', post);
  if (sheet.now > limit) return false;
  if (post?.padMs !== undefined) pad(frame, post, post.padMs);
  return true;
}

/**
 * Writes one item of filler into what is left before `until`: the next of a roll that fits, or else the next of
 * the slot's fallback, cut to the end. Says whether there was any.
 */
export function fill(
  { sheet, slot, guide }: Omit<Frame, 'clock' | 'limit'>,
  kind: FillerKind,
  roll: Roll | undefined,
  until: EpochMs,
): boolean {
  const leftMs = until - sheet.now;
  const pick = roll?.feed?.take(leftMs);
  if (pick !== undefined) {
    sheet.filler(kind, pick, pick.lengthMs, slot.slot.id, guide);
    return true;
  }
  const fallback = slot.roll('fallback')?.feed?.take(Number.POSITIVE_INFINITY);
  if (fallback === undefined) return false;
  sheet.filler('fallback', fallback, Math.min(fallback.lengthMs, leftMs), slot.slot.id, guide);
  return true;
}

/** As many as the roll says, but not more than the limit is passed. Says whether there were any. */
function rolls(frame: Frame, room: Room, kind: FillerKind, roll: Roll | undefined): boolean {
  const { sheet, slot, guide, limit } = frame;
  const feed = roll?.feed;
  if (roll === undefined || feed === undefined) return false;
  const begin = sheet.now;
  const end = roll.durationMs === undefined ? Number.POSITIVE_INFINITY : begin + roll.durationMs;
  const most = Math.min(room.items, roll.durationMs === undefined ? roll.count : Number.POSITIVE_INFINITY);
  for (let played = 0; played < most && sheet.now <= limit; played++) {
    const pick = feed.take(Math.min(end - sheet.now, room.ms));
    if (pick === undefined) break;
    sheet.filler(kind, pick, pick.lengthMs, slot.slot.id, guide);
    room.items -= 1;
    room.ms -= pick.lengthMs;
  }
  return sheet.now > begin;
}

/** Fills up to the next multiple of the pad on the local clock, but not beyond the limit. */
function pad(frame: Frame, post: Roll, padMs: number): void {
  const { sheet, clock, slot, guide, limit } = frame;
  const until = Math.min(clock.nextMultiple(sheet.now, padMs), limit);
  while (sheet.now < until) {
    if (!fill(frame, 'post', post, until)) sheet.offline(until, slot.slot.id, guide);
  }
}

/** Where a media is interrupted: at its chapters, or else every so often. Pieces are not too short to be aired. */
function breaksOf({ chaptersMs = [] }: PlanMedia, lengthMs: number, everyMs: number | undefined): number[] {
  const chapters = spaced(chaptersMs.toSorted((a, b) => a - b).map(Math.floor), lengthMs);
  if (chapters.length > 0 || everyMs === undefined) return chapters;
  const count = Math.min(mostFiller, Math.floor((lengthMs - shortestMs) / everyMs));
  return Array.from({ length: Math.max(0, count) }, (_, index) => (index + 1) * everyMs);
}

function spaced(points: readonly number[], lengthMs: number): number[] {
  const kept: number[] = [];
  for (const point of points) {
    if (point - (kept.at(-1) ?? 0) < shortestMs || lengthMs - point < shortestMs) continue;
    if (kept.push(point) === mostFiller) break;
  }
  return kept;
}
