import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Check, Readiness } from '../../src/readiness.ts';

interface Line {
  level: number;
  check?: string;
  reason?: string;
  msg: string;
}

let lines: Line[];

beforeEach(() => {
  lines = [];
});
afterEach(() => vi.useRealTimers());

function readinessOf(...checks: (Partial<Check> & Pick<Check, 'name'>)[]): Readiness {
  const log = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line)) });
  return new Readiness({
    log,
    timeoutMs: 1_000,
    checks: checks.map((check) => ({
      required: true,
      look: async () => {},
      trouble: `There is no ${check.name}.`,
      ...check,
    })),
  });
}

describe('readiness', () => {
  it('comes when all that is required is there and the server runs, and goes when it stops', async () => {
    const readiness = readinessOf({ name: 'database' });
    readiness.phase = 'running';
    expect(readiness.isReady).toBe(false);
    expect(readiness.results).toEqual({ database: { ok: false, why: 'Not looked at yet.' } });
    readiness.phase = 'starting';
    await readiness.check();
    expect(readiness.isReady).toBe(false);
    readiness.phase = 'running';
    expect(readiness.isReady).toBe(true);
    readiness.phase = 'stopping';
    expect(readiness.isReady).toBe(false);
  });

  it('goes while something is missing, and says why to everybody without telling where it was looked for', async () => {
    let there = false;
    const look = async () => {
      if (!there) throw new Error('connect ECONNREFUSED 10.0.0.7:5432');
    };
    const readiness = readinessOf({ name: 'database', look }, { name: 'ffmpeg' });
    readiness.phase = 'running';
    const results = await readiness.check();
    expect(readiness.isReady).toBe(false);
    expect(results).toEqual({
      database: { ok: false, why: 'There is no database.' },
      ffmpeg: { ok: true },
    });
    there = true;
    await readiness.check();
    expect(readiness.isReady).toBe(true);
    expect(readiness.results.database).toEqual({ ok: true });
  });

  it('does not depend on what only makes things worse', async () => {
    const look = () => Promise.reject(new Error('not found'));
    const readiness = readinessOf({ name: 'ffmpeg' }, { name: 'ffprobe', required: false, look });
    readiness.phase = 'running';
    await readiness.check();
    expect(readiness.isReady).toBe(true);
    expect(readiness.results.ffprobe).toEqual({ ok: false, why: 'There is no ffprobe.' });
  });

  it('logs a change once, with the reason, and not each look', async () => {
    let there = true;
    const look = async () => {
      if (!there) throw new Error('gone');
    };
    const readiness = readinessOf({ name: 'database', look });
    for (const now of [true, false, false, false, true, true]) {
      there = now;
      await readiness.check();
    }
    expect(lines.map(({ level, check, reason }) => ({ level, check, reason }))).toEqual([
      { level: 40, check: 'database', reason: 'gone' },
      { level: 30, check: 'database', reason: undefined },
    ]);
  });

  it('counts what does not answer in time as missing, and does not ask it again before it has answered', async () => {
    vi.useFakeTimers();
    let answer = () => {};
    const look = vi.fn(() => new Promise<void>((done) => (answer = done)));
    const readiness = readinessOf({ name: 'database', look }, { name: 'ffmpeg' });
    readiness.phase = 'running';
    for (let round = 0; round < 3; round++) {
      const checked = readiness.check();
      await vi.advanceTimersByTimeAsync(999);
      // The others do not wait for it.
      expect(readiness.results.ffmpeg).toEqual({ ok: true });
      await vi.advanceTimersByTimeAsync(1);
      expect((await checked).database?.ok).toBe(false);
    }
    expect(look).toHaveBeenCalledTimes(1);
    expect(lines[0]?.reason).toBe('no answer within 1 s');
    const checked = readiness.check();
    answer();
    expect((await checked).database).toEqual({ ok: true });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keeps nobody from stopping, and takes a look that was given up for nothing', async () => {
    const readiness = readinessOf({ name: 'database', look: () => new Promise(() => {}) });
    const stop = new AbortController();
    const checked = readiness.check(stop.signal);
    stop.abort();
    expect(await checked).toEqual({ database: { ok: false, why: 'Not looked at yet.' } });
    expect(await readiness.check(stop.signal)).toEqual(await checked);
    expect(lines).toEqual([]);
  });
});
