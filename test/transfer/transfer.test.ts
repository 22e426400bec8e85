import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listChannels, updateChannel } from '../../src/db/channels.ts';
import { createCollection, listCollections, replaceMedia } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { insertLibrary } from '../../src/db/libraries.ts';
import { listMedia, type NewMedia, upsertMedia } from '../../src/db/media.ts';
import { rowsBetween } from '../../src/db/playout.ts';
import { ensureShippedProfiles, getProfileByName } from '../../src/db/profiles.ts';
import { channels, libraries, media } from '../../src/db/schema.ts';
import { planChannel } from '../../src/playout/plan-channel.ts';
import type { Slot } from '../../src/schedule/types.ts';
import { exportFile, toYaml } from '../../src/transfer/export.ts';
import type { TransferFile } from '../../src/transfer/format.ts';
import { type ImportOptions, importFile } from '../../src/transfer/import.ts';
import { aChannel, hour, minute, t0 } from '../playout/station.ts';
import { databases, type TestDatabase } from '../support/databases.ts';

describe.each(databases)('channels as a file ($name)', ({ open }) => {
  let from: TestDatabase;
  let to: TestDatabase;
  let file: TransferFile;
  const now = t0 + 3 * hour + 7 * minute;

  beforeAll(async () => {
    [from, to] = [await open(), await open()];
    await makeStation(from.db);
    file = await exportFile(from.db, now);
    await ensureShippedProfiles(to.db);
  });
  afterAll(async () => {
    await from?.stop();
    await to?.stop();
  });

  it('airs the same on another server, with what is frozen and in the middle of a playlist', async () => {
    const answer = await importing(to.db, toYaml(file));
    expect(answer).toMatchObject({ kind: 'done', report: { awaited: { total: 3 } } });
    for (const library of await to.db.select().from(libraries)) {
      await upsertMedia(to.db, filesOf(library.id, library.path));
    }
    const [there] = await listChannels(to.db);
    const [here] = await listChannels(from.db);
    await plan(to.db, there!.id, now + 10 * minute);
    await plan(from.db, here!.id, now + 10 * minute);
    const airings = [await airingsOf(from.db, here!.id), await airingsOf(to.db, there!.id)];
    expect(airings[0]!.length).toBeGreaterThan(50);
    expect(airings[1]).toEqual(airings[0]);
    // Two hours of the schedule before, and then the one of the file.
    expect(new Set(airings[0]!.map(({ slot }) => slot))).toEqual(new Set(['before', 'all']));
  });

  it('is the same when it is exported from there', async () => {
    const again = await exportFile(to.db, now);
    expect(again).toEqual(file);
    expect(await importing(to.db, toYaml(file))).toMatchObject({
      kind: 'done',
      libraries: [],
      channels: [],
      report: { channels: [{ name: '5.1', action: 'keep' }] },
    });
  });

  it('changes nothing at all when it contradicts what is there', async () => {
    const changed = { ...file, channels: [{ ...file.channels[0]!, name: 'Other' }] };
    const added = { name: 'A new one', kind: 'manual' as const, media: [] };
    const contradicting = { ...changed, collections: [...file.collections, added] };
    expect(await importing(to.db, JSON.stringify(contradicting))).toEqual({
      ...{ kind: 'refused', reason: 'conflict', more: 0 },
      problems: [{ path: 'channels.0', message: 'channel 5.1 is there already, and is not the same' }],
    });
    expect((await listCollections(to.db, { limit: 99, text: 'A new one' })).total).toBe(0);
  });

  it('replaces what is there where that is wanted, and tells the channels that it concerns', async () => {
    const [profile] = file.profiles.filter(({ name }) => name === '480p');
    const video = { ...profile!.spec.video, bitrateKbps: 999 };
    const changed = { ...file, profiles: [{ name: '720p', spec: { ...profile!.spec, video } }] };
    const [channel] = await listChannels(to.db);
    const dry = await importing(to.db, JSON.stringify(changed), { replace: true, dryRun: true });
    expect(dry).toMatchObject({ report: { dryRun: true, profiles: [{ name: '720p', action: 'replace' }] } });
    expect((await getProfileByName(to.db, '720p'))!.spec.video.bitrateKbps).not.toBe(999);
    const done = await importing(to.db, JSON.stringify(changed), { replace: true });
    expect(done).toMatchObject({ kind: 'done', channels: [channel!.id] });
    expect((await getProfileByName(to.db, '720p'))!.spec.video.bitrateKbps).toBe(999);
  });

  it('names what is missing, and collections that would contain themselves', async () => {
    const wrong = {
      ...file,
      collections: [
        { name: 'One', kind: 'union', members: ['Two'] },
        { name: 'Two', kind: 'union', members: ['One'] },
        { name: 'Three', kind: 'playlist', playlist: [{ play: 'Four' }] },
        { name: 'Five', kind: 'query', query: { library: 'Nowhere' } },
        { name: 'Six', kind: 'manual', media: [{ library: 'Nowhere', paths: ['a'] }] },
      ],
      channels: [{ ...file.channels[0]!, profile: 'none', number: '7', guideId: file.channels[0]!.guideId }],
    };
    const answer = await importing(to.db, JSON.stringify(wrong));
    expect(answer).toMatchObject({ kind: 'refused', reason: 'wrong' });
    expect(
      answer.kind === 'refused' && answer.problems.map(({ path, message }) => `${path}: ${message}`),
    ).toEqual([
      'collections.1: The collection would contain itself: "Two" → "One" → "Two".',
      'collections.2.playlist.0.play: there is no collection "Four"',
      'collections.3.query.library: there is no library "Nowhere"',
      'collections.4.media.0.library: there is no library "Nowhere"',
      'channels.0.guideId: belongs to channel 5.1 already',
      'channels.0.profile: there is no profile "none"',
    ]);
  });

  it('lets two channels exchange their guide ids', async () => {
    const [one] = file.channels;
    const two = { ...one!, number: '9', guideId: 'nine' };
    await importing(to.db, JSON.stringify({ ...file, channels: [one, two] }));
    const swapped = [
      { ...one, guideId: 'nine' },
      { ...two, guideId: one!.guideId },
    ];
    const answer = await importing(to.db, JSON.stringify({ ...file, channels: swapped }), { replace: true });
    expect(answer.kind).toBe('done');
    const ids = new Map((await listChannels(to.db)).map(({ number, guideId }) => [number, guideId]));
    expect([ids.get('5.1'), ids.get('9')]).toEqual(['nine', one!.guideId]);
  });

  it('keeps a library where it is, and refuses one within another', async () => {
    const moved = file.libraries.map(({ name, path }) => ({ name, path: `/elsewhere${path}` }));
    const kept = await importing(to.db, JSON.stringify({ aircheck: 1, libraries: moved }));
    expect(kept).toMatchObject({ kind: 'done', libraries: [] });
    expect(kept.kind === 'done' && kept.report.notes[0]!.message).toMatch(/is here at .* and stays there/);
    const inner = { aircheck: 1, libraries: [{ name: 'Inner', path: `${file.libraries[0]!.path}/inner` }] };
    expect(await importing(to.db, JSON.stringify(inner))).toMatchObject({
      problems: [{ path: 'libraries.0.path', message: expect.stringContaining('overlaps') }],
    });
  });
});

