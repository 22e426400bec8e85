import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteChannel, updateChannel } from '../../src/db/channels.ts';
import { replaceMedia } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { insertRows } from '../../src/db/playout.ts';
import { channels, playoutCheckpoints, playoutItems } from '../../src/db/schema.ts';
import { unpacked } from '../../src/playout/cursor-log.ts';
import {
  type PlanChannelRequest,
  type PlanChannelResult,
  planChannel,
} from '../../src/playout/plan-channel.ts';
import { plan } from '../../src/schedule/plan.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import {
  aChannel,
  aCollection,
  aLibrary,
  countRows,
  day,
  holes,
  hour,
  minute,
  type Row,
  rowsOf,
  t0,
} from './station.ts';

describe.each(databases)('planning a channel ($name)', ({ name, open }) => {
  let database: TestDatabase;
  let db: Database;

  beforeAll(async () => {
    database = await open();
    db = database.db;
  });
  afterAll(async () => {
    await database?.stop();
  });

  const planned = async (
    channelId: string,
    request: Partial<PlanChannelRequest> = {},
    planner = plan,
  ): Promise<PlanChannelResult> => {
    const now = request.now ?? t0;
    const whole = { channelId, now, until: now + 2 * day, freezeMs: 2 * hour, ...request };
    return (await planChannel(db, whole, { planner }))!;
  };

  const tenEpisodes = async (durationMs = 25 * minute) => {
    const library = await aLibrary(db);
    const ids: string[] = [];
    for (let n = 0; n < 10; n++) ids.push(await library.file({ title: `Episode ${n}`, durationMs }));
    const collection = await aCollection(db, ids);
    const channel = await aChannel(db, collection);
    return { library, ids, collection, channel, id: channel.id };
  };

  it('covers the horizon from now on without a hole', async () => {
    const { id, ids } = await tenEpisodes();
    const result = await planned(id, { now: t0 + 345 });
    const rows = await rowsOf(db, id);
    expect(holes(rows)).toEqual([]);
    expect(rows[0]).toMatchObject({ startsAt: t0, mediaId: ids[0], inMs: 0, outMs: 25 * minute });
    expect(rows.at(-1)!.endsAt).toBeGreaterThanOrEqual(t0 + 2 * day);
    expect(result).toMatchObject({ status: 'ok', added: rows.length, removed: 0, problems: [] });
    expect(result.endsAt).toBe(rows.at(-1)!.endsAt);
  });

  it('goes on where it was when it is extended, in the same order as one long plan', async () => {
    const { id, collection } = await tenEpisodes();
    const other = await aChannel(db, collection);
    for (const hours of [7, 20, 21, 45]) await planned(id, { until: t0 + hours * hour });
    await planned(other.id, { until: t0 + 45 * hour });
    const [steps, whole] = [await rowsOf(db, id), await rowsOf(db, other.id)];
    expect(holes(steps)).toEqual([]);
    expect(steps.map(airing)).toEqual(whole.map(airing));
  });

  it('adds nothing when it is long enough', async () => {
    const { id } = await tenEpisodes();
    await planned(id);
    const before = await rowsOf(db, id);
    expect(await planned(id)).toMatchObject({ added: 0, removed: 0, changed: false, status: 'ok' });
    expect(await rowsOf(db, id)).toEqual(before);
  });

  it('restores the same timeline after its rows were deleted', async () => {
    const { id } = await tenEpisodes();
    await planned(id);
    const before = await rowsOf(db, id);
    const now = t0 + 5 * hour;
    await db.delete(playoutItems).where(eq(playoutItems.channelId, id));
    const result = await planned(id, { now, until: t0 + 2 * day });
    const after = await rowsOf(db, id);
    expect(result.added).toBe(after.length);
    expect(after[0]!.startsAt).toBeLessThanOrEqual(now);
    expect(after.map(airing)).toEqual(before.map(airing).slice(-after.length));
  });

  it('restores a hole at now, and what comes after stays what it was', async () => {
    const { id } = await tenEpisodes();
    await planned(id);
    const before = await rowsOf(db, id);
    const now = t0 + 5 * hour;
    await db.delete(playoutItems).where(eq(playoutItems.id, before.find((row) => row.endsAt > now)!.id));
    await planned(id, { now, until: t0 + 2 * day });
    const after = await rowsOf(db, id);
    expect(holes(after)).toEqual([]);
    expect(after.map(airing)).toEqual(before.map(airing));
  });

  it('starts at now after a long absence, with the cursors that it had', async () => {
    const { id, ids } = await tenEpisodes();
    await planned(id, { until: t0 + 30 * minute });
    const last = (await rowsOf(db, id)).at(-1)!;
    const now = last.endsAt + 10 * day;
    await planned(id, { now });
    const resumed = (await rowsOf(db, id)).find((row) => row.endsAt > now)!;
    expect(resumed.startsAt).toBe(now);
    expect(resumed.mediaId).toBe(ids[(ids.indexOf(last.mediaId!) + 1) % ids.length]);
  });

  it('leaves everything as it is when a rebuild finds nothing to change', async () => {
    const { id } = await tenEpisodes();
    await planned(id);
    const before = await rowsOf(db, id);
    const result = await planned(id, { replace: 'beyond-freeze' });
    expect(result).toMatchObject({ added: 0, removed: 0, changed: false });
    expect(await rowsOf(db, id)).toEqual(before);
  });

  it('replaces what is beyond the freeze horizon, and nothing before it', async () => {
    const { id, library, collection, ids } = await tenEpisodes();
    await planned(id);
    const before = await rowsOf(db, id);
    const extra = await library.file({ title: 'Extra', durationMs: 40 * minute });
    await replaceMedia(db, collection, [...ids.slice(0, 3), extra, ...ids.slice(3)]);
    const now = t0 + 10 * hour + 5 * minute;
    const result = await planned(id, { now, replace: 'beyond-freeze' });
    const after = await rowsOf(db, id);
    const frozen = before.filter((row) => row.startsAt < now + 2 * hour);
    expect(after.slice(0, frozen.length)).toEqual(frozen);
    expect(holes(after)).toEqual([]);
    const change = after.find((row) => row.mediaId === extra)!;
    // A quarter of an hour or an item later than the freeze at most, and then wherever it belongs.
    expect(change.startsAt).toBeLessThan(now + 2 * hour + 15 * minute + 11 * 25 * minute);
    expect(after.length - before.length).toBe(result.added - result.removed);
  });

  it('does not begin a list anew when it is edited', async () => {
    const { id, library, collection, ids } = await tenEpisodes();
    await planned(id);
    const now = t0 + 3 * hour + 1;
    await replaceMedia(db, collection, [...ids, await library.file({ title: 'New', durationMs: minute })]);
    await planned(id, { now, replace: 'beyond-freeze' });
    await planned(id, { now, replace: 'after-current' });
    const played = (await rowsOf(db, id)).slice(0, 11).map((row) => row.mediaId);
    expect(played.slice(0, 10)).toEqual(ids);
    expect(played[10]).not.toBe(ids[0]);
  });

  it('from now replaces all but the item on air, and repeats nothing', async () => {
    const { id, ids, collection } = await tenEpisodes(4 * minute);
    const other = await tenEpisodes(7 * minute);
    await planned(id);
    const now = t0 + 61 * minute;
    const current = (await rowsOf(db, id)).find((row) => row.endsAt > now)!;
    await updateChannel(db, id, {
      schedule: {
        slots: [
          { id: 'all', play: collection, order: 'custom', mode: 'multiple', count: 2 },
          { id: 'new', play: other.collection, order: 'custom', mode: 'one' },
        ],
      },
    });
    await planned(id, { now, replace: 'after-current' });
    const after = await rowsOf(db, id);
    expect(holes(after)).toEqual([]);
    const at = after.findIndex((row) => row.id === current.id);
    expect(at).toBeGreaterThan(0);
    const next = after.slice(at + 1, at + 7);
    expect(next.filter((row) => other.ids.includes(row.mediaId!))).toHaveLength(2);
    expect(next[0]!.guide).toBeGreaterThan(current.guide!);
    expect(ids).toContain(current.mediaId);
  });

  it('from now goes on with the next item, between two checkpoints too', async () => {
    const { id, ids, library, collection } = await tenEpisodes(4 * minute);
    await planned(id);
    const extra = await library.file({ title: 'Extra', durationMs: minute });
    await replaceMedia(db, collection, [...ids, extra]);
    const now = t0 + 57 * minute;
    await planned(id, { now, replace: 'after-current' });
    const next = (await rowsOf(db, id)).filter((row) => row.startsAt > now).slice(0, 8);
    expect(next.map((row) => row.mediaId)).toEqual([...ids.slice(5), extra, ids[0], ids[1]]);
  });

  it('never gives two neighbours the same guide entry by an edit', async () => {
    const { id } = await tenEpisodes(10 * minute);
    const other = await tenEpisodes(10 * minute);
    await planned(id);
    const slots = [{ id: 'new', play: other.collection, order: 'custom' as const, mode: 'flood' as const }];
    await updateChannel(db, id, { schedule: { slots } });
    const now = t0 + 45 * minute;
    const checkpoints = (await checkpointsOf(id)).map(({ at }) => at - t0);
    expect(checkpoints.slice(0, 4)).toEqual([0, 10 * minute, 20 * minute, 30 * minute]);
    await planned(id, { now, replace: 'after-current' });
    const rows = await rowsOf(db, id);
    expect(rows[5]).toMatchObject({ startsAt: t0 + 50 * minute, mediaId: other.ids[0] });
    expect(rows.map((row) => row.guide)).toEqual(rows.map((_, index) => index + 1));
  });

  // Only there do two transactions of a test overlap.
  if (name === 'postgres')
    it('waits for another planner of the channel, and plans again from what that one did', async () => {
      const { id, ids, collection } = await tenEpisodes();
      await planned(id);
      await replaceMedia(db, collection, ids.slice(5));
      const now = t0 + hour;
      let second: Promise<unknown> = Promise.resolve();
      await db.transaction(async (tx) => {
        await tx.select().from(channels).where(eq(channels.id, id)).for('no key update');
        second = planned(id, { now, replace: 'beyond-freeze' });
        await Promise.race([second, someoneWaits()]);
        const whole = { channelId: id, now, until: now + 2 * day, freezeMs: 0 };
        await planChannel(tx, { ...whole, replace: 'after-current' });
      });
      expect(await second).toMatchObject({ added: 0, removed: 0, changed: false });
      const rows = await rowsOf(db, id);
      expect(holes(rows)).toEqual([]);
      expect(rows.slice(3).every((row) => ids.slice(5).includes(row.mediaId!))).toBe(true);
    });

  it('leaves no row, no checkpoint and no hole behind when a rebuild fails', async () => {
    const { id, ids, collection } = await tenEpisodes();
    await planned(id);
    const before = await rowsOf(db, id);
    const checkpoints = await checkpointsOf(id);
    await replaceMedia(db, collection, ids.slice(0, 4));
    let calls = 0;
    const failing: typeof plan = (input) => {
      calls += 1;
      if (calls === 2) throw new Error('out of luck');
      return plan(input);
    };
    await expect(planned(id, { replace: 'beyond-freeze' }, failing)).rejects.toThrow('out of luck');
    const overlapping: typeof plan = (input) => {
      const output = plan(input);
      return { ...output, items: [...output.items, output.items.at(-1)!] };
    };
    await expect(planned(id, { replace: 'beyond-freeze' }, overlapping)).rejects.toThrow(/contract/);
    expect(await rowsOf(db, id)).toEqual(before);
    expect(await checkpointsOf(id)).toEqual(checkpoints);
  });

  it('cannot store two items at the same time', async () => {
    const { id } = await tenEpisodes();
    await planned(id);
    const overlap = { startsAt: t0 + hour, endsAt: t0 + hour + 1, kind: 'offline' as const };
    await expect(insertRows(db, id, [overlap])).rejects.toMatchObject({
      cause: { code: '23P01', constraint_name: 'playout_items_no_overlap' },
    });
  });

  it('is offline, and says so, with nothing to play', async () => {
    const channel = await aChannel(db, await aCollection(db, []));
    const result = await planned(channel.id);
    expect(result).toMatchObject({ status: 'no_content', added: 1, removed: 0 });
    expect(result.problems).toMatchObject([{ code: 'empty-collection', slot: 'all' }]);
    expect(await rowsOf(db, channel.id)).toMatchObject([
      { kind: 'offline', startsAt: t0, endsAt: t0 + 2 * day, mediaId: null },
    ]);
  });

  it('has one offline row, however often it is extended', async () => {
    const channel = await aChannel(db, await aCollection(db, []));
    await planned(channel.id);
    for (let days = 1; days < 4; days++) {
      const result = await planned(channel.id, { now: t0 + days * day });
      expect(result).toMatchObject({ added: 0, removed: 0, changed: true });
    }
    expect(await rowsOf(db, channel.id)).toMatchObject([{ startsAt: t0, endsAt: t0 + 5 * day }]);
  });

  it('plays at once what arrives while it is offline', async () => {
    const library = await aLibrary(db);
    const collection = await aCollection(db, []);
    const channel = await aChannel(db, collection);
    await planned(channel.id);
    const film = await library.file({ title: 'Film', durationMs: 50 * minute });
    await replaceMedia(db, collection, [film]);
    const now = t0 + 95 * minute + 700;
    const result = await planned(channel.id, { now, until: t0 + 2 * day, replace: 'beyond-freeze' });
    const rows = await rowsOf(db, channel.id);
    expect(holes(rows)).toEqual([]);
    expect(rows[0]).toMatchObject({ kind: 'offline', startsAt: t0, endsAt: t0 + 95 * minute });
    expect(rows[1]).toMatchObject({ kind: 'program', startsAt: t0 + 95 * minute, mediaId: film });
    expect(result).toMatchObject({ status: 'ok', added: rows.length - 1, removed: 0 });
  });

  it('fills an offline stretch that follows content, without cutting the content', async () => {
    const { id, collection, ids } = await tenEpisodes();
    await planned(id, { until: t0 + hour });
    await replaceMedia(db, collection, []);
    const dry = await planned(id);
    expect(dry.status).toBe('ok');
    expect(dry.problems).toMatchObject([{ code: 'empty-collection' }]);
    const content = (await rowsOf(db, id)).filter((row) => row.kind === 'program');
    await replaceMedia(db, collection, ids);
    await planned(id, { now: t0 + 10 * minute });
    const rows = await rowsOf(db, id);
    expect(rows.slice(0, content.length)).toEqual(content);
    expect(rows.every((row) => row.kind === 'program')).toBe(true);
    expect(holes(rows)).toEqual([]);
    // It goes on with the next one.
    expect(rows.slice(0, 10).map((row) => row.mediaId)).toEqual(ids);
  });

  it('lets a rebuild and extensions run at once', async () => {
    const { id, ids, collection } = await tenEpisodes();
    await planned(id, { until: t0 + 12 * hour });
    await replaceMedia(db, collection, ids.slice(5));
    const now = t0 + 20 * minute;
    const before = await countRows(db, id);
    const results = await Promise.all([
      planned(id, { now, replace: 'beyond-freeze' }),
      planned(id, { now }),
      planned(id, { now, until: t0 + 3 * day }),
      planned(id, { now, replace: 'beyond-freeze' }),
    ]);
    const rows = await rowsOf(db, id);
    expect(holes(rows)).toEqual([]);
    const delta = results.reduce((sum, { added, removed }) => sum + added - removed, 0);
    expect(rows.length - before).toBe(delta);
  });

  it('stores a long first plan in parts that fit together', async () => {
    const { id } = await tenEpisodes(15_000);
    const result = await planned(id, { until: t0 + day });
    const rows = await rowsOf(db, id);
    expect(rows.length).toBe(day / 15_000);
    expect(result.added).toBe(rows.length);
    expect(holes(rows)).toEqual([]);
  });

  it('plans around a change of the clock without a hole', async () => {
    const { id } = await tenEpisodes();
    await updateChannel(db, id, { zone: 'America/Chicago' });
    await planned(id, { now: Date.UTC(2026, 2, 8, 4) });
    expect(holes(await rowsOf(db, id))).toEqual([]);
  });

  it('knows no channel that has been deleted', async () => {
    const { id } = await tenEpisodes();
    await planned(id);
    await deleteChannel(db, id);
    expect(await planned(id)).toBeUndefined();
    expect(await countRows(db, id)).toBe(0);
  });

  async function someoneWaits(): Promise<void> {
    for (;;) {
      const waiting = await database.sql`select 1 from pg_locks where not granted`;
      if (waiting.length > 0) return;
    }
  }

  async function checkpointsOf(channelId: string) {
    const packs = await db
      .select()
      .from(playoutCheckpoints)
      .where(eq(playoutCheckpoints.channelId, channelId))
      .orderBy(playoutCheckpoints.at);
    return packs.flatMap(unpacked);
  }
});

/** What is on when, without the row's id. */
function airing({ id: _, channelId: __, ...row }: Row) {
  return row;
}
