import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replaceMedia } from '../../src/db/collections.ts';
import { unpackAside } from '../../src/guide/packed.ts';
import type { FragmentRequest } from '../../src/guide/render.ts';
import { WorkerPool } from '../../src/worker-pool.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aChannel, aCollection, aLibrary, countRows, day, hour, minute, rowsOf } from './station.ts';

function fragmentRequest(channelId: string, now: number): FragmentRequest {
  const settings = { days: 1, language: 'en', newDays: 0, episodeIcon: 'still' as const };
  return { ...settings, channelId, now, base: undefined, bases: [], known: new Map() };
}

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
    await replaceMedia(db, collection, [film]);
    const result = await pool.plan({ ...request, replace: 'beyond-freeze' });
    expect(result).toMatchObject({ status: 'ok', problems: [] });
    expect(result!.endsAt).toBe((await rowsOf(db, id)).at(-1)!.endsAt);
    const fragment = await pool.renderFragment(fragmentRequest(id, now));
    const packed = fragment!.pieces.map(({ content }) => content!.packed.deflated);
    expect((await unpackAside(packed)).toString()).toContain('The Film');
    const local = await pool.localise(packed, 'http://tv');
    expect((await unpackAside(local.map(({ deflated }) => deflated))).toString()).toContain('The Film');
    const known = new Map(fragment!.pieces.map(({ start, hash }) => [start, hash]));
    const again = await pool.renderFragment({ ...fragmentRequest(id, now), known });
    expect(again!.pieces.every(({ content }) => content === undefined)).toBe(true);
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect(await pool.renderFragment(fragmentRequest(nobody, now))).toBeUndefined();
  });

  it('goes on after a failure, and after a task was given up', async () => {
    const { db } = database;
    const bad = { channelId: 'no id', now: 0, until: 1, freezeMs: 0 };
    await expect(pool.plan(bad)).rejects.toThrow();
    const aborted = AbortSignal.timeout(0);
    const { id } = await aChannel(db, await aCollection(db, []));
    await expect(pool.renderFragment(fragmentRequest(id, Date.now()), aborted)).rejects.toThrow();
    const now = Date.now();
    await pool.plan({ channelId: id, now, until: now + day, freezeMs: hour });
    expect(await countRows(db, id)).toBe(1);
  });
});
