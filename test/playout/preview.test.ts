import { getTableName, is, sql } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCollection } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import * as schema from '../../src/db/schema.ts';
import { planChannel } from '../../src/playout/plan-channel.ts';
import type { PreviewRequest } from '../../src/playout/preview.ts';
import type { Schedule, Slot } from '../../src/schedule/types.ts';
import { WorkerPool } from '../../src/worker-pool.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aChannel, aCollection, aLibrary, day, hour, minute, t0 } from './station.ts';

describe.each(databases)('a preview ($name)', ({ open }) => {
  let database: TestDatabase;
  let db: Database;
  let pool: WorkerPool;
  let id: string;
  let collection: string;
  let other: string;
  const now = t0 + 5 * hour + 5 * minute;

  beforeAll(async () => {
    database = await open();
    db = database.db;
    pool = new WorkerPool(database.target, pino({ level: 'silent' }));
    const library = await aLibrary(db);
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) ids.push(await library.file({ title: `Film ${n}`, durationMs: 20 * minute }));
    collection = await aCollection(db, ids.slice(0, 5));
    other = await aCollection(db, ids.slice(5));
    id = (await aChannel(db, collection)).id;
    await planChannel(db, { channelId: id, now: t0, until: t0 + 3 * day, freezeMs: 2 * hour });
  });
  afterAll(async () => {
    await pool?.stop();
    await database?.stop();
  });

  const preview = async (slots: object[], more: Partial<PreviewRequest> = {}) => {
    const request = { channelId: id, now, freezeMs: 2 * hour, edition: 1, limit: 500, offset: 0 };
    const found = await pool.preview({ ...request, schedule: { slots } as Schedule, ...more });
    if (found === undefined) throw new Error('there is no such channel');
    return found;
  };
  const same = () => [{ id: 'all', play: collection, order: 'custom', mode: 'flood' }];
  const another = () => [{ id: 'new', play: other, order: 'custom', mode: 'flood' }];

  it('changes no row of any table', async () => {
    const before = await everything();
    expect(before.length).toBeGreaterThan(10);
    await preview(another(), { from: 'now', to: now + 14 * day, zone: 'Asia/Kathmandu', seed: 5 });
    await preview(another(), { from: now - 2 * hour });
    await preview(same());
    expect(await everything()).toEqual(before);
    // The thread is started for it.
  }, 90_000);

  it('begins beyond what is frozen, after the programme on air, or at the first joint after an instant', async () => {
    const at = async (from?: PreviewRequest['from']) =>
      ((await preview(same(), { from })).from - t0) / minute;
    expect(await at()).toBe(440);
    expect(await at('now')).toBe(320);
    expect(await at(now + 10 * hour)).toBe(920);
    expect(await at(t0 - day)).toBe(0);
  });

  it('finds no difference where the schedule is the same, wherever it begins and however far it reaches', async () => {
    for (const more of [{}, { from: 'now' as const }, { from: t0 + hour }, { to: now + 14 * day }]) {
      const { difference, items, gone, total } = await preview(same(), more);
      expect(difference).toMatchObject({ added: 0, removed: 0 });
      expect(difference).not.toHaveProperty('firstAt');
      expect(gone).toEqual([]);
      const compared = items.filter(({ startsAt }) => startsAt < difference.to);
      expect(compared.every(({ stored }) => stored)).toBe(true);
      expect(total).toBeGreaterThanOrEqual(difference.unchanged);
    }
  });

  it('tells the difference item by item, page by page', async () => {
    const first = await preview(another(), { to: t0 + 10 * hour, limit: 4 });
    expect(first.difference).toMatchObject({ added: 8, removed: 8, unchanged: 0, firstAt: first.from });
    expect(first.total).toBe(8);
    const pages = [first, await preview(another(), { to: t0 + 10 * hour, limit: 4, offset: 4 })];
    for (const [index, { items, gone }] of pages.entries()) {
      expect(items.map(({ media }) => media?.title)).toEqual(Array(4).fill('Film 5'));
      expect(gone).toHaveLength(4);
      expect(gone[0]!.startsAt).toBe(first.from + index * 80 * minute);
    }
  });

  it('says what of a schedule cannot be, by the names of things', async () => {
    const empty = await createCollection(db, { name: 'Nothing here', kind: 'manual' });
    const slots: Partial<Slot>[] = [
      { id: 'a', play: empty.id, order: 'custom', mode: 'one' },
      { id: 'b', play: other, order: 'custom', mode: 'duration', duration: 'PT10M' },
      { id: 'c', play: collection, order: 'custom', mode: 'one' },
    ];
    const { problems } = await preview(slots);
    expect(problems.map(({ message }) => message)).toEqual([
      'collection "Nothing here" is empty',
      expect.stringMatching(/^media "Film 5" lasts 20 minutes, and there is room for 10 minutes$/),
    ]);
  });

  it('refuses a time that is over before the schedule would begin', async () => {
    await expect(preview(same(), { to: now + hour })).rejects.toThrow(/would begin at 2026-03-07T13:20/);
    expect(await pool.preview({ ...request('00000000-0000-4000-8000-000000000000') })).toBeUndefined();
  });

  function request(channelId: string): PreviewRequest {
    const schedule = { slots: same() } as Schedule;
    return { channelId, now, schedule, freezeMs: 0, edition: 1, limit: 1, offset: 0 };
  }

  /** All rows of all tables. */
  async function everything(): Promise<unknown[]> {
    const tables = Object.values(schema).filter((table) => is(table, PgTable));
    return await Promise.all(
      tables.map(async (table) => {
        const rows = await db.execute(
          sql`select to_jsonb(t) as row from ${table} t order by to_jsonb(t)::text`,
        );
        return [getTableName(table), [...rows]];
      }),
    );
  }
});
