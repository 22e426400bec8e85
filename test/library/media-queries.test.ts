import { like } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveContent } from '../../src/db/collection-content.ts';
import { insertLibrary } from '../../src/db/libraries.ts';
import { countMedia, getMedia, listMedia, type NewMedia, upsertMedia } from '../../src/db/media.ts';
import { media } from '../../src/db/schema.ts';
import { type CollectionQuery, collectionQuerySchema } from '../../src/library/media.ts';
import { databases, type TestDatabase } from '../support/databases.ts';

describe.each(databases)('media on $name', ({ open, open: openOther }) => {
  let database: TestDatabase;
  let libraryId: string;

  const row = (path: string, fields: Partial<NewMedia> = {}): NewMedia => ({
    libraryId,
    path,
    size: 1,
    mtimeMs: 1,
    state: 'ready',
    durationMs: 60_000,
    probe: { format: 'matroska,webm', durationMs: 60_000, chaptersMs: [] },
    kind: 'other',
    title: path,
    ...fields,
  });

  beforeAll(async () => {
    database = await open();
    libraryId = (await insertLibrary(database.db, { name: 'A', path: '/a' }))?.id ?? '';
    const episode = (season: number, number: number) =>
      row(`shows/x/${season}x${number}.mkv`, {
        kind: 'episode',
        show: 'The X',
        season,
        episode: number,
        title: `E${number}`,
        genres: ['Drama', 'Sci-Fi'],
      });
    await upsertMedia(database.db, [
      episode(2, 1),
      episode(1, 10),
      episode(1, 2),
      row('films/100% Wolf.mkv', { kind: 'movie', title: '100% Wolf', year: 2020 }),
      row('films/1000 Wolves.mkv', { kind: 'movie', title: '1000 Wolves', year: 1999, genres: ['Drama'] }),
      row('films_b/under_score.mkv', { title: 'under_score' }),
      row('films/broken.mkv', { state: 'failed', reason: 'why', durationMs: null, probe: null }),
      row('films/away.mkv', { state: 'unavailable' }),
    ]);
  });
  afterAll(async () => {
    await database.stop();
  });

  const found = (query: CollectionQuery, now = Date.now()) =>
    resolveContent(database.db, { sources: [{ kind: 'query', query }], once: true }, now);
  const titles = async (query: CollectionQuery) => (await found(query)).map(({ title }) => title);

  test('a query finds only what is ready, in the order of seasons and episodes', async () => {
    expect(await titles({ show: 'the x' })).toEqual(['E2', 'E10', 'E1']);
    expect(await titles({ library: libraryId })).toHaveLength(6);
    expect(await titles({ folder: 'films' })).toEqual(['100% Wolf', '1000 Wolves']);
    expect(await titles({ folder: '/films/' })).toHaveLength(2);
    expect(await titles({ show: 'the x', season: 1 })).toEqual(['E2', 'E10']);
    expect(await titles({ genre: 'drama', kind: 'movie' })).toEqual(['1000 Wolves']);
    expect(await titles({ yearFrom: 2000, yearTo: 2020 })).toEqual(['100% Wolf']);
    expect(await titles({ text: 'WOL' })).toHaveLength(2);
    const [first] = await found({ show: 'The X', season: 2 });
    expect(first).toEqual({
      id: expect.any(String),
      durationMs: 60_000,
      title: 'E1',
      show: 'The X',
      season: 2,
      episode: 1,
    });
  });

  test('a query goes by length, and by how long ago a media joined', async () => {
    await upsertMedia(database.db, [
      row('lengths/short.mkv', { title: 'Short', durationMs: 90_000 }),
      row('lengths/long.mkv', { title: 'Long', durationMs: 5_400_000 }),
    ]);
    const folder = 'lengths';
    expect(await titles({ folder, durationFrom: 'PT1M30S' })).toEqual(['Long', 'Short']);
    expect(await titles({ folder, durationFrom: 'PT2M', durationTo: 'PT1H30M' })).toEqual(['Long']);
    expect(await titles({ folder, durationTo: 'PT1H29M' })).toEqual(['Short']);
    const inThreeDays = Date.now() + 3 * 86_400_000;
    expect(await found({ folder, addedWithin: 'P4D' }, inThreeDays)).toHaveLength(2);
    expect(await found({ folder, addedWithin: 'P2D' }, inThreeDays)).toHaveLength(0);
    await database.db.delete(media).where(like(media.path, 'lengths/%'));
  });

  test('a query that contradicts itself is refused, key by key', () => {
    const wrong = (query: object) =>
      collectionQuerySchema
        .safeParse(query)
        .error?.issues.map(({ path, message }) => [path.join('.'), message]);
    expect(wrong({ yearFrom: 2000, yearTo: 1999 })).toEqual([['yearTo', 'is before yearFrom']]);
    expect(wrong({ durationFrom: 'PT2M', durationTo: 'PT1M' })).toEqual([
      ['durationTo', 'is less than durationFrom'],
    ]);
    expect(wrong({ addedWithin: 'a week', yearFrom: 2 ** 40 })?.map(([path]) => path)).toEqual([
      'yearFrom',
      'addedWithin',
    ]);
  });

  test('a file has the same id on every server whose library has the same name', async () => {
    const other = await openOther();
    try {
      const library = await insertLibrary(other.db, { name: 'A', path: '/mnt/elsewhere' });
      const twin = await insertLibrary(other.db, { name: 'A', path: '/mnt/twin' });
      for (const id of [library!.id, twin!.id]) {
        await upsertMedia(other.db, [{ ...row('films/100% Wolf.mkv'), libraryId: id }]);
      }
      const [first, second] = (await listMedia(other.db, { limit: 9, sort: 'added' })).items;
      const [here] = (await listMedia(database.db, { text: '100% Wolf', limit: 1 })).items;
      const ids = [first!, second!].filter(({ id }) => id === here!.id);
      expect(ids.map(({ libraryId }) => libraryId)).toEqual([library!.id]);
    } finally {
      await other.stop();
    }
  });

  test('signs that mean something to LIKE mean themselves', async () => {
    expect(await titles({ text: '100%' })).toEqual(['100% Wolf']);
    expect(await titles({ text: 'r_s' })).toEqual(['under_score']);
    expect(await titles({ text: '\\' })).toEqual([]);
    expect(await titles({ text: "'; drop table media; --" })).toEqual([]);
    expect(await titles({ text: '100%\0' })).toEqual(['100% Wolf']);
    expect(await titles({ folder: 'films_' })).toEqual([]);
    expect((await listMedia(database.db, { text: '100%', limit: 9 })).total).toBe(1);
  });

  test('the list is paged, sorted and counted', async () => {
    const first = await listMedia(database.db, { limit: 3, sort: 'path' });
    const rest = await listMedia(database.db, { limit: 30, offset: 3, sort: 'path' });
    expect(first.total).toBe(8);
    expect(first.items).toHaveLength(3);
    expect(new Set([...first.items, ...rest.items].map(({ id }) => id)).size).toBe(8);
    expect((await listMedia(database.db, { limit: 9, state: 'failed' })).items[0]).toMatchObject({
      path: 'films/broken.mkv',
      reason: 'why',
      durationMs: null,
    });
    for (const sort of ['title', 'show', 'added', '-added', 'duration', '-duration'] as const) {
      expect((await listMedia(database.db, { limit: 100, sort })).items).toHaveLength(8);
    }
    expect((await listMedia(database.db, { limit: 9, show: 'THE X', kind: 'episode' })).total).toBe(3);
    const [item] = first.items;
    expect(await getMedia(database.db, item?.id ?? '')).toEqual(item);
    expect((await countMedia(database.db)).get(libraryId)).toEqual({ ready: 6, failed: 1, unavailable: 1 });
  });

  test('writing a known path again keeps its id', async () => {
    const [before] = (await listMedia(database.db, { text: 'under_score', limit: 1 })).items;
    await upsertMedia(database.db, [
      row('films_b/under_score.mkv', { title: 'under_score', size: 2, plot: 'P' }),
    ]);
    const [after] = (await listMedia(database.db, { text: 'under_score', limit: 1 })).items;
    expect(after).toMatchObject({ id: before?.id, addedAt: before?.addedAt, size: 2, plot: 'P' });
  });

  test('a query that finds more than one page finds all, once', async () => {
    const many = Array.from({ length: 4_203 }, (_, n) =>
      row(`many/${n}.mkv`, { kind: 'episode', show: 'Many', season: 1, episode: n }),
    );
    for (let at = 0; at < many.length; at += 100) await upsertMedia(database.db, many.slice(at, at + 100));
    const all = await found({ show: 'Many' });
    expect(all.map(({ episode }) => episode)).toEqual(many.map((_, n) => n));
  });
});
