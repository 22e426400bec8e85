import { describe, expect, it } from 'vitest';
import { SpeedWatch } from '../../src/streaming/speed-watch.ts';

/** Reports once a second for so long, at a speed. Returns when it ended. */
function run(watch: SpeedWatch, from: { at: number; outTimeMs: number }, seconds: number, speed: number) {
  let { at, outTimeMs } = from;
  for (let second = 0; second < seconds; second++) {
    at += 1_000;
    outTimeMs += 1_000 * speed;
    for (let turn = 0; turn < 10; turn++) watch.look({ at: at + turn * 100, outTimeMs, held: false });
  }
  return { at, outTimeMs };
}

describe('the speed watch', () => {
  it('finds an encoder slow that has been below the clock for 15 s', () => {
    const watch = new SpeedWatch();
    const at = run(watch, { at: 0, outTimeMs: 0 }, 15, 0.8);
    expect(watch.slow).toBeUndefined();
    run(watch, at, 1, 0.8);
    expect(watch.slow).toBeCloseTo(0.8);
  });

  it('takes it back when the encoder catches up', () => {
    const watch = new SpeedWatch();
    const slow = run(watch, { at: 0, outTimeMs: 0 }, 30, 0.9);
    run(watch, slow, 20, 1.2);
    expect(watch.slow).toBeUndefined();
  });

  it('does not judge an encoder that was held back', () => {
    const watch = new SpeedWatch();
    const before = run(watch, { at: 0, outTimeMs: 0 }, 12, 1);
    watch.look({ ...before, held: true });
    run(watch, { at: before.at + 60_000, outTimeMs: before.outTimeMs }, 12, 0.5);
    expect(watch.slow).toBeUndefined();
  });

  it('says nothing while there is no report', () => {
    const watch = new SpeedWatch();
    for (let at = 0; at < 60_000; at += 100) watch.look({ at, outTimeMs: undefined, held: false });
    expect(watch.slow).toBeUndefined();
  });
});
