import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Stretch } from '../../src/ffmpeg/analysis-report.ts';
import { breaksFrom } from '../../src/library/analysis-breaks.ts';

const second = 1_000;
const minute = 60_000;
const hour = 60 * minute;

/** Stretches of so many milliseconds around instants. */
const around = (lengthMs: number, ...instants: number[]): Stretch[] =>
  instants.map((at) => ({ fromMs: at - lengthMs / 2, toMs: at + lengthMs / 2 }));

describe('the breaks of a recording', () => {
  it('are in the middle of what is both black and silent', () => {
    const black = [{ fromMs: 10 * minute, toMs: 10 * minute + 2_000 }];
    const silent = [{ fromMs: 10 * minute + 1_000, toMs: 10 * minute + 5_000 }];
    expect(breaksFrom(black, silent, hour)).toEqual([10 * minute + 1_500]);
  });

  it('are not where it is only black, or only silent', () => {
    expect(breaksFrom(around(second, 10 * minute), around(second, 20 * minute), hour)).toEqual([]);
    expect(breaksFrom(around(second, 10 * minute), [], hour)).toEqual([]);
    expect(breaksFrom([], around(second, 20 * minute), hour)).toEqual([]);
    const touching = [{ fromMs: 10 * minute + 500, toMs: 11 * minute }];
    expect(breaksFrom(around(second, 10 * minute), touching, hour)).toEqual([]);
  });

  it('are where it is black, in a recording without sound', () => {
    expect(breaksFrom(around(second, 10 * minute), undefined, hour)).toEqual([10 * minute]);
  });

  it('are where it is black in a silence that never ends', () => {
    const silent = [{ fromMs: 0, toMs: Number.POSITIVE_INFINITY }];
    expect(breaksFrom(around(second, 10 * minute, 30 * minute), silent, hour)).toEqual([
      10 * minute,
      30 * minute,
    ]);
  });

  it('are not in the first and the last minute', () => {
    const places = around(
      second,
      0,
      30 * second,
      minute,
      30 * minute,
      hour - minute,
      hour - 30 * second,
      hour,
    );
    expect(breaksFrom(places, places, hour)).toEqual([minute, 30 * minute, hour - minute]);
  });

  it('are nearer to beginning and end of a short recording', () => {
    const places = around(second, 20 * second, 35 * second, 3 * minute, 5 * minute - 20 * second);
    expect(breaksFrom(places, places, 5 * minute)).toEqual([35 * second, 3 * minute]);
  });

  it('are minutes apart, and of two that are too close it is the longer one', () => {
    const places = [
      ...around(second, 10 * minute),
      ...around(3 * second, 12 * minute),
      ...around(second, 13 * minute, 16 * minute, 19 * minute),
    ];
    expect(breaksFrom(places, places, hour)).toEqual([12 * minute, 16 * minute]);
  });

  it('are closer to each other in a short recording', () => {
    const places = around(second, 5 * minute, 7 * minute, 8.5 * minute);
    expect(breaksFrom(places, places, 20 * minute)).toEqual([5 * minute, 7 * minute]);
  });

  it('are in order, apart, away from both ends, black and silent, whatever was found', () => {
    const stretches = fc
      .uniqueArray(fc.nat(2 * hour), { maxLength: 60 })
      .map((edges) => edges.sort((a, b) => a - b))
      .map((edges) =>
        edges.flatMap((toMs, index): Stretch[] =>
          index % 2 === 1 ? [{ fromMs: edges[index - 1]!, toMs }] : [],
        ),
      );
    fc.assert(
      fc.property(
        stretches,
        stretches,
        fc.integer({ min: second, max: 2 * hour }),
        (black, silent, durationMs) => {
          const breaks = breaksFrom(black, silent, durationMs);
          const margin = Math.min(minute, durationMs / 10);
          const distance = Math.min(4 * minute, durationMs / 10);
          const isIn = (at: number) => (s: Stretch) => s.fromMs <= at && at <= s.toMs;
          breaks.forEach((at, index) => {
            expect(Number.isInteger(at)).toBe(true);
            expect(at).toBeGreaterThanOrEqual(margin);
            expect(at).toBeLessThanOrEqual(durationMs - margin);
            if (index > 0) expect(at - breaks[index - 1]!).toBeGreaterThanOrEqual(distance);
            expect(black.some(isIn(at)) && silent.some(isIn(at))).toBe(true);
          });
        },
      ),
    );
  });
});
