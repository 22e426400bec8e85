import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UnavailableError } from '../../src/errors.ts';
import { nobody, type SpawnRefusal } from '../../src/streaming/observer.ts';
import { type Lease, ProcessPoolManager, SpawnRefusedError } from '../../src/streaming/process-pool.ts';
import { TokenBucket } from '../../src/streaming/token-bucket.ts';
import { eventually, isAlive, processesOf, script } from './processes.ts';

const never = new AbortController().signal;

interface LogLine {
  level: number;
  msg: string;
  pid?: number;
}

function poolOf(
  ffmpegPath: string,
  options: {
    max?: number;
    rate?: number;
    burst?: number;
    guard?: () => { reason: SpawnRefusal; message: string } | undefined;
  } = {},
) {
  const owner = randomUUID();
  const lines: LogLine[] = [];
  const log = pino(
    { level: 'debug', base: null },
    { write: (line) => void lines.push(JSON.parse(line) as LogLine) },
  );
  const bucket = new TokenBucket({ ratePerSecond: options.rate ?? 1000, burst: options.burst ?? 1000 });
  const pool = new ProcessPoolManager({
    bucket,
    log,
    max: options.max ?? 4,
    ffmpegPath,
    niceness: 0,
    owner,
    observer: nobody,
    guard: () => options.guard?.(),
  });
  onTestFinished(() => pool.stop());
  return { pool, owner, lines, bucket };
}

/** Waits until so many slots are taken. */
async function used(pool: ProcessPoolManager, slots: number): Promise<void> {
  while (pool.used > slots) await pool.slotFreed(AbortSignal.timeout(10_000));
  expect(pool.used).toBe(slots);
}

/** Sleeps as long as its argument says. */
const sleeper = () => script('exec sleep "$1"');

