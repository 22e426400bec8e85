import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replaceMembers } from '../../src/db/collections.ts';
import { WorkerPool } from '../../src/worker-pool.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aChannel, aCollection, aLibrary, countRows, day, hour, minute, rowsOf } from './station.ts';

describe.each(databases)('the worker thread ($name)', ({ open }) => {
  let database: TestDatabase;
  let pool: WorkerPool;

  beforeAll(async () => {
    database = await open();
    pool = new WorkerPool(database.target, pino({ level: 'silent' }));
  });
  afterAll(async () => {
    await pool?.stop();
    await pool?.stop();
    await database?.stop();
  });

  it('plans over a connection of its own, and renders what it has planned', async () => {
    const { db } = database;
    const library = await aLibrary(db);
    const film = await library.file({ title: 'The Film', durationMs: 50 * minute });
    const collection = await aCollection(db, []);
    const { id } = await aChannel(db, collection);
    const now = Date.now();
    const request = { channelId: id, now, until: now + day, freezeMs: hour };
    expect(await pool.plan(request)).toMatchObject({ status: 'no_content' });
    await replaceMembers(db, collection, [film]);
    const result = await pool.plan({ ...request, replace: 'beyond-freeze' });
    expect(result).toMatchObject({ status: 'ok', problems: [] });
    expect(result!.endsAt).toBe((await rowsOf(db, id)).at(-1)!.endsAt);
    const guide = await pool.renderGuide({ now, days: 1, language: 'en' });
    expect(guide.channels).toBe(1);
    expect(Buffer.from(guide.body).toString()).toContain('The Film');
    expect(guide.body.byteOffset).toBe(0);
  });

  it('goes on after a failure, and after a task was given up', async () => {
    const { db } = database;
    const bad = { channelId: 'no id', now: 0, until: 1, freezeMs: 0 };
    await expect(pool.plan(bad)).rejects.toThrow();
    const aborted = AbortSignal.timeout(0);
    await expect(pool.renderGuide({ now: Date.now(), days: 1, language: 'en' }, aborted)).rejects.toThrow();
    const { id } = await aChannel(db, await aCollection(db, []));
    const now = Date.now();
    await pool.plan({ channelId: id, now, until: now + day, freezeMs: hour });
    expect(await countRows(db, id)).toBe(1);
  });
});
