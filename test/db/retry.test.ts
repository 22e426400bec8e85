import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RetryOptions, withRetries } from '../../src/db/retry.ts';

describe('trying again', () => {
  const transient = new Error('transient');
  let pauses: number[];
  let gaveUp: { error: unknown; tries: number }[];

  beforeEach(() => {
    vi.useFakeTimers();
    pauses = [];
    gaveUp = [];
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const options = (more: Partial<RetryOptions> = {}): RetryOptions => ({
    isTransient: (error) => error === transient,
    withinMs: 60_000,
    signal: new AbortController().signal,
    onRetry: (_, delayMs) => void pauses.push(delayMs),
    onGiveUp: (error, tries) => void gaveUp.push({ error, tries }),
    ...more,
  });

  /** Fails so often, and then answers with the number of the try. */
  function failing(times: number, error: unknown = transient) {
    let tries = 0;
    return vi.fn(async () => {
      tries++;
      if (tries <= times) throw error;
      return tries;
    });
  }

  it('waits for 1 to 10 s, longer each time, and never the same', async () => {
    const first = new Set<number>();
    for (let round = 0; round < 50; round++) {
      pauses = [];
      const result = withRetries(failing(3), options());
      await vi.runAllTimersAsync();
      expect(await result).toBe(4);
      expect(pauses).toHaveLength(3);
      for (const [index, pauseMs] of pauses.entries()) {
        expect(pauseMs).toBeGreaterThanOrEqual(1_000 * 2 ** index);
        expect(pauseMs).toBeLessThanOrEqual(Math.min(10_000, 2_000 * 2 ** index));
      }
      first.add(pauses[0]!);
    }
    expect(first.size).toBeGreaterThan(10);
    expect(gaveUp).toEqual([]);
  });

  it('gives up after the third retry, with the last error, and says so once', async () => {
    const work = failing(99);
    const result = withRetries(work, options());
    const failure = expect(result).rejects.toBe(transient);
    await vi.runAllTimersAsync();
    await failure;
    expect(work).toHaveBeenCalledTimes(4);
    expect(gaveUp).toEqual([{ error: transient, tries: 4 }]);
  });

  it('does not try again what would fail again', async () => {
    const permanent = new Error('permanent');
    const work = failing(1, permanent);
    await expect(withRetries(work, options())).rejects.toBe(permanent);
    expect(work).toHaveBeenCalledTimes(1);
    expect(gaveUp).toEqual([]);
  });

  it('begins no try after the time that its caller has', async () => {
    const work = failing(99);
    const failure = expect(withRetries(work, options({ withinMs: 500 }))).rejects.toBe(transient);
    await vi.runAllTimersAsync();
    await failure;
    expect(work).toHaveBeenCalledTimes(2);
    expect(gaveUp).toEqual([{ error: transient, tries: 2 }]);
  });

  it('is cut short amid a pause, and does nothing behind the back of who was told', async () => {
    const abort = new AbortController();
    const work = failing(1);
    const failure = expect(withRetries(work, options({ signal: abort.signal }))).rejects.toBe(transient);
    await vi.advanceTimersByTimeAsync(100);
    abort.abort();
    await failure;
    await vi.runAllTimersAsync();
    expect(work).toHaveBeenCalledTimes(1);
    expect(gaveUp).toEqual([{ error: transient, tries: 1 }]);
  });
});