describe('a process pool', () => {
  it('starts nothing while its guard objects, and says why', async () => {
    let short = true;
    const guard = () => (short ? { reason: 'memory' as const, message: 'Only 3 MB are left.' } : undefined);
    const { pool } = poolOf(await sleeper(), { guard });
    expect(() => pool.admit('tune')).toThrow('Only 3 MB are left.');
    expect([pool.used, pool.refusals]).toEqual([0, 1]);
    short = false;
    pool.admit('tune').release();
    expect(pool.refusals).toBe(1);
  });

  it('never runs more than its maximum, however many ask', async () => {
    const { pool, owner } = poolOf(await sleeper(), { max: 3 });
    const leases: Lease[] = [];
    let refused = 0;
    for (let tune = 0; tune < 9; tune++) {
      try {
        leases.push(pool.admit('tune'));
      } catch (error) {
        expect(error).toMatchObject({ reason: 'pool-full' });
        expect(error).toBeInstanceOf(SpawnRefusedError);
        expect(error).toBeInstanceOf(UnavailableError);
        expect((error as UnavailableError).retryAfterSeconds).toBeGreaterThan(0);
        refused++;
      }
    }
    expect(refused).toBe(6);
    expect(pool.refusals).toBe(6);
    await Promise.all(leases.map((lease) => lease.spawn(['1000'], never)));
    expect((await processesOf(owner)).sort()).toEqual([...pool.pids].sort());
    expect(await processesOf(owner)).toHaveLength(3);
    leases[0]!.release();
    // The slot is free when the process is gone, not before.
    expect(() => pool.admit('too early')).toThrow(/encoders are in use/);
    await used(pool, 2);
    expect(await processesOf(owner)).toHaveLength(2);
    pool.admit('in time').release();
  });

  it('gets a slot back when its process ends by itself', async () => {
    const { pool, lines } = poolOf(await sleeper());
    const process = await pool.admit('short').spawn(['0'], never);
    expect(pool.used).toBe(1);
    expect(await process.exited).toEqual({ kind: 'finished' });
    expect(pool.used).toBe(0);
    expect(lines.filter(({ level }) => level > 20)).toEqual([]);
  });

  it('gets a slot back when somebody else kills the process, and calls that no error', async () => {
    const { pool, owner, lines } = poolOf(await sleeper());
    const encoder = await pool.admit('victim').spawn(['1000'], never);
    process.kill(encoder.pid!, 'SIGKILL');
    await used(pool, 0);
    expect(await processesOf(owner)).toEqual([]);
    expect(lines.filter(({ pid }) => pid === encoder.pid).map(({ level, msg }) => [level, msg])).toEqual([
      [30, 'the encoder was killed from outside'],
    ]);
  });

  it('gets a slot back when the waiter for a token has gone', async () => {
    const { pool } = poolOf(await sleeper(), { rate: 0.1, burst: 1 });
    await pool.admit('first').spawn(['1000'], never);
    const leaving = new AbortController();
    const waiting = pool.admit('second').spawn(['1000'], leaving.signal);
    expect(pool.used).toBe(2);
    leaving.abort(new Error('the viewer has left'));
    await expect(waiting).rejects.toThrow('the viewer has left');
    expect(pool.used).toBe(1);
    expect(pool.spawns).toBe(1);
  });

  it('gets a slot back when it is released while it waits for a token', async () => {
    const { pool } = poolOf(await sleeper(), { rate: 0.1, burst: 1 });
    await pool.admit('first').spawn(['1000'], never);
    const lease = pool.admit('second');
    const waiting = lease.spawn(['1000'], never);
    lease.release();
    await expect(waiting).rejects.toMatchObject({ reason: 'stopping' });
    expect(pool.used).toBe(1);
  });

  it('gets a slot back when it was never used', async () => {
    const { pool } = poolOf(await sleeper());
    const lease = pool.admit('nothing');
    lease.release();
    lease.release();
    expect(pool.used).toBe(0);
  });

  it('gets a slot back when there is no such executable', async () => {
    const { pool, lines } = poolOf('/nowhere/ffmpeg');
    const process = await pool.admit('hopeless').spawn([], never);
    expect(await process.exited).toMatchObject({ kind: 'failed' });
    expect(pool.used).toBe(0);
    expect(lines.some(({ level }) => level === 40)).toBe(true);
  });

  it('gets a slot back when the system refuses to start the process', async () => {
    const { pool } = poolOf('/bin/true');
    const lease = pool.admit('hopeless');
    const outcome = await lease.spawn(['x'.repeat(200_000)], never).then(
      (process) => process.exited,
      () => 'rejected',
    );
    expect(outcome).toBeDefined();
    lease.release();
    expect(pool.used).toBe(0);
  });

  it('lends a slot once, even if it is released twice', async () => {
    const { pool } = poolOf(await sleeper(), { max: 1 });
    const lease = pool.admit('first');
    await lease.spawn(['1000'], never);
    lease.release();
    await used(pool, 0);
    const other = pool.admit('second');
    lease.release();
    expect(pool.used).toBe(1);
    expect(() => pool.admit('third')).toThrow(/encoders are in use/);
    other.release();
  });

  it('starts no more than burst and rate in a second, in order', async () => {
    const { pool } = poolOf(await sleeper(), { max: 12, rate: 20, burst: 4 });
    const order: number[] = [];
    const begun = performance.now();
    const starts = Array.from({ length: 12 }, (_, index) =>
      pool
        .admit(`tune ${index}`)
        .spawn(['1000'], never)
        .then(() => order.push(index)),
    );
    await Promise.all(starts);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(performance.now() - begun).toBeGreaterThan((1000 * (12 - 4 - 1)) / 20);
  });

  it('has all its slots again after two hundred random operations, and no process', async () => {
    const seed = Number(process.env.AIRCHECK_TEST_SEED ?? Date.now() % 2 ** 31);
    const random = mulberry32(seed);
    const { pool, owner } = poolOf(await script('[ "$1" = fail ] && exit 4', 'exec sleep "$1"'), {
      max: 5,
      rate: 200,
      burst: 3,
    });
    const held: { lease: Lease; leave: AbortController }[] = [];
    const started: Promise<unknown>[] = [];
    const pick = () => held[Math.floor(random() * held.length)];
    let most = 0;
    const begin = () => {
      if (pool.used === pool.max) return;
      const entry = { lease: pool.admit('random'), leave: new AbortController() };
      held.push(entry);
      if (random() < 0.1) return;
      const duration = ['1000', '1000', '0.01', 'fail'][Math.floor(random() * 4)]!;
      started.push(entry.lease.spawn([duration], entry.leave.signal).catch(() => {}));
    };
    const killOne = () => {
      const pid = pool.pids[Math.floor(random() * pool.pids.length)];
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    };
    const pause = () => new Promise((resolve) => setTimeout(resolve, random() * 8));
    const release = () => pick()?.lease.release();
    const leave = () => pick()?.leave.abort(new Error('left'));
    const operations = [begin, begin, begin, begin, pause, pause, release, leave, killOne];
    for (let step = 0; step < 200; step++) {
      await operations[Math.floor(random() * operations.length)]!();
      const running = (await Promise.all(pool.pids.map(isAlive))).filter(Boolean).length;
      most = Math.max(most, running);
      expect(running, `seed ${seed}`).toBeLessThanOrEqual(5);
    }
    expect(most, `seed ${seed}`).toBeGreaterThan(2);
    for (const { lease } of held) lease.release();
    await Promise.all(started);
    await used(pool, 0);
    expect(await processesOf(owner), `seed ${seed}`).toEqual([]);
    const full = Array.from({ length: 5 }, () => pool.admit('all of them'));
    expect(() => pool.admit('one too many')).toThrow(/encoders are in use/);
    for (const lease of full) lease.release();
  });

  it('stops when every process is gone, and hands out nothing after', async () => {
    const { pool, owner } = poolOf(
      await script("trap '' TERM", 'echo ready', 'while :; do sleep 1000; done'),
      { rate: 100, burst: 2 },
    );
    const running = await Promise.all(
      [pool.admit('a'), pool.admit('b')].map((lease) => lease.spawn([], never)),
    );
    await Promise.all(running.map((encoder) => once(encoder.stdout, 'data')));
    const unused = pool.admit('c');
    const waiting = pool.admit('d').spawn([], AbortSignal.timeout(60_000));
    const outcome = expect(waiting).rejects.toMatchObject({ reason: 'stopping' });
    await pool.stop();
    expect(running.map((encoder) => encoder.exit?.kind)).toEqual(['killed', 'killed']);
    await outcome;
    // What they had started dies with them, but is not theirs to wait for.
    await eventually('nothing is left', async () => (await processesOf(owner)).length === 0);
    expect(pool.used).toBe(0);
    expect(() => pool.admit('late')).toThrow('The server is stopping.');
    unused.release();
    await pool.stop();
  });
});

/** A small random generator, so that a run can be repeated: its seed is in the message of a failure. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
