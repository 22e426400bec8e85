import type { EpochMs } from '../schedule/types.ts';
import type { GuideWindow } from './programmes.ts';

// The guide is cut where the clock says a multiple of half a day, in UTC: a piece stays as it is while time goes on,
// and only the first is dropped and another one added at the end.

export const pieceMs = 12 * 3_600_000;
const hourMs = 3_600_000;
/** At least so much of the past is in the guide. */
const pastMs = 2 * hourMs;

/** Where the piece begins that holds an instant. */
export function pieceFloor(at: EpochMs): EpochMs {
  return Math.floor(at / pieceMs) * pieceMs;
}

/** What is rendered: whole pieces, and one more than is shown, so that there is time to render the next. */
export function renderWindow({ now, days }: { now: EpochMs; days: number }): GuideWindow {
  return { now, from: pieceFloor(now - pastMs), to: pieceFloor(now + days * 24 * hourMs) + 2 * pieceMs };
}

/**
 * What is shown: pieces that reach beyond `from` and start before `to`. It moves by whole hours, so that the guide
 * does not change because a minute has passed.
 */
export function shownWindow(now: EpochMs, days: number): { from: EpochMs; to: EpochMs } {
  const hour = Math.floor(now / hourMs) * hourMs;
  return { from: hour - pastMs, to: pieceFloor(now + days * 24 * hourMs) + pieceMs };
}