/** Two libraries of one name, collections of every kind, and a channel that was edited a moment ago. */
async function makeStation(db: Database): Promise<void> {
  await ensureShippedProfiles(db);
  const [one, two] = [
    await insertLibrary(db, { name: 'Films', path: '/media/one' }),
    await insertLibrary(db, { name: 'Films', path: '/media/two' }),
  ];
  for (const library of [one!, two!]) await upsertMedia(db, filesOf(library.id, library.path));
  const ids = (await listMedia(db, { limit: 99, sort: 'path' })).items.map(({ id }) => id);
  const collect = async (name: string, rest: object) =>
    (await createCollection(db, { name, ...rest } as Parameters<typeof createCollection>[1])).id;
  const hand = await collect('By hand', { kind: 'manual', media: [ids[4], ids[1], ids[9], ids[4]] });
  const query = await collect('Query', { kind: 'query', query: { library: two!.id, durationTo: 'PT30M' } });
  const union = await collect('Union', { kind: 'union', members: [hand, query] });
  const playlist = await collect('In turn', {
    kind: 'playlist',
    playlist: [
      { play: union, order: 'shuffle', count: 3 },
      { play: hand, order: 'custom', count: 2, parts: 'together' },
    ],
  });
  const { id } = await aChannel(db, playlist, { id: 'before' });
  await db.update(channels).set({ number: '5.1', guideId: 'five' }).where(eq(channels.id, id));
  await plan(db, id, t0);
  const slots = [{ id: 'all', play: playlist, mode: 'flood', order: 'custom' } as Slot];
  await updateChannel(db, id, { schedule: { slots } });
  await plan(db, id, t0 + 3 * hour);
  // Not planned from yet: it comes into effect beyond the freeze on either server.
  await replaceMedia(db, hand, [ids[1]!, ids[4]!, ids[9]!]);
  await plan(db, id, t0 + 3 * hour + minute);
}

function filesOf(libraryId: string, folder: string): NewMedia[] {
  return Array.from({ length: 8 }, (_, n): NewMedia => {
    const durationMs = (11 + 5 * ((n * 3) % 7)) * minute;
    return {
      ...{
        libraryId,
        path: `${folder.at(-1)}/Film ${n}.mkv`,
        size: 1,
        mtimeMs: 1,
        state: 'ready',
        durationMs,
      },
      ...{ probe: { format: 'matroska', durationMs, chaptersMs: [] }, kind: 'other', title: `Film ${n}` },
    };
  });
}

async function plan(db: Database, channelId: string, now: number): Promise<void> {
  const request = { channelId, now, until: now + 30 * hour, freezeMs: 2 * hour };
  await planChannel(db, { ...request, replace: 'beyond-freeze', unlessSame: true });
}

async function importing(db: Database, text: string, options: Partial<ImportOptions> = {}) {
  return await importFile(db, new TextEncoder().encode(text), { dryRun: false, replace: false, ...options });
}

/** What is on when, by the path of its media. */
async function airingsOf(db: Database, channelId: string) {
  const rows = await rowsBetween(db, channelId, t0 + 3 * hour + 7 * minute, t0 + 30 * hour, 1_000);
  const paths = new Map((await db.select().from(media)).map(({ id, path }) => [id, path]));
  return rows.map(({ startsAt, endsAt, kind, mediaId, slot, guide }) => ({
    ...{ startsAt, endsAt, kind, slot, guide, path: paths.get(mediaId ?? '') },
  }));
}
