import { randomUUID } from 'node:crypto';
import { eq, gte } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Config, configSchema } from '../../src/config.ts';
import { deleteChannel, updateChannel } from '../../src/db/channels.ts';
import { createCollection, replaceMedia } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { channels, media, playoutItems } from '../../src/db/schema.ts';
import { planChannel } from '../../src/playout/plan-channel.ts';
import { type PlayoutDeps, PlayoutService } from '../../src/playout/playout-service.ts';
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
  rowsOf,
  t0,
} from './station.ts';

const log = pino({ level: 'silent' });
const defaults = configSchema.parse({}).playout;

describe.each(databases)('the playout service ($name)', ({ open }) => {
  let database: TestDatabase;
  let db: Database;
  let now = t0;
  /** A database that can go away. */
  let reach: Database;
  let away = false;
  let service: PlayoutService;
  const services: PlayoutService[] = [];

  beforeAll(async () => {
    database = await open();
    db = database.db;
    reach = new Proxy(db, {
      get(target, key) {
        if (away && typeof key === 'string' && ['select', 'execute', 'transaction', 'delete'].includes(key)) {
          throw new Error('the database is away');
        }
        return Reflect.get(target, key);
      },
    });
  });
  beforeEach(async () => {
    now = t0;
    away = false;
    await db.delete(channels);
    service = aService();
  });
  afterEach(async () => {
    for (const one of services.splice(0)) await one.stop();
  });
  afterAll(async () => {
    await database?.stop();
  });

  function aService(deps: Partial<PlayoutDeps> & { settings?: Partial<Config['playout']> } = {}) {
    const made = new PlayoutService({
      db: reach,
      log,
      config: { ...defaults, horizonHours: 48, ...deps.settings },
      plan: (request) => planChannel(reach, request),
      now: () => now,
      settleMs: 10,
      ...deps,
    });
    services.push(made);
    return made;
  }

  async function aStation(durationMs = 25 * minute) {
    const library = await aLibrary(db);
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) ids.push(await library.file({ title: `Episode ${n}`, durationMs }));
    const collection = await aCollection(db, ids);
    const channel = await aChannel(db, collection);
    return { library, ids, collection, channel, id: channel.id };
  }

  const changed = (on: PlayoutService, id: string) =>
    new Promise<void>((done) => {
      const end = on.subscribe((channelId) => {
        if (channelId !== id) return;
        end();
        done();
      });
    });

  it('knows a new channel, its timeline and its status once it has been told', async () => {
    await service.start();
    const { id, channel, ids } = await aStation();
    await service.channelChanged(id);
    expect(service.channel(id)).toMatchObject({ number: channel.number, profile: { name: '720p' } });
    expect(service.channel(channel.number)?.id).toBe(id);
    expect(service.lineup().map((one) => one.id)).toEqual([id]);
    expect(service.profilesInUse()).toHaveLength(1);
    expect(service.status(id)).toMatchObject({ status: 'ok', problems: [] });
    expect(service.status(id).horizonEndsAt).toBeGreaterThanOrEqual(t0 + 48 * hour);
    const on = service.now(id)!;
    expect(on).toMatchObject({
      offsetMs: 0,
      item: { startsAt: t0, media: { id: ids[0], title: 'Episode 0' } },
    });
    expect(on.item.media!.absolutePath).toMatch(/^\/media\/.*\/Episode 0\.mkv$/);
    expect(on.next?.media?.id).toBe(ids[1]);
  });

  it('answers without the database, to the millisecond at the boundaries of items', async () => {
    const { id, ids } = await aStation();
    await service.start();
    await service.extendAll();
    away = true;
    expect(service.now(id, t0 + 25 * minute - 1)).toMatchObject({
      offsetMs: 25 * minute - 1,
      item: { media: { id: ids[0] } },
    });
    expect(service.now(id, t0 + 25 * minute)).toMatchObject({ offsetMs: 0, item: { media: { id: ids[1] } } });
    expect(service.now(id, t0 - 1)).toBeUndefined();
    expect(service.window(id).length).toBeGreaterThanOrEqual(5);
    for (now = t0; now < t0 + 2 * hour; now += 5 * minute) {
      // Its task says that it fails; what was read before goes on.
      await service.advance().catch(() => {});
      expect(service.now(id), `${now - t0} ms`).toBeDefined();
    }
    await expect(service.extendAll()).rejects.toThrow('away');
    away = false;
    await service.advance();
    expect(service.window(id).at(-1)!.endsAt).toBeGreaterThan(now + 2 * hour);
  });

  it('is at its beginning until each channel without a timeline has had its turn, even where that failed', async () => {
    const { id } = await aStation();
    const seen: boolean[] = [];
    service = aService({
      plan: (request) => {
        seen.push(service.isBeginning);
        return Promise.reject(new Error(`${request.channelId} cannot be planned`));
      },
    });
    await service.start();
    await expect(service.extendAll()).rejects.toThrow(/could not be planned/);
    expect([...seen, service.isBeginning]).toEqual([true, false]);
    await planChannel(db, { channelId: id, now, until: now + 48 * hour, freezeMs: 0 });
    service = aService();
    await service.start();
    expect(service.isBeginning).toBe(false);
  });

  it('reads on as time goes by', async () => {
    const { id } = await aStation(10 * minute);
    await service.start();
    await service.extendAll();
    for (let hours = 0; hours < 40; hours++) {
      now = t0 + hours * hour;
      await service.advance();
      const window = service.window(id);
      expect(service.now(id)).toBeDefined();
      expect(window.length).toBeLessThan(25);
      expect(window.at(-1)!.endsAt).toBeGreaterThanOrEqual(now + 2 * hour);
    }
  });

  it('keeps at least five items, however long they are', async () => {
    const { id } = await aStation(2 * hour);
    await service.start();
    await service.extendAll();
    expect(service.window(id)).toHaveLength(5);
  });

  it('keeps the horizon, and restores it when the rows are gone', async () => {
    const { id } = await aStation();
    await service.start();
    const first = await service.extendAll();
    expect(first).toMatchObject({ channels: 1, planned: 1, added: await countRows(db, id) });
    expect(await service.extendAll()).toMatchObject({ planned: 0, added: 0 });
    now = t0 + 5 * hour;
    expect(await service.extendAll()).toMatchObject({ planned: 0 });
    now = t0 + 7 * hour;
    const before = await countRows(db, id);
    const more = await service.extendAll();
    expect(more.planned).toBe(1);
    expect((await countRows(db, id)) - before).toBe(more.added);
    const onAir = service.now(id)!.item;
    await db.delete(playoutItems);
    const restored = await service.extendAll();
    const rows = await rowsOf(db, id);
    expect(restored.added).toBe(rows.length);
    expect(holes(rows)).toEqual([]);
    expect(rows.at(-1)!.endsAt).toBeGreaterThanOrEqual(now + 48 * hour);
    expect(service.now(id)!.item).toMatchObject({ startsAt: onAir.startsAt, media: onAir.media });
  });

  it('forgets what was over long ago', async () => {
    const { id } = await aStation();
    service = aService({ settings: { keepPastHours: 3 } });
    await service.start();
    await service.extendAll();
    now = t0 + 10 * hour;
    const before = await countRows(db, id);
    const result = await service.extendAll();
    expect(result.forgotten).toBeGreaterThan(10);
    expect(await countRows(db, id)).toBe(before + result.added - result.forgotten);
    expect((await rowsOf(db, id))[0]!.endsAt).toBeGreaterThanOrEqual(now - 3 * hour);
  });

  it('keeps the item on air and all that is frozen when the schedule is edited', async () => {
    const { id } = await aStation();
    const other = await aStation(7 * minute);
    await service.start();
    await service.extendAll();
    now = t0 + 33 * minute;
    const frozen = (await rowsOf(db, id)).filter((row) => row.startsAt < now + 2 * hour);
    await updateChannel(db, id, {
      schedule: { slots: [{ id: 'new', play: other.collection, order: 'custom', mode: 'flood' }] },
    });
    await service.channelChanged(id);
    const rows = await rowsOf(db, id);
    expect(rows.slice(0, frozen.length)).toEqual(frozen);
    expect(other.ids).toContain(rows.at(-1)!.mediaId);
    expect(holes(rows)).toEqual([]);
    const edited = rows.find((row) => other.ids.includes(row.mediaId!))!;
    expect(service.itemAt(id, edited.startsAt)?.id).toBe(edited.id);
  });

  it('rebuilds from now when it is told to, and says what it has done', async () => {
    const { id, collection, ids } = await aStation();
    await service.start();
    await service.extendAll();
    now = t0 + 33 * minute;
    const onAir = service.now(id)!.item;
    const before = await countRows(db, id);
    await replaceMedia(db, collection, [ids[3]!]);
    const { added, removed } = await service.rebuild(id, { from: 'now' });
    expect((await countRows(db, id)) - before).toBe(added - removed);
    expect(service.now(id)!.item).toEqual(onAir);
    expect(service.now(id)!.next?.media?.id).toBe(ids[3]);
  });

  it('changes nothing when a rebuild fails, and tries an edit again that could not be planned', async () => {
    const { id, collection, ids } = await aStation();
    let broken = false;
    service = aService({
      plan: (request) =>
        planChannel(db, request, {
          planner: (input) => {
            if (broken) throw new Error('broken');
            return plan(input);
          },
        }),
    });
    await service.start();
    await service.extendAll();
    const before = await rowsOf(db, id);
    await updateChannel(db, id, {
      schedule: {
        slots: [{ id: 'one', play: await aCollection(db, ids.slice(2)), order: 'custom', mode: 'flood' }],
      },
    });
    broken = true;
    await expect(service.rebuild(id)).rejects.toThrow('broken');
    await service.channelChanged(id);
    expect(await rowsOf(db, id)).toEqual(before);
    expect(service.now(id)?.item.media?.id).toBe(ids[0]);
    expect(collection).toBeDefined();
    await expect(service.extendAll()).rejects.toThrow(/could not be planned/);
    broken = false;
    await service.extendAll();
    expect((await rowsOf(db, id)).slice(30).every((row) => ids.slice(2).includes(row.mediaId!))).toBe(true);
  });

  it('does not let one channel keep the others from being planned', async () => {
    const [bad, good] = [await aStation(), await aStation()];
    service = aService({
      plan: async (request) => {
        if (request.channelId === bad.id) throw new Error('broken');
        return await planChannel(db, request);
      },
    });
    await service.start();
    await expect(service.extendAll()).rejects.toThrow(`Channel ${bad.channel.number} could`);
    expect(service.status(good.id).status).toBe('ok');
    expect(service.status(bad.id).status).toBe('planning');
  });

  it('plays new media beyond the freeze horizon once the playout task has run, and what is frozen stays', async () => {
    const { id, library, ids, collection } = await aStation();
    service = aService({ settleMs: day });
    await service.start();
    await service.extendAll();
    now = t0 + 33 * minute;
    const frozen = (await rowsOf(db, id)).filter((row) => row.startsAt < now + 2 * hour);
    const extra = await library.file({ title: 'New', durationMs: 10 * minute });
    await replaceMedia(db, collection, [...ids, extra]);
    service.mediaChanged();
    expect(await service.extendAll()).toMatchObject({ planned: 1 });
    const rows = await rowsOf(db, id);
    expect(rows.slice(0, frozen.length)).toEqual(frozen);
    expect(rows.find((row) => row.mediaId === extra)!.startsAt).toBeGreaterThanOrEqual(now + 2 * hour);
    expect(await service.extendAll()).toMatchObject({ planned: 0 });
  });

  it('looks again at what changes by the time alone', async () => {
    const library = await aLibrary(db);
    const film = await library.file({ title: 'Film', durationMs: 25 * minute });
    const query = { library: library.id, addedWithin: 'P3D' };
    const { id: play } = await createCollection(db, { name: randomUUID(), kind: 'query', query });
    await db.update(media).set({ addedAt: t0 }).where(eq(media.id, film));
    const { id } = await aChannel(db, play);
    await service.start();
    await service.extendAll();
    expect((await rowsOf(db, id)).every((row) => row.mediaId === film)).toBe(true);
    now = t0 + 3 * day + hour;
    await service.extendAll();
    const last = (await rowsOf(db, id)).at(-1)!;
    expect(last).toMatchObject({ kind: 'offline' });
    expect(last.startsAt).toBeLessThan(now + 2 * hour + 25 * minute);
  });

  it('plans nothing again after a restart, but what was edited while it was away', async () => {
    const [same, edited] = [await aStation(), await aStation()];
    await service.start();
    await service.extendAll();
    await replaceMedia(db, edited.collection, edited.ids.slice(2));
    now = t0 + hour;
    const before = await rowsOf(db, same.id);
    const replaced: string[] = [];
    const again = aService({
      plan: async (request) => {
        const result = await planChannel(reach, request);
        if (result?.changed) replaced.push(request.channelId);
        return result;
      },
    });
    await again.start();
    await again.extendAll();
    expect(replaced).toEqual([edited.id]);
    expect(await rowsOf(db, same.id)).toEqual(before);
    expect((await rowsOf(db, edited.id)).at(-1)!.mediaId).not.toBe(edited.ids[0]);
  });

  it('lets channels that come with libraries wait until these are scanned', async () => {
    await service.start();
    const { id } = await aStation();
    let scanned = () => {};
    const scan = new Promise<void>((done) => {
      scanned = done;
    });
    await service.channelsChanged([id], scan);
    expect(service.channel(id)).toBeDefined();
    expect(await service.extendAll()).toMatchObject({ planned: 0 });
    expect(service.status(id).status).toBe('planning');
    const told = changed(service, id);
    scanned();
    await told;
    expect(service.status(id).status).toBe('ok');
  });

  it('can plan again from any instant of what is left of the past', async () => {
    const { id } = await aStation();
    service = aService({ settings: { keepPastHours: 3 } });
    await service.start();
    await service.extendAll();
    now = t0 + 10 * hour;
    await service.extendAll();
    const rows = await rowsOf(db, id);
    await db.delete(playoutItems).where(gte(playoutItems.startsAt, now - 2 * hour));
    await service.extendAll();
    const restored = await rowsOf(db, id);
    const ahead = (all: typeof rows) =>
      all.filter((row) => row.endsAt > now && row.startsAt < now + 40 * hour).map(({ id: _, ...row }) => row);
    expect(ahead(restored)).toEqual(ahead(rows));
  });

  it('says that there is no content, and plays what arrives', async () => {
    const library = await aLibrary(db);
    const collection = await aCollection(db, []);
    const { id } = await aChannel(db, collection);
    await service.start();
    await service.extendAll();
    expect(service.status(id)).toMatchObject({
      status: 'no_content',
      problems: [{ code: 'empty-collection' }],
    });
    expect(service.now(id)!.item).toMatchObject({ kind: 'offline' });
    now = t0 + 5 * minute;
    await replaceMedia(db, collection, [await library.file({ title: 'Film', durationMs: 90 * minute })]);
    const told = changed(service, id);
    service.mediaChanged();
    await told;
    expect(service.status(id)).toMatchObject({ status: 'ok', problems: [] });
    expect(service.now(id)).toMatchObject({
      offsetMs: 0,
      item: { kind: 'program', media: { title: 'Film' } },
    });
  });

  it('finds media where they are now', async () => {
    const { id, ids } = await aStation();
    await service.start();
    await service.extendAll();
    await db.update(media).set({ path: 'Moved.mkv' }).where(eq(media.id, ids[0]!));
    const told = changed(service, id);
    service.mediaChanged();
    service.mediaChanged();
    await told;
    expect(service.now(id)!.item.media!.absolutePath).toMatch(/Moved\.mkv$/);
    await db.delete(media).where(eq(media.id, ids[0]!));
    const gone = changed(service, id);
    service.mediaChanged();
    await gone;
    expect(service.now(id)!.item).toMatchObject({ kind: 'program', startsAt: t0 });
    expect(service.now(id)!.item.media).toBeUndefined();
  });

  it('forgets a deleted channel, and a disabled one leaves the lineup', async () => {
    const [one, two] = [await aStation(), await aStation()];
    await service.start();
    await service.extendAll();
    await updateChannel(db, one.id, { enabled: false });
    await service.channelChanged(one.id);
    expect(service.lineup().map(({ id }) => id)).toEqual([two.id]);
    expect(service.channel(one.id)?.enabled).toBe(false);
    await deleteChannel(db, two.id);
    const told = changed(service, two.id);
    await service.channelChanged(two.id);
    await told;
    expect(service.channel(two.channel.number)).toBeUndefined();
    expect(service.now(two.id)).toBeUndefined();
    await expect(service.rebuild(two.id)).rejects.toThrow('no such channel');
  });

  it('keeps the timeline over a restart', async () => {
    const { id } = await aStation();
    await service.start();
    await service.extendAll();
    const before = await rowsOf(db, id);
    now = t0 + hour;
    const again = aService();
    await again.start();
    expect(again.now(id)?.item.id).toBe(before.find((row) => row.endsAt > now)!.id);
    expect(again.status(id).status).toBe('ok');
    await again.extendAll();
    expect((await rowsOf(db, id)).slice(0, before.length)).toEqual(before);
  });

  it('shows the stored timeline page by page', async () => {
    const { id } = await aStation();
    await service.start();
    await service.extendAll();
    const page = await service.playout(id, t0 + 26 * minute, t0 + day, { limit: 3, offset: 1 });
    expect(page.items.map((item) => item.media?.title)).toEqual(['Episode 2', 'Episode 3', 'Episode 0']);
    expect(page.total).toBe(57);
  });
});
