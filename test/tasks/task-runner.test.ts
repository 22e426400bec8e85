import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TaskRunner } from '../../src/tasks/task-runner.ts';

describe('the task runner', () => {
  let runner: TaskRunner;

  beforeEach(() => {
    vi.useFakeTimers();
    runner = new TaskRunner({ log: pino({ level: 'silent' }), stopWaitMs: 1_000 });
  });
  afterEach(async () => {
    const stopped = runner.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    vi.useRealTimers();
  });

  it('runs a task at once and then at every turn', async () => {
    const run = vi.fn(async () => ({ done: 3 }));
    runner.register({ name: 'scan', everyMs: 60_000, run });
    expect(run).not.toHaveBeenCalled();
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(run).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(179_999);
    expect(run).toHaveBeenCalledTimes(3);
    await vi.advanceTimersByTimeAsync(1);
    expect(runner.list()).toMatchObject([
      { name: 'scan', everyMs: 60_000, running: false, runs: 4, failures: 0, lastResult: { done: 3 } },
    ]);
    expect(runner.list()[0]!.nextRunAt).toBe(Date.now() + 60_000);
  });

  it('waits with the first run if it is told to', async () => {
    const run = vi.fn(async () => {});
    runner.register({ name: 'late', everyMs: 10, firstAfterMs: 500, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(499);
    expect(run).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('goes on after a failure, and shows the last error until a run ends well', async () => {
    let fails = true;
    const run = async () => {
      if (fails) throw new Error('no disk');
    };
    runner.register({ name: 'cleanup', everyMs: 100, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(100);
    expect(runner.list()[0]).toMatchObject({ runs: 2, failures: 2, lastError: 'no disk' });
    expect(runner.list()[0]!.lastSucceededAt).toBeUndefined();
    fails = false;
    await vi.advanceTimersByTimeAsync(100);
    const lastSucceededAt = Date.now();
    expect(runner.list()[0]).toMatchObject({ runs: 3, failures: 2, lastSucceededAt });
    fails = true;
    await vi.advanceTimersByTimeAsync(100);
    expect(runner.list()[0]).toMatchObject({ runs: 4, failures: 3, lastSucceededAt });
    fails = false;
    await vi.advanceTimersByTimeAsync(100);
    expect(runner.list()[0]!.lastError).toBeUndefined();
  });

  it('goes on after a task that throws before it returns a promise', async () => {
    const run = vi.fn(() => {
      throw new Error('at once');
    });
    runner.register({ name: 'wrong', everyMs: 100, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(250);
    expect(run).toHaveBeenCalledTimes(3);
  });

  it('never runs a task twice at the same time, nor catches up on missed turns', async () => {
    let running = 0;
    let most = 0;
    const run = vi.fn(async () => {
      most = Math.max(most, ++running);
      await new Promise((done) => setTimeout(done, 250));
      running--;
    });
    runner.register({ name: 'slow', everyMs: 100, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(1_100);
    expect(most).toBe(1);
    expect(run).toHaveBeenCalledTimes(5);
    expect(runner.list()[0]).toMatchObject({ running: true, lastDurationMs: 250 });
  });

  it('runs a task now and gives its status, a failure too', async () => {
    let result = 1;
    const run = async () => {
      if (result > 1) throw new Error('second');
      return result++;
    };
    runner.register({ name: 'scan', everyMs: 1e9, run });
    expect(await runner.runNow('scan')).toMatchObject({ runs: 1, lastResult: 1 });
    expect(await runner.runNow('scan')).toMatchObject({ runs: 2, failures: 1, lastError: 'second' });
    await expect(runner.runNow('nothing')).rejects.toThrow('no task');
  });

  it('lets another run follow when it is asked for one amid a run', async () => {
    const run = vi.fn(() => new Promise((done) => setTimeout(done, 100)));
    runner.register({ name: 'scan', everyMs: 1e9, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(50);
    const asked = Promise.all([runner.runNow('scan'), runner.runNow('scan')]);
    await vi.advanceTimersByTimeAsync(150);
    expect((await asked).map(({ runs }) => runs)).toEqual([2, 2]);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('waits longer than a timer can', async () => {
    const run = vi.fn(async () => {});
    runner.register({ name: 'rare', everyMs: 40 * 86_400_000, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(39 * 86_400_000);
    expect(run).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('aborts what runs when it stops, and runs nothing more', async () => {
    const run = vi.fn(
      (signal: AbortSignal) =>
        new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true })),
    );
    runner.register({ name: 'scan', everyMs: 10, run });
    runner.start();
    await vi.advanceTimersByTimeAsync(5);
    await runner.stop();
    expect(runner.list()[0]).toMatchObject({ running: false, runs: 1 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('does not wait for ever for a task that does not end', async () => {
    runner.register({ name: 'stuck', everyMs: 10, run: () => new Promise(() => {}) });
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    const stopped = runner.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
  });

  it('has one task of a name', () => {
    const task = { name: 'scan', everyMs: 10, run: async () => {} };
    runner.register(task);
    expect(() => runner.register(task)).toThrow('already');
  });
});
