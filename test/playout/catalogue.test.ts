import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChannel, deleteChannel, listChannels, updateChannel } from '../../src/db/channels.ts';
import { contentOf, resolveContent } from '../../src/db/collection-content.ts';
import {
  createCollection,
  deleteCollection,
  listCollections,
  listMembers,
  replaceMedia,
  updateCollection,
} from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import {
  createProfile,
  deleteProfile,
  ensureShippedProfiles,
  getProfileByName,
  listProfiles,
  updateProfile,
} from '../../src/db/profiles.ts';
import { deleteSetting, getSetting, setSetting } from '../../src/db/settings.ts';
import { ConflictError, InvalidError, NotFoundError } from '../../src/errors.ts';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import type { Schedule } from '../../src/schedule/types.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aCollection, aLibrary, minute } from './station.ts';

describe.each(databases)('collections, channels, profiles and settings ($name)', ({ open }) => {
  let database: TestDatabase;
  let db: Database;

  beforeAll(async () => {
    database = await open();
    db = database.db;
    await ensureShippedProfiles(db);
  });
  afterAll(async () => {
    await database?.stop();
  });

  describe('collections', () => {
    it('keep their order, and give the ready ones of their media to be played', async () => {
      const library = await aLibrary(db);
      const [a, b, c] = [
        await library.file({ title: 'A', durationMs: minute, show: 'S', aired: '2001-02-03' }),
        await library.file({ title: 'B', durationMs: minute, state: 'failed' }),
        await library.file({ title: 'C', durationMs: 2 * minute }),
      ];
      const id = await aCollection(db, [c, b, a, c]);
      expect(await contentNow(id)).toEqual([
        { id: c, durationMs: 2 * minute, title: 'C' },
        { id: a, durationMs: minute, title: 'A', show: 'S', aired: '2001-02-03' },
        { id: c, durationMs: 2 * minute, title: 'C' },
      ]);
      const { items, total } = await listMembers(db, id, { limit: 2, offset: 1 });
      expect(items.map(({ position, title, state }) => [position, title, state])).toEqual([
        [1, 'B', 'failed'],
        [2, 'A', 'ready'],
      ]);
      expect(total).toBe(4);
    });

    it('are replaced as a whole, or not at all', async () => {
      const library = await aLibrary(db);
      const [a, b] = [
        await library.file({ title: 'A', durationMs: minute }),
        await library.file({ title: 'B', durationMs: minute }),
      ];
      const id = await aCollection(db, [a]);
      await expect(replaceMedia(db, id, [b, randomUUID()])).rejects.toThrow(InvalidError);
      expect((await listMembers(db, id, { limit: 9 })).items.map((item) => item.id)).toEqual([a]);
      await replaceMedia(db, id, [b, a]);
      expect((await listMembers(db, id, { limit: 9 })).items.map((item) => item.id)).toEqual([b, a]);
      await expect(replaceMedia(db, randomUUID(), [])).rejects.toThrow(NotFoundError);
    });

    it('can be saved queries, evaluated when they are asked for', async () => {
      const library = await aLibrary(db);
      const query = { library: library.id, text: 'night' };
      const made = await createCollection(db, { name: randomUUID(), kind: 'query', query });
      expect(await contentNow(made.id)).toEqual([]);
      const id = await library.file({ title: 'Late Night', durationMs: minute });
      expect(await contentNow(made.id)).toEqual([{ id, durationMs: minute, title: 'Late Night' }]);
      await updateCollection(db, made.id, { query: { library: library.id, text: 'day' } });
      expect(await contentNow(made.id)).toEqual([]);
      await expect(replaceMedia(db, made.id, [id])).rejects.toThrow(InvalidError);
    });

    it('have names of their own', async () => {
      const name = `100% ${randomUUID()}`;
      const { id } = await createCollection(db, { name, kind: 'manual' });
      const other = await createCollection(db, { name: `${name}!`, kind: 'manual' });
      await expect(createCollection(db, { name, kind: 'manual' })).rejects.toThrow(ConflictError);
      await expect(updateCollection(db, other.id, { name })).rejects.toThrow(ConflictError);
      await expect(updateCollection(db, id, { query: {} })).rejects.toThrow(InvalidError);
      const { items, total } = await listCollections(db, { text: name, limit: 1, offset: 1 });
      expect([items.map((item) => item.name), items[0]!.size, total]).toEqual([[`${name}!`], 0, 2]);
    });

    it('cannot be deleted while a channel plays them', async () => {
      const id = await aCollection(db, []);
      const channel = await createChannel(db, await valid({ number: '900' }, id));
      await expect(deleteCollection(db, id)).rejects.toThrow('channel 900');
      await deleteChannel(db, channel.id);
      await deleteCollection(db, id);
      await expect(deleteCollection(db, id)).rejects.toThrow(NotFoundError);
    });
  });

  describe('channels', () => {
    it('are listed by number, and keep their guide id', async () => {
      const made = [];
      for (const number of ['810', '81.10', '81', '81.9', '9']) {
        made.push(await createChannel(db, await valid({ number })));
      }
      const numbers = (await listChannels(db)).map(({ number }) => number);
      expect(numbers).toEqual(['9', '81', '81.9', '81.10', '810']);
      const [channel] = made;
      expect(channel!.guideId).toMatch(/^C810\.[0-9a-f]{6}\.aircheck\.local$/);
      expect(channel!.id.startsWith(channel!.guideId.split('.')[1]!)).toBe(true);
      const updated = await updateChannel(db, channel!.id, { number: '811', name: 'Renamed' });
      expect(updated).toMatchObject({ number: '811', name: 'Renamed', guideId: channel!.guideId });
      expect(updated.updatedAt).toBeGreaterThanOrEqual(channel!.updatedAt);
    });

    it('have numbers of their own', async () => {
      await createChannel(db, await valid({ number: '820' }));
      const other = await createChannel(db, await valid({ number: '821' }));
      await expect(createChannel(db, await valid({ number: '820' }))).rejects.toThrow(ConflictError);
      await expect(updateChannel(db, other.id, { number: '820' })).rejects.toThrow(ConflictError);
      await expect(updateChannel(db, randomUUID(), { name: 'x' })).rejects.toThrow(NotFoundError);
    });

    it('are refused with a profile or a collection that is not there', async () => {
      const missing = { ...(await valid({ number: '830' })), profileId: randomUUID() };
      await expect(createChannel(db, missing)).rejects.toThrow(InvalidError);
      for (const play of [randomUUID(), 'nonsense']) {
        await expect(createChannel(db, await valid({ number: '831' }, play))).rejects.toThrow(`"${play}"`);
      }
    });
  });

  describe('profiles', () => {
    it('come with the server, once, and are not set back', async () => {
      const before = await getProfileByName(db, '480p');
      const spec = { ...before!.spec, audio: { ...before!.spec.audio, bitrateKbps: 64 } };
      await updateProfile(db, before!.id, { spec });
      await ensureShippedProfiles(db);
      expect((await listProfiles(db)).map(({ name }) => name)).toEqual(['1080p', '480p', '720p']);
      expect((await getProfileByName(db, '480p'))!.spec).toEqual(spec);
    });

    it('have names of their own and stay while a channel uses them', async () => {
      const profile = await createProfile(db, { name: 'mine', spec: shippedProfiles[0]!.spec });
      await expect(createProfile(db, profile)).rejects.toThrow(ConflictError);
      await expect(updateProfile(db, profile.id, { name: '720p' })).rejects.toThrow(ConflictError);
      const channel = await createChannel(db, {
        ...(await valid({ number: '840' })),
        profileId: profile.id,
      });
      await expect(deleteProfile(db, profile.id)).rejects.toThrow(ConflictError);
      await deleteChannel(db, channel.id);
      await deleteProfile(db, profile.id);
      await expect(deleteProfile(db, profile.id)).rejects.toThrow(NotFoundError);
    });
  });

  it('settings are read as they were written', async () => {
    expect(await getSetting(db, 'instance')).toBeUndefined();
    await setSetting(db, 'instance', { id: 'x', n: 1 });
    await setSetting(db, 'instance', { id: 'y' });
    expect(await getSetting(db, 'instance')).toEqual({ id: 'y' });
    for (const value of ['text', 5, true, [1]]) {
      await setSetting(db, 'plain', value);
      expect(await getSetting(db, 'plain')).toEqual(value);
    }
    await deleteSetting(db, 'instance');
    expect(await getSetting(db, 'instance')).toBeUndefined();
  });

  async function contentNow(id: string) {
    return await resolveContent(db, await contentOf(db, id), Date.now());
  }

  async function valid(channel: { number: string }, play?: string) {
    const profile = await getProfileByName(db, '720p');
    const schedule: Schedule = {
      slots: [{ id: 'a', play: play ?? (await aCollection(db, [])), order: 'custom', mode: 'flood' }],
    };
    return { name: 'Channel', profileId: profile!.id, schedule, ...channel };
  }
});
