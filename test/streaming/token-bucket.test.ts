import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TokenBucket } from '../../src/streaming/token-bucket.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function bucketOf(ratePerSecond: number, burst: number): TokenBucket {
  return new TokenBucket({ ratePerSecond, burst, now: () => Date.now() });
}

/** When each taker got its token, in milliseconds from now, and in which order. */
function takers(bucket: TokenBucket, count: number): { who: number; at: number }[] {
  const served: { who: number; at: number }[] = [];
  const begun = Date.now();
  for (let who = 0; who < count; who++) {
    void bucket.take().then(() => served.push({ who, at: Date.now() - begun }));
  }
  return served;
}

describe('a token bucket', () => {
  it('lets a burst through at once, and then so many a second', async () => {
    const served = takers(bucketOf(5, 10), 20);
    await vi.advanceTimersByTimeAsync(0);
    expect(served).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(1010);
    expect(served).toHaveLength(15);
    await vi.advanceTimersByTimeAsync(1010);
    expect(served).toHaveLength(20);
  });

  it('serves in order of arrival', async () => {
    const served = takers(bucketOf(50, 3), 200);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(served.map(({ who }) => who)).toEqual(Array.from({ length: 200 }, (_, who) => who));
  });

  it('does not save up more than a burst while nobody comes', async () => {
    const bucket = bucketOf(5, 4);
    await vi.advanceTimersByTimeAsync(3_600_000);
    const served = takers(bucket, 10);
    await vi.advanceTimersByTimeAsync(0);
    expect(served).toHaveLength(4);
  });

  it('never gives more than burst and rate in any second, whoever comes when', async () => {
    const arrivals = fc.array(fc.nat(400), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 10 }),
        arrivals,
        async (rate, burst, pauses) => {
          const bucket = bucketOf(rate, burst);
          const served: number[] = [];
          for (const pause of pauses) {
            void bucket.take().then(() => served.push(Date.now()));
            await vi.advanceTimersByTimeAsync(pause);
          }
          await vi.advanceTimersByTimeAsync((1000 * pauses.length) / rate + 1000);
          expect(served).toHaveLength(pauses.length);
          expect(bucket.waiting).toBe(0);
          for (const [index, at] of served.entries()) {
            const within = served.slice(index).filter((other) => other < at + 1000).length;
            expect(within).toBeLessThanOrEqual(burst + rate);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('forgets a waiter that gives up, with its reason, and takes no token for it', async () => {
    const bucket = bucketOf(1, 1);
    await bucket.take();
    const leaving = new AbortController();
    const first = bucket.take(leaving.signal);
    const second = takers(bucket, 1);
    leaving.abort(new Error('the viewer has left'));
    await expect(first).rejects.toThrow('the viewer has left');
    expect(bucket.waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(1001);
    expect(second).toHaveLength(1);
  });

  it('refuses one that has given up before it came', async () => {
    const bucket = bucketOf(1, 1);
    await expect(bucket.take(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    const served = takers(bucket, 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(served).toHaveLength(1);
  });

  it('does not mind that a signal is aborted after the token was given', async () => {
    const bucket = bucketOf(1, 1);
    const late = new AbortController();
    await bucket.take(late.signal);
    late.abort(new Error('too late'));
    expect(bucket.waiting).toBe(0);
  });

  it('loses none of ten thousand waiters of whom every second one leaves', async () => {
    const bucket = bucketOf(1000, 10);
    const leaving = new AbortController();
    const served: number[] = [];
    let left = 0;
    for (let who = 0; who < 10_000; who++) {
      const turn = who % 2 === 0 ? bucket.take(AbortSignal.any([leaving.signal])) : bucket.take();
      turn.then(
        () => served.push(who),
        () => left++,
      );
    }
    expect(bucket.waiting).toBe(10_000 - 10);
    await vi.advanceTimersByTimeAsync(100);
    const before = served.length;
    leaving.abort();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(served.length + left).toBe(10_000);
    expect(left).toBe(5000 - Math.ceil(before / 2));
    expect(served).toEqual([...served].sort((a, b) => a - b));
    expect(bucket.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no timer behind when it is stopped', async () => {
    const bucket = bucketOf(1, 1);
    takers(bucket, 5);
    bucket.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
