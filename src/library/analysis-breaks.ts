import type { Stretch } from '../ffmpeg/analysis-report.ts';

/** Shorter recordings are not interrupted, and not looked through. */
export const shortestWithBreaksMs = 300_000;

/** At beginning and end, black and silence are fades and credits. */
const marginMs = 60_000;
/** Two breaks are not closer to each other, nor than a tenth of the recording where that is less. */
const distanceMs = 240_000;
const shareOfShort = 0.1;

/**
 * Where a recording may be interrupted: amid what is both black and silent. Of two places that are too close to each
 * other, the longer one is more likely to be meant.
 *
 * @param silent undefined for a recording without sound
 * @returns milliseconds from the beginning, in order
 */
export function breaksFrom(
  black: readonly Stretch[],
  silent: readonly Stretch[] | undefined,
  durationMs: number,
): number[] {
  const margin = Math.min(marginMs, durationMs * shareOfShort);
  const distance = Math.min(distanceMs, durationMs * shareOfShort);
  const whole = [{ fromMs: 0, toMs: durationMs }];
  const places = overlaps(overlaps(black, silent ?? whole), whole)
    .map(({ fromMs, toMs }) => ({ atMs: Math.round((fromMs + toMs) / 2), lengthMs: toMs - fromMs }))
    .filter(({ atMs }) => atMs >= margin && atMs <= durationMs - margin)
    .sort((a, b) => b.lengthMs - a.lengthMs || a.atMs - b.atMs);
  const breaks: number[] = [];
  for (const { atMs } of places) {
    if (breaks.every((other) => Math.abs(other - atMs) >= distance)) breaks.push(atMs);
  }
  return breaks.sort((a, b) => a - b);
}

/** What is in both lists; each is in order and does not overlap itself. */
function overlaps(a: readonly Stretch[], b: readonly Stretch[]): Stretch[] {
  const found: Stretch[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const one = a[i]!;
    const other = b[j]!;
    const fromMs = Math.max(one.fromMs, other.fromMs);
    const toMs = Math.min(one.toMs, other.toMs);
    if (fromMs < toMs) found.push({ fromMs, toMs });
    if (one.toMs < other.toMs) i++;
    else j++;
  }
  return found;
}
