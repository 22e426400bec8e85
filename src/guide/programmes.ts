import type { EpochMs } from '../schedule/types.ts';

/** What the guide says of a media file. */
export interface GuideMedia {
  kind: 'movie' | 'episode' | 'other';
  title: string;
  show: string | null;
  season: number | null;
  episode: number | null;
  year: number | null;
  /** YYYY-MM-DD */
  aired: string | null;
  plot: string | null;
  genres: readonly string[];
  rating: string | null;
  /** Relative to its library: the last resort for a title. */
  path: string;
}

/** A playout row as the guide reads it. */
export interface GuideRow {
  startsAt: EpochMs;
  endsAt: EpochMs;
  kind: 'program' | 'filler' | 'offline';
  /** Rows of one guide entry share a number; null is hidden. */
  guide: number | null;
  inMs: number | null;
  outMs: number | null;
  media: GuideMedia | undefined;
}

/** One entry of the guide. Times are whole seconds, and its stop is the next one's start. */
export interface Programme {
  start: EpochMs;
  stop: EpochMs;
  /** Undefined where the channel has nothing to air: it is shown under its own name. */
  media: GuideMedia | undefined;
  /** How much of the media airs, without filler. */
  lengthMs: number;
}

export interface GuideWindow {
  /** What ended by then is not shown. */
  from: EpochMs;
  /** What starts from then on is not shown. */
  to: EpochMs;
  now: EpochMs;
}

/** Long stretches of nothing are shown in pieces that end at multiples of this, so that their starts never move. */
export const gridMs = 6 * 3_600_000;
/** A timeline that ends sooner than this is broken; the guide goes on under the channel's name. */
const shortestTimelineMs = 24 * 3_600_000;
const shortestProgrammeMs = 1000;

/**
 * Folds the rows of one channel, in order of time, into what its guide shows: no gap, no overlap, at least one
 * programme, and always one that is on now.
 *
 * Rows of one guide number are one programme. Whatever is hidden, or shorter than a second, belongs to the
 * programme before it, so that every other start stays true. Time without a row is off air. Throws RangeError
 * for a row that does not end after its start.
 */
export function foldProgrammes(rows: readonly GuideRow[], window: GuideWindow): Programme[] {
  const merged: Stretch[] = [];
  for (const stretch of stretches(rows, window)) append(merged, stretch);
  return withoutShort(merged)
    .flatMap(inPieces)
    .filter((stretch) => stretch.stop > window.from && stretch.start < window.to)
    .map(toProgramme);
}

/** First instant of the grid at or before `at`. */
export function gridFloor(at: EpochMs): EpochMs {
  return Math.floor(at / gridMs) * gridMs;
}

interface Stretch {
  kind: 'programme' | 'hidden' | 'off-air';
  start: EpochMs;
  stop: EpochMs;
  guide: number | null;
  media: GuideMedia | undefined;
  lengthMs: number;
}

/** The rows without a hole or an overlap, from now at the latest, and far enough into the future. */
function* stretches(rows: readonly GuideRow[], { now, to }: GuideWindow): Generator<Stretch> {
  const first = rows[0]?.startsAt;
  let reached = first === undefined || first > now ? gridFloor(now) : first;
  for (const row of rows) {
    if (!(row.startsAt < row.endsAt))
      throw new RangeError('A row of the timeline has no time that can be read.');
    if (row.startsAt >= to) break;
    if (row.endsAt <= reached) continue;
    if (row.startsAt > reached) yield offAir(reached, row.startsAt);
    const stretch = stretchOf(row);
    const stop = stretch.kind === 'off-air' ? Math.min(stretch.stop, to) : stretch.stop;
    yield { ...stretch, start: Math.max(row.startsAt, reached), stop };
    reached = row.endsAt;
  }
  if (reached < now + shortestTimelineMs && reached < to) yield offAir(reached, to);
}

function stretchOf(row: GuideRow): Stretch {
  const { startsAt: start, endsAt: stop, guide } = row;
  if (guide === null && row.kind === 'offline') return offAir(start, stop);
  const kind = guide === null ? 'hidden' : 'programme';
  if (kind === 'hidden' || row.kind !== 'program') {
    return { kind, start, stop, guide, media: undefined, lengthMs: 0 };
  }
  const lengthMs = row.inMs === null || row.outMs === null ? stop - start : row.outMs - row.inMs;
  return { kind, start, stop, guide, media: row.media, lengthMs };
}

function offAir(start: EpochMs, stop: EpochMs): Stretch {
  return { kind: 'off-air', start, stop, guide: null, media: undefined, lengthMs: 0 };
}

/** Adds a stretch to the last programme where it belongs to that one, and as one of its own where not. */
function append(merged: Stretch[], stretch: Stretch): void {
  const last = merged.at(-1);
  if (last === undefined) {
    merged.push({ ...stretch });
  } else if (last.kind === 'hidden' && stretch.kind !== 'hidden') {
    // Only at the beginning is there nothing before a hidden row.
    Object.assign(last, stretch, { start: last.start });
  } else if (stretch.kind === 'hidden' || (stretch.kind === last.kind && stretch.guide === last.guide)) {
    last.stop = stretch.stop;
    last.media ??= stretch.media;
    last.lengthMs += stretch.lengthMs;
  } else {
    merged.push({ ...stretch });
  }
}

function withoutShort(all: readonly Stretch[]): Stretch[] {
  const kept: Stretch[] = [];
  let owed: EpochMs | undefined;
  for (const stretch of all) {
    const start = owed ?? stretch.start;
    const last = kept.at(-1);
    if (stretch.stop - start >= shortestProgrammeMs) {
      kept.push({ ...stretch, start });
      owed = undefined;
    } else if (last !== undefined) last.stop = stretch.stop;
    else owed = start;
  }
  return kept;
}

function inPieces(stretch: Stretch): Stretch[] {
  if (stretch.kind === 'programme' || stretch.stop - stretch.start <= gridMs) return [stretch];
  const pieces: Stretch[] = [];
  let { start } = stretch;
  while (start < stretch.stop) {
    let stop = gridFloor(start) + gridMs;
    if (stop - start < shortestProgrammeMs) stop += gridMs;
    if (stretch.stop - stop < shortestProgrammeMs) stop = stretch.stop;
    pieces.push(offAir(start, stop));
    start = stop;
  }
  return pieces;
}

function toProgramme({ start, stop, media, lengthMs }: Stretch): Programme {
  return { start: wholeSecond(start), stop: wholeSecond(stop), media, lengthMs };
}

/** Neighbours share an instant and so its rounding; what lasts a second or more never becomes zero. */
function wholeSecond(at: EpochMs): EpochMs {
  return Math.round(at / 1000) * 1000;
}
