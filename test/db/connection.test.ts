import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { and, asc, eq, sql as statement } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Connection, connect } from '../../src/db/connection.ts';
import { channels, libraries, media, playoutItems, profiles, settings } from '../../src/db/schema.ts';
import { DatabaseError } from '../../src/errors.ts';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import { databases, type TestDatabase } from '../support/databases.ts';

describe.each(databases)('the $name database', ({ name: kind, open }) => {
  let database: TestDatabase;
  let channelId: string;
  const connections: Connection[] = [];

  beforeAll(async () => {
    database = await open();
    channelId = await insertChannel(database);
  });

  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.stop()));
    await database?.stop();
  });

  /** A connection of one's own, as another thread would have it. */
  function another(): Connection {
    const connection = connect(database.target, { max: 1 });
    connections.push(connection);
    return connection;
  }

  const item = (startsAt: number, endsAt: number) => ({
    channelId,
    startsAt,
    endsAt,
    kind: 'offline' as const,
  });

  it('refuses two items of a channel that overlap, and allows them to touch', async () => {
    const at = Date.UTC(2030, 0, 1);
    await database.db.insert(playoutItems).values([item(at, at + 1_000), item(at + 1_000, at + 2_000)]);
    await expect(database.db.insert(playoutItems).values(item(at + 1_999, at + 3_000))).rejects.toMatchObject(
      {
        cause: { code: '23P01', constraint_name: 'playout_items_no_overlap' },
      },
    );
    const overlaps = [
      [item(at - 500, at + 1)],
      [item(at - 500, at + 9_000)],
      [item(at + 200, at + 300)],
      [item(at, at + 1_000)],
      [item(at + 4_000, at + 5_000), item(at + 4_999, at + 6_000)],
      [item(at + 2_000, at + 3_000), item(at + 500, at + 600)],
    ];
    for (const items of overlaps) {
      await expect(database.db.insert(playoutItems).values(items)).rejects.toThrow(/at the same time/);
    }
    const first = and(eq(playoutItems.channelId, channelId), eq(playoutItems.startsAt, at));
    await expect(
      database.db
        .update(playoutItems)
        .set({ endsAt: at + 1_001 })
        .where(first),
    ).rejects.toThrow(/at the same time/);
    await expect(database.db.insert(playoutItems).values(item(at + 5_000, at + 5_000))).rejects.toThrow();
    expect(await database.db.$count(playoutItems, eq(playoutItems.channelId, channelId))).toBe(2);
  });

  it('refuses them also to two writers who do not see yet what the other one does', async () => {
    const at = Date.UTC(2032, 0, 1);
    const write = ({ db }: Connection, slot: string) =>
      db.transaction(async (tx) => {
        await tx.insert(playoutItems).values({ ...item(at, at + 1_000), slot });
        await delay(200);
      });
    const writes = [write(another(), 'one'), write(another(), 'other')];
    const outcomes = (await Promise.allSettled(writes)).map(({ status }) => status).sort();
    expect(outcomes).toEqual(['fulfilled', 'rejected']);
  });

  it('keeps statements that come again where it is our own, and none where a pooler may be between', async () => {
    const connection = another();
    const ask = (text: string) => connection.sql.unsafe(text, ['x']);
    for (const text of ['again', 'again', 'again', 'once']) await ask(`select $1::text as ${text}`);
    const kept = await connection.sql`
      select statement from pg_prepared_statements where statement ~ '^select .1::text as (again|once)$'`;
    expect(kept.map(({ statement }) => statement)).toEqual(
      kind === 'embedded' ? ['select $1::text as again'] : [],
    );
  });

  it('gives an instant back to the millisecond', async () => {
    const instants = [-1, 0, 1, 999, Date.UTC(2031, 5, 1, 12, 30, 59, 123), 4_102_444_799_999];
    for (const [index, startsAt] of instants.entries()) {
      const endsAt = startsAt + 1;
      await database.db.insert(playoutItems).values({ ...item(startsAt, endsAt), slot: `instant-${index}` });
      const [row] = await database.db
        .select()
        .from(playoutItems)
        .where(eq(playoutItems.slot, `instant-${index}`));
      expect([row?.startsAt, row?.endsAt]).toEqual([startsAt, endsAt]);
    }
  });

  it('keeps lists and documents as they are', async () => {
    const [library] = await database.db
      .insert(libraries)
      .values({ name: 'Films', path: '/films' })
      .returning({ id: libraries.id });
    const genres = ['Drama', 'Science, fiction', 'a "quoted" one', 'ü\\'];
    await database.db.insert(media).values({
      libraryId: library!.id,
      path: 'ü/a.mkv',
      size: 2 ** 40,
      mtimeMs: 1_700_000_000_123,
      state: 'ready',
      kind: 'movie',
      title: 'A',
      genres,
    });
    await database.db.insert(settings).values({ key: 'document', value: { a: [1, null, 'x'], b: 'ü"' } });
    const [film] = await database.db.select().from(media);
    const [setting] = await database.db.select().from(settings).where(eq(settings.key, 'document'));
    expect(film).toMatchObject({ genres, size: 2 ** 40, mtimeMs: 1_700_000_000_123 });
    expect(setting?.value).toEqual({ a: [1, null, 'x'], b: 'ü"' });
  });

  it('keeps transactions of several connections apart', async () => {
    const [first, second, third] = [another(), another(), another()];
    await database.db.insert(settings).values([
      { key: 'shared', value: 0 },
      { key: 'other', value: 0 },
    ]);
    const add = async ({ db }: Connection, times: number) => {
      for (let i = 0; i < times; i++) {
        const attempt = db.transaction(async (tx) => {
          const [row] = await tx
            .select({ value: settings.value })
            .from(settings)
            .where(eq(settings.key, 'shared'))
            .for('update');
          await tx
            .update(settings)
            .set({ value: Number(row?.value) + 1 })
            .where(eq(settings.key, 'shared'));
          if (i % 5 === 4) throw new Error('changed my mind');
        });
        await (i % 5 === 4 ? expect(attempt).rejects.toThrow('changed my mind') : attempt);
      }
    };
    const disturb = async ({ db }: Connection, times: number) => {
      for (let i = 0; i < times; i++) {
        await db
          .update(settings)
          .set({ value: statement`to_jsonb((${settings.value})::int + 1)` })
          .where(eq(settings.key, 'other'));
      }
    };
    await Promise.all([add(first, 40), add(second, 40), disturb(third, 60), disturb(database, 60)]);
    const rows = await database.db
      .select()
      .from(settings)
      .where(statement`${settings.key} in ('shared', 'other')`)
      .orderBy(asc(settings.key));
    expect(rows).toEqual([
      { key: 'other', value: 120 },
      { key: 'shared', value: 64 },
    ]);
  });

  it('answers every connection with its own result', async () => {
    const ask = async ({ sql }: Connection, name: string) => {
      for (let i = 0; i < 100; i++) {
        const [row] = await sql.unsafe(`select $1::text || '-${name}' as answer`, [`${i}`]);
        expect(row?.answer).toBe(`${i}-${name}`);
        if (i % 10 === 0)
          await expect(sql.unsafe(`select nothing_${name}`)).rejects.toThrow(`nothing_${name}`);
      }
    };
    await Promise.all([ask(another(), 'a'), ask(another(), 'b'), ask(database, 'c'), ask(database, 'd')]);
  });

  it('does not show what a transaction has not committed', async () => {
    const other = another();
    let seenMeanwhile: Promise<number> | undefined;
    await expect(
      database.db.transaction(async (tx) => {
        await tx.insert(settings).values({ key: 'never', value: 1 });
        seenMeanwhile = other.db.$count(settings, eq(settings.key, 'never')).then(Number);
        // On the embedded database the other connection waits for its turn.
        await tx.execute(statement`select 1`);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await seenMeanwhile).toBe(0);
  });

  it('does not commit what a transaction has failed at, even if its function has passed over it', async () => {
    const passedOver = database.db.transaction(async (tx) => {
      await tx.insert(settings).values({ key: 'half', value: 1 });
      await tx.execute(statement`select nothing`).catch(() => {});
    });
    await expect(passedOver).rejects.toMatchObject({ name: 'DatabaseError', code: '42703' });
    expect(await database.db.$count(settings, eq(settings.key, 'half'))).toBe(0);
  });

  it('takes no statement for a transaction that is over', async () => {
    let late: Promise<unknown> | undefined;
    await database.sql.begin(async (tx) => {
      await tx`select 1`;
      late = new Promise((resolve) => setTimeout(resolve, 100)).then(async () => await tx`select 1`);
    });
    await expect(late).rejects.toThrow('after the end of its transaction');
  });

  it('undoes what came after a savepoint, and keeps the rest', async () => {
    await database.db.transaction(async (tx) => {
      await tx.insert(settings).values({ key: 'outer', value: 1 });
      const inner = tx.transaction(async (nested) => {
        await nested.insert(settings).values({ key: 'inner', value: 1 });
        throw new Error('only this');
      });
      await expect(inner).rejects.toThrow('only this');
      await tx.transaction(async (nested) => {
        await nested.insert(settings).values({ key: 'second', value: 1 });
      });
    });
    const rows = await database.db.select({ key: settings.key }).from(settings);
    const keys = rows.map(({ key }) => key);
    expect(keys).toEqual(expect.arrayContaining(['outer', 'second']));
    expect(keys).not.toContain('inner');
  });

  it('says what failed and why, and shows no values', async () => {
    const insert = database.db.insert(settings).values({ key: 'secret-key', value: 'secret-value' });
    await insert;
    const error = await database.db
      .insert(settings)
      .values({ key: 'secret-key', value: 'secret-value' })
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(error).toBeInstanceOf(DatabaseError);
    expect(error).toMatchObject({
      operation: 'adding to settings',
      fault: 'refused',
      code: '23505',
      cause: { name: 'PostgresError' },
    });
    expect((error as Error).message).not.toContain('secret');
  });

  it('rolls back the transaction of a connection that goes away, and serves the others', async () => {
    const { target } = database;
    const leaving =
      'url' in target
        ? postgres(target.url, { max: 1 })
        : postgres({ path: target.socket, user: 'postgres', database: 'postgres', max: 1 });
    const reserved = await leaving.reserve();
    await reserved`begin`;
    await reserved`insert into settings (key, value) values ('abandoned', '1')`;
    const waiting = another().db.insert(settings).values({ key: 'abandoned', value: 2 });
    await leaving.end({ timeout: 0 });
    await waiting;
    const rows = await database.db.select().from(settings).where(eq(settings.key, 'abandoned'));
    expect(rows).toEqual([{ key: 'abandoned', value: 2 }]);
  });

  it('serves a worker thread', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then(async ({ connect }) => {
        const { sql, stop } = connect(workerData.target, { max: 1 });
        const [row] = await sql\`select number from channels\`;
        await stop();
        parentPort.postMessage(row.number);
      });`;
    const worker = new Worker(source, {
      eval: true,
      execArgv: [],
      workerData: {
        target: database.target,
        module: new URL('../../dist/db/connection.js', import.meta.url).href,
      },
    });
    const number = await new Promise((done, fail) => {
      worker.once('message', done);
      worker.once('error', fail);
    });
    expect(number).toBe('1');
  });

  it('takes thousands of rows in one transaction', async () => {
    const at = Date.UTC(2040, 0, 1);
    await database.db.transaction(async (tx) => {
      for (let chunk = 0; chunk < 3; chunk++) {
        const rows = Array.from({ length: 1_000 }, (_, i) => chunk * 1_000 + i);
        await tx
          .insert(playoutItems)
          .values(rows.map((i) => ({ ...item(at + i * 1_000, at + (i + 1) * 1_000), slot: 'bulk' })));
      }
    });
    expect(await database.db.$count(playoutItems, eq(playoutItems.slot, 'bulk'))).toBe(3_000);
  });

  it('may be stopped twice', async () => {
    const connection = another();
    await connection.sql`select 1`;
    await Promise.all([connection.stop(), connection.stop()]);
    await connection.stop();
  });
});

async function insertChannel({ db }: TestDatabase): Promise<string> {
  const { name, spec } = shippedProfiles[0]!;
  const [profile] = await db.insert(profiles).values({ name, spec }).returning({ id: profiles.id });
  const [channel] = await db
    .insert(channels)
    .values({ number: '1', name: 'One', guideId: 'one', profileId: profile!.id, schedule: { slots: [] } })
    .returning({ id: channels.id });
  return channel!.id;
}
