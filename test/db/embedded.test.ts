import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Worker } from 'node:worker_threads';
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect, type OpenOptions, openDatabase } from '../../src/db/connection.ts';
import { lockDataFolder } from '../../src/db/data-lock.ts';
import { settings } from '../../src/db/schema.ts';

let folder: string;
const running = new Set<ChildProcess>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aircheck-data-'));
});

afterEach(async () => {
  for (const child of running) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  running.clear();
  rmSync(folder, { recursive: true, force: true });
});

const open = (options: Partial<OpenOptions> = {}) =>
  openDatabase({ dataFolder: folder, log: pino({ level: 'silent' }), ...options });

describe('the embedded database', { timeout: 120_000 }, () => {
  it('keeps its rows, and is migrated once', async () => {
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const began = performance.now();
      const database = await open();
      times.push(Math.round(performance.now() - began));
      await database.db.insert(settings).values({ key: `round ${round}`, value: round });
      expect(await database.db.$count(settings)).toBe(round + 1);
      const [row] = await database.sql`select count(*)::int as n from drizzle.__drizzle_migrations`;
      const [distinct] =
        await database.sql`select count(distinct hash)::int as n from drizzle.__drizzle_migrations`;
      expect(row?.n).toBe(distinct?.n);
      await Promise.all([database.stop(), database.stop()]);
    }
    console.log(
      `first start from the template ${times[0]} ms, later ones ${times.slice(1).join(' and ')} ms`,
    );
    expect(readdirSync(folder)).toEqual(['pgdata']);
  });

  it('starts without a template too', async () => {
    const database = await open({ templateFolder: join(folder, 'none') });
    expect(await database.db.$count(settings)).toBe(0);
    await database.stop();
  });

  it('holds no database but its own: what initdb makes for others is most of its files', async () => {
    for (const templateFolder of [undefined, join(folder, 'none')]) {
      const database = await open(templateFolder === undefined ? {} : { templateFolder });
      expect(await database.sql`select datname from pg_database`).toEqual([{ datname: 'postgres' }]);
      await database.stop();
      expect(readdirSync(join(folder, 'pgdata/base'))).toHaveLength(1);
      rmSync(join(folder, 'pgdata'), { recursive: true });
    }
  });

  it('learns by itself what its tables have become', async () => {
    const database = await open();
    const rows = (length: number, name: string) =>
      Array.from({ length }, (_, i) => ({ key: `${name} ${i}`, value: i }));
    const known = ({ sql } = database) =>
      sql`select reltuples::int as rows from pg_class where relname = 'settings'`;
    await database.db.insert(settings).values(rows(1_000, 'early'));
    expect(await known()).toEqual([{ rows: 0 }]);
    await vi.waitFor(async () => expect(await known()).toEqual([{ rows: 1_000 }]), { timeout: 30_000 });
    // Also when it is ended before it comes to that.
    await database.db.insert(settings).values(rows(10_000, 'late'));
    await database.stop();
    const again = await open();
    expect(await known(again)).toEqual([{ rows: 11_000 }]);
    await again.stop();
  });

  it('takes no half-made folder for whole', async () => {
    mkdirSync(join(folder, 'pgdata.new/base'), { recursive: true });
    writeFileSync(join(folder, 'pgdata.new/PG_VERSION'), '18\n');
    const database = await open();
    expect(await database.db.$count(settings)).toBe(0);
    await database.stop();
    expect(existsSync(join(folder, 'pgdata.new'))).toBe(false);
  });

  it('says so when the folder holds something else', async () => {
    mkdirSync(join(folder, 'pgdata'));
    writeFileSync(join(folder, 'pgdata/holiday.jpg'), '');
    await expect(open()).rejects.toThrow(/pgdata does not start: .*move them away/);
    // The lock is given back.
    await (await lockDataFolder(folder)).release();
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const deep = join(folder, 'a'.repeat(100), 'ü'.repeat(20));
    const database = await open({ dataFolder: deep });
    await expect(open({ dataFolder: deep })).rejects.toThrow(/in use by another server/);
    const other = connect(database.target);
    expect(await other.db.$count(settings)).toBe(0);
    await other.stop();
    await database.stop();
  });

  it('is refused to a second server, which names the first one', async () => {
    const { child } = await writer(folder);
    await expect(open()).rejects.toThrow(
      `The data folder ${folder} is in use by another server (pid ${child.pid})`,
    );
  });

  it('loses no acknowledged row when the server is killed, and starts again at once', async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const { child, lines } = await writer(folder, `${round}`);
      const enough = acknowledged.length + 20 + round * 37;
      for await (const line of lines) {
        acknowledged.push(line);
        if (acknowledged.length === enough) child.kill('SIGKILL');
      }
    }
    const database = await open();
    const kept = new Set((await database.db.select({ key: settings.key }).from(settings)).map((r) => r.key));
    expect(acknowledged.filter((key) => !kept.has(key))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(100);
    // Whole transactions only: of each there are three rows or none.
    const parts = [...kept].filter((key) => key.includes('/')).map((key) => key.split('/')[0]!);
    for (const name of new Set(parts)) expect(parts.filter((part) => part === name)).toHaveLength(3);
    await database.stop();
  });

  it('reports that it broke down, and is there again', async () => {
    const workers: Worker[] = [];
    const note = (worker: Worker) => void workers.push(worker);
    process.on('worker', note);
    const failures: Error[] = [];
    const database = await open({ onFailure: (error) => failures.push(error) });
    process.off('worker', note);
    await database.db.insert(settings).values({ key: 'before', value: 1 });
    await workers[0]!.terminate();
    await expect.poll(() => database.db.$count(settings).catch(() => undefined), { timeout: 20_000 }).toBe(1);
    expect(failures).toHaveLength(1);
    await database.db.delete(settings).where(eq(settings.key, 'before'));
    await database.stop();
  });
});

describe('the lock of a data folder', { timeout: 120_000 }, () => {
  it('is free again when its owner was killed', async () => {
    const { child } = await writer(folder);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const began = performance.now();
    const lock = await lockDataFolder(folder);
    expect(performance.now() - began).toBeLessThan(500);
    await lock.release();
    await lock.release();
  });

  it('is given to one of many who find a stale one', async () => {
    const { child } = await writer(folder);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFolder(folder)));
    const taken = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(taken).toHaveLength(1);
    await taken[0]!.value.release();
    await (await lockDataFolder(folder)).release();
  });
});

/** A server of its own that writes rows and prints the key of each when it has been acknowledged. */
async function writer(
  dataFolder: string,
  name = 'x',
): Promise<{ child: ChildProcess; lines: AsyncIterable<string> }> {
  const source = `
    import { writeSync } from 'node:fs';
    const { openDatabase } = await import(${JSON.stringify(new URL('../../dist/db/connection.js', import.meta.url).href)});
    const log = { debug() {}, info() {}, warn() {}, error: console.error };
    const { sql } = await openDatabase({ dataFolder: ${JSON.stringify(dataFolder)}, log });
    const insert = (on, key) => on\`insert into settings (key, value) values (\${key}, '1')\`;
    writeSync(1, 'ready\\n');
    for (let i = 0; ; i++) {
      const key = '${name}-' + i;
      await insert(sql, key);
      writeSync(1, key + '\\n');
      if (i % 10 === 0) await sql.begin(async (tx) => {
        for (const part of ['a', 'b', 'c']) await insert(tx, key + 't/' + part);
      });
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const lines = createInterface({ input: child.stdout });
  const iterator = lines[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.value !== 'ready') throw new Error('the writer did not start');
  return { child, lines: { [Symbol.asyncIterator]: () => iterator } };
}
