import type { Artwork } from '../library/artwork.ts';
import type { Credits } from '../library/metadata.ts';
import type { EpochMs } from '../schedule/types.ts';

/** What the guide says of a media file. */
export interface GuideMedia {
  id: string;
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
  credits: Credits | null;
  artwork: Artwork | null;
  /** Relative to its library: the last resort for a title. */
  path: string;
  addedAt: EpochMs;
  /** When it first airs in the timelines that are stored; undefined where nobody asks for it. */
  firstAirsAt?: EpochMs;
}

/** A playout row as the guide reads it. */
export interface GuideRow {
  startsAt: EpochMs;
  endsAt: EpochMs;
  kind: 'program' | 'filler' | 'offline';
  /** Rows of one guide entry share a number; null is hidden. */
  guide: number | null;
  slot: string | null;
  inMs: number | null;
  outMs: number | null;
  media: GuideMedia | undefined;
}

/** One entry of the guide. Times are whole seconds, and its stop is the next one's start. */
export interface Programme {
  start: EpochMs;
  stop: EpochMs;
  kind: 'programme' | 'off-air';
  /** What its slot calls it. */
  title: string | undefined;
  /** What airs in it, each file once, without filler. */
  media: readonly GuideMedia[];
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

/** Long stretches are shown in pieces that end at multiples of this, so that their starts never move. */
export const gridMs = 6 * 3_600_000;
/** An entry of several items that is longer is shown in such pieces: the run of a slot may have no end. */
export const longestRunMs = 2 * gridMs;
/** A timeline that ends sooner than this is broken; the guide goes on as off air. */
const shortestTimelineMs = 24 * 3_600_000;
const shortestProgrammeMs = 1000;

/**
 * Folds the rows of one channel, in order of time, into what its guide shows: no gap, no overlap, at least one
 * programme, and always one that is on now. For starts that stay when the window moves, the rows must begin
 * `longestRunMs` before it.
 *
 * Rows of one guide number are one programme. Whatever is hidden, or shorter than a second, belongs to the
 * programme before it, so that every other start stays true. Time without a row is off air. Throws RangeError
 * for a row that does not end after its start.
 *
 * @param titles what slots call their blocks, by the slot's id
 */
export function foldProgrammes(
  rows: readonly GuideRow[],
  window: GuideWindow,
  titles: ReadonlyMap<string, string> = new Map(),
): Programme[] {
  const merged: Stretch[] = [];
  for (const stretch of stretches(rows, window, titles)) append(merged, stretch);
  return withoutShort(withoutEmpty(merged))
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
  title: string | undefined;
  rows: number;
  /** Whether anything is on: some rows of an entry may be offline. */
  airs: boolean;
  parts: Part[];
}

interface Part {
  start: EpochMs;
  stop: EpochMs;
  media: GuideMedia | undefined;
  lengthMs: number;
}

/** The rows without a hole or an overlap, from now at the latest, and far enough into the future. */
function* stretches(
  rows: readonly GuideRow[],
  { now, to }: GuideWindow,
  titles: ReadonlyMap<string, string>,
): Generator<Stretch> {
  const first = rows[0]?.startsAt;
  let reached = first === undefined || first > now ? gridFloor(now) : first;
  for (const row of rows) {
    if (!(row.startsAt < row.endsAt))
      throw new RangeError('A row of the timeline has no time that can be read.');
    if (row.startsAt >= to) break;
    if (row.endsAt <= reached) continue;
    if (row.startsAt > reached) yield offAir(reached, row.startsAt);
    const start = Math.max(row.startsAt, reached);
    yield stretchOf(row, start, row.kind === 'offline' ? Math.min(row.endsAt, to) : row.endsAt, titles);
    reached = row.endsAt;
  }
  if (reached < now + shortestTimelineMs && reached < to) yield offAir(reached, to);
}

function stretchOf(
  row: GuideRow,
  start: EpochMs,
  stop: EpochMs,
  titles: ReadonlyMap<string, string>,
): Stretch {
  const { guide, slot, media, inMs, outMs } = row;
  if (guide === null && row.kind === 'offline') return offAir(start, stop);
  const kind = guide === null ? 'hidden' : 'programme';
  const isProgramme = kind === 'programme' && row.kind === 'program';
  const lengthMs = inMs === null || outMs === null ? row.endsAt - row.startsAt : outMs - inMs;
  return {
    kind,
    start,
    stop,
    guide,
    // Filler in front of a programme may be another slot's.
    title: isProgramme && slot !== null ? titles.get(slot) : undefined,
    rows: 1,
    airs: row.kind !== 'offline',
    parts: isProgramme ? [{ start, stop, media, lengthMs }] : [],
  };
}

function offAir(start: EpochMs, stop: EpochMs): Stretch {
  return { kind: 'off-air', start, stop, guide: null, title: undefined, rows: 1, airs: false, parts: [] };
}

/** Adds a stretch to the last programme where it belongs to that one, and as one of its own where not. */
function append(merged: Stretch[], stretch: Stretch): void {
  const last = merged.at(-1);
  if (last === undefined) {
    merged.push(stretch);
  } else if (last.kind === 'hidden' && stretch.kind !== 'hidden') {
    // Only at the beginning is there nothing before a hidden row.
    Object.assign(last, stretch, { start: last.start });
  } else if (stretch.kind === 'hidden' || (stretch.kind === last.kind && stretch.guide === last.guide)) {
    last.stop = stretch.stop;
    last.title ??= stretch.title;
    last.rows += stretch.rows;
    last.airs ||= stretch.airs && stretch.kind !== 'hidden';
    last.parts.push(...stretch.parts);
  } else {
    merged.push(stretch);
  }
}

/** An entry in which nothing is on is off air, and what is off air side by side is one stretch. */
function withoutEmpty(all: readonly Stretch[]): Stretch[] {
  const kept: Stretch[] = [];
  for (const each of all) {
    const stretch = each.kind === 'programme' && !each.airs ? offAir(each.start, each.stop) : each;
    const last = kept.at(-1);
    if (last?.kind === 'off-air' && stretch.kind === 'off-air') last.stop = stretch.stop;
    else kept.push(stretch);
  }
  return kept;
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
  const { kind, rows } = stretch;
  const lengthMs = stretch.stop - stretch.start;
  if (kind === 'programme' ? rows === 1 || lengthMs <= longestRunMs : lengthMs <= gridMs) return [stretch];
  const pieces: Stretch[] = [];
  let { start } = stretch;
  while (start < stretch.stop) {
    let stop = gridFloor(start) + gridMs;
    if (stop - start < shortestProgrammeMs) stop += gridMs;
    if (stretch.stop - stop < shortestProgrammeMs) stop = stretch.stop;
    pieces.push(kind === 'programme' ? pieceOf(stretch, start, stop) : offAir(start, stop));
    start = stop;
  }
  return pieces;
}

function pieceOf(stretch: Stretch, start: EpochMs, stop: EpochMs): Stretch {
  const parts = stretch.parts
    .filter((part) => part.start < stop && part.stop > start)
    .map((part) => ({ ...part, lengthMs: Math.min(part.stop, stop) - Math.max(part.start, start) }));
  return { ...stretch, start, stop, parts };
}

function toProgramme({ kind, start, stop, title, parts }: Stretch): Programme {
  const media = new Set(parts.map((part) => part.media));
  media.delete(undefined);
  return {
    start: wholeSecond(start),
    stop: wholeSecond(stop),
    // What is hidden from beginning to end has nothing before it that it could belong to.
    kind: kind === 'programme' ? 'programme' : 'off-air',
    title,
    media: [...media] as GuideMedia[],
    lengthMs: parts.reduce((sum, part) => sum + part.lengthMs, 0),
  };
}

/** Neighbours share an instant and so its rounding; what lasts a second or more never becomes zero. */
function wholeSecond(at: EpochMs): EpochMs {
  return Math.round(at / 1000) * 1000;
}
