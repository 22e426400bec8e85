import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Checkpoint, CursorLog, unpacked } from '../../src/playout/cursor-log.ts';

const hour = 3_600_000;

function packed(checkpoints: readonly Checkpoint[]) {
  const log = new CursorLog();
  for (const checkpoint of checkpoints) log.add(checkpoint);
  return log.packs;
}

/** Changed a little from one to the next, as cursors are. */
const history = fc
  .array(
    fc.record({
      turn: fc.record({ slot: fc.constantFrom('a', 'b', '__proto__'), played: fc.nat(3) }),
      guide: fc.nat(3),
      until: fc.option(fc.nat(3), { nil: undefined }),
      feeds: fc.array(
        fc.record({ after: fc.constantFrom('0:x', '1:y'), shows: fc.array(fc.nat(2), { maxLength: 3 }) }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 40 },
  )
  .map((all) =>
    all.map(
      ({ until, ...rest }, index): Checkpoint => ({
        at: index * 40 * 60_000,
        cursors: { ...rest, ...(until === undefined ? {} : { until }) },
      }),
    ),
  );

describe('the log of cursors', () => {
  it('gives back every checkpoint as it was, through JSON too', () => {
    fc.assert(
      fc.property(history, (checkpoints) => {
        const stored = JSON.parse(JSON.stringify(packed(checkpoints)));
        expect(stored.flatMap(unpacked)).toEqual(checkpoints);
      }),
      { numRuns: 500 },
    );
  });

  it('takes keys for what they are, whatever they are called', () => {
    const cursors = (value: number) => JSON.parse(`{ "__proto__": { "x": ${value}, "y": 1 } }`);
    const checkpoints = [1, 2].map((value) => ({ at: value, cursors: cursors(value) }));
    const stored = JSON.parse(JSON.stringify(packed(checkpoints)));
    expect(JSON.stringify(stored.flatMap(unpacked))).toBe(JSON.stringify(checkpoints));
  });

  it('stores cursors whole once a day, and what changed between', () => {
    const shows = Array.from({ length: 100 }, (_, n) => ({ show: `Show ${n}`, due: n, after: `0:${n}` }));
    const checkpoints = Array.from({ length: 49 }, (_, n) => ({
      at: n * 0.5 * hour,
      cursors: { guide: n, shows: shows.map((show, at) => (at <= n ? { ...show, due: 1_000 + at } : show)) },
    }));
    const stored = packed(checkpoints);
    expect(stored.map(({ at }) => at / hour)).toEqual([0, 24]);
    const whole = JSON.stringify(checkpoints).length;
    expect(JSON.stringify(stored).length).toBeLessThan(whole / 12);
  });
});
