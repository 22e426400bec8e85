import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/db/connection.ts';
import { channelsShowingChanged, findArtwork } from '../../src/db/guide.ts';
import { patienceOf } from '../../src/db/patience.ts';
import * as schema from '../../src/db/schema.ts';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import { unpackAside, withBase, writtenBase } from '../../src/guide/packed.ts';
import {
  type FragmentRequest,
  localise,
  type RenderedFragment,
  renderFragment,
} from '../../src/guide/render.ts';
import { pieceFloor, pieceMs } from '../../src/guide/window.ts';
import { documentHead, documentTail } from '../../src/guide/xmltv.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { documentErrors, xmllintErrors } from './dtd.ts';
import { channel, evening, hour, minute } from './lineup.ts';
import { type ReadProgramme, readGuideAsJellyfin } from './players.ts';

const day = 24 * hour;
const now = evening + 10 * minute;
const base = 'http://tv.example.org';

function request(channelId: string, given: Partial<FragmentRequest> = {}): FragmentRequest {
  const settings = { days: 7, language: 'en', newDays: 0, episodeIcon: 'still' as const };
  return { ...settings, channelId, now, base: undefined, bases: [], known: new Map(), ...given };
}

/** The text of a fragment whose pieces are all there. */
async function textOf({ pieces }: RenderedFragment): Promise<string> {
  const text = await unpackAside(pieces.map(({ content }) => content!.packed.deflated));
  return withBase(text, writtenBase(base)).toString();
}

function readProgrammes(text: string, guideId: string): ReadProgramme[] {
  const document = documentHead([channel({ guideId })]) + text + documentTail;
  expect(documentErrors(document)).toEqual([]);
  expect(xmllintErrors(document)).toBe('');
  return readGuideAsJellyfin(document);
}

describe.each(databases)('a channel of the guide from the $name database', ({ open }) => {
  let database: TestDatabase;
  let mediaIds: string[];
  let episodes: string;
  let broken: string;
  let disabled: string;
  let block: string;

  async function addChannel(
    number: string,
    given: Partial<typeof schema.channels.$inferInsert> = {},
  ): Promise<string> {
    const [profile] = await database.db.select().from(schema.profiles).limit(1);
    const [made] = await database.db
      .insert(schema.channels)
      .values({
        number,
        name: `Channel ${number}`,
        guideId: `C${number}.test`,
        profileId: profile!.id,
        schedule: { slots: [] },
        ...given,
      })
      .returning({ id: schema.channels.id });
    return made!.id;
  }

  async function addRows(channelId: string, rows: Partial<typeof schema.playoutItems.$inferInsert>[]) {
    const all = rows.map((row) => ({ kind: 'program' as const, ...row, channelId }));
    for (let at = 0; at < all.length; at += 500) {
      await database.db.insert(schema.playoutItems).values(all.slice(at, at + 500) as never);
    }
  }

  const rendered = async (channelId: string, given: Partial<FragmentRequest> = {}) =>
    (await renderFragment(database.db, request(channelId, given)))!;

  beforeAll(async () => {
    database = await open();
    const { db } = database;
    await db
      .insert(schema.profiles)
      .values({ name: 'guide test', spec: shippedProfiles[0]!.spec })
      .onConflictDoNothing();
    const [library] = await db
      .insert(schema.libraries)
      .values({ name: 'tv', path: '/tv' })
      .returning({ id: schema.libraries.id });
    const made = await db
      .insert(schema.media)
      .values(
        Array.from({ length: 40 }, (_, index) => ({
          libraryId: library!.id,
          path: `show/${index}.mkv`,
          size: 1,
          mtimeMs: 1,
          state: 'ready' as const,
          durationMs: 5 * minute,
          kind: 'episode' as const,
          title: `Part ${index}`,
          show: 'A Show',
          season: 1,
          episode: index + 1,
          genres: ['Drama'],
          credits: { directors: ['A Director'], actors: [{ name: 'An Actor', role: 'A Role' }] },
          artwork: index % 2 === 0 ? { poster: 'show/poster.jpg', still: `show/${index}-thumb.png` } : null,
          updatedAt: evening - day,
          addedAt: evening - 3 * day,
        })),
      )
      .returning({ id: schema.media.id });
    mediaIds = made.map(({ id }) => id);
    episodes = await addChannel('9');
    // More than one page: a week and a half of five-minute items.
    await addRows(
      episodes,
      Array.from({ length: 12 * 24 * 10 }, (_, index) => ({
        startsAt: evening - day + index * 5 * minute,
        endsAt: evening - day + (index + 1) * 5 * minute,
        mediaId: mediaIds[index % mediaIds.length]!,
        inMs: 0,
        outMs: 5 * minute,
        guide: index + 1,
      })),
    );
    broken = await addChannel('10', { offlineTitle: 'Back soon' });
    // A time that JavaScript does not know.
    await db.execute(sql`
      insert into playout_items (channel_id, starts_at, ends_at, kind, guide)
      values (${broken}, ${new Date(evening).toISOString()}, '280000-01-01T00:00:00Z', 'program', 1)`);
    disabled = await addChannel('11', { enabled: false });
    const days = [{ slots: [{ id: 'weekend', guide: { title: 'Weekend block' } }] }];
    block = await addChannel('12', {
      offlineTitle: 'Good night',
      // As it will be when schedules have days.
      schedule: { slots: [{ id: 'plain' }], days } as never,
    });
    await addRows(block, [
      { startsAt: evening - hour, endsAt: evening, guide: 1, slot: 'plain', mediaId: mediaIds[1]! },
      { startsAt: evening, endsAt: evening + hour, guide: 2, slot: 'weekend', mediaId: mediaIds[3]! },
      {
        startsAt: evening + hour,
        endsAt: evening + 2 * hour,
        guide: 2,
        slot: 'weekend',
        mediaId: mediaIds[5]!,
      },
      { startsAt: evening + 2 * hour, endsAt: evening + 9 * day, kind: 'offline' },
    ]);
  });

  afterAll(() => database.stop());

  it('is valid, covers the whole horizon, and has no hole', async () => {
    const programmes = readProgrammes(await textOf(await rendered(episodes)), 'C9.test');
    expect(programmes.some(({ start, stop }) => start <= now && stop > now)).toBe(true);
    for (const [index, { start }] of programmes.entries()) {
      if (index > 0) expect(start).toBe(programmes[index - 1]?.stop);
    }
    expect(programmes.at(-1)!.stop).toBeGreaterThanOrEqual(now + 7 * day);
    expect(programmes.length).toBeGreaterThan(12 * 24 * 7);
    expect(programmes[0]).toMatchObject({ title: 'A Show', season: 1, isSeries: true, isRepeat: true });
  });

  it('is cut where the clock says a multiple of half a day, each programme where it starts', async () => {
    const { pieces } = await rendered(episodes);
    expect(pieces[0]!.start).toBe(pieceFloor(now - 2 * hour));
    for (const [index, piece] of pieces.entries()) {
      expect(piece.start).toBe(pieces[0]!.start + index * pieceMs);
      const text = (await unpackAside([piece.content!.packed.deflated])).toString();
      const starts = readProgrammes(text.replaceAll('\u0001', base), 'C9.test').map(({ start }) => start);
      expect(starts.every((start) => pieceFloor(start) === piece.start)).toBe(true);
      expect(piece.reaches).toBe(starts.at(-1)! + 5 * minute);
    }
  });

  it('is off air, and says why, where its timeline cannot be written', async () => {
    const fragment = await rendered(broken);
    expect(fragment.problem).toEqual(expect.any(String));
    const programmes = readProgrammes(await textOf(fragment), 'C10.test');
    expect(new Set(programmes.map(({ title }) => title))).toEqual(new Set(['Back soon']));
    expect(programmes.some(({ start, stop }) => start <= now && stop > now)).toBe(true);
  });

  it('is not there when the channel is gone or disabled', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect(await renderFragment(database.db, request(disabled))).toBeUndefined();
    expect(await renderFragment(database.db, request(nobody))).toBeUndefined();
  });

  it('has blocks under the titles of their slots, those of days too, and its own title for being off air', async () => {
    const programmes = readProgrammes(await textOf(await rendered(block)), 'C12.test');
    const shown = programmes.filter(({ stop }) => stop > evening - hour).slice(0, 3);
    expect(
      shown.map(({ title, start, stop }) => [title, (start - evening) / hour, (stop - evening) / hour]),
    ).toEqual([
      ['A Show', -1, 0],
      ['Weekend block', 0, 2],
      ['Good night', 2, 6],
    ]);
    expect(shown[1]!.description).toBe('A Show: Part 3 · A Show: Part 5');
  });

  it('gives only what is not known, and the same later', async () => {
    const first = await rendered(episodes);
    const known = new Map(first.pieces.map(({ start, hash }) => [start, hash]));
    const again = await rendered(episodes, { known, now: now + 40 * minute });
    expect(again.pieces.map(({ content }) => content)).toEqual(first.pieces.map(() => undefined));
    known.set(first.pieces[3]!.start, 'another');
    const changed = await rendered(episodes, { known });
    expect(changed.pieces.filter(({ content }) => content !== undefined)).toEqual([first.pieces[3]]);
    // Half a day later the first one is gone, another is at the end, and those between are as they were.
    const later = await rendered(episodes, { known, now: now + pieceMs });
    expect(later.pieces[0]!.start).toBe(first.pieces[1]!.start);
  });

  it('leaves the address of pictures open, or has it for each address that is asked for', async () => {
    const { pieces } = await rendered(episodes, { bases: [base, 'https://other/air'] });
    const { packed, open, local } = pieces[0]!.content!;
    expect(open).toBeGreaterThan(0);
    expect([...local.keys()]).toEqual([base, 'https://other/air']);
    expect(local.get(base)).toEqual(localise([packed.deflated], base)[0]);
    const text = (await unpackAside([local.get('https://other/air')!.deflated])).toString();
    expect(text).toContain(`<icon src="https://other/air/iptv/artwork/${mediaIds[0]}/still.png"/>`);
    expect(text).not.toContain('\u0001');
  });

  it('has the one address of a server that has only one', async () => {
    const { pieces } = await rendered(episodes, { base, bases: [base] });
    const { packed, open, local } = pieces[0]!.content!;
    expect(open).toBe(0);
    expect(local.size).toBe(0);
    expect((await unpackAside([packed.deflated])).toString()).toContain(`src="${base}/iptv/artwork/`);
  });

  it('tells when something without an air date was on for the first time, and what is new if that is wanted', async () => {
    const repeat = '<previously-shown start="20260104"/>';
    expect(await textOf(await rendered(episodes))).toContain(repeat);
    const [first] = (await rendered(block, { newDays: 30 })).pieces;
    const text = (await unpackAside([first!.content!.packed.deflated])).toString();
    // These were on the other channel before.
    expect(text).not.toContain('<new/>');
    expect(text).toContain(repeat);
  });

  it('can be moved to another thread', async () => {
    const fragment = await rendered(episodes);
    const buffers = fragment.pieces.map(({ content }) => content!.packed.deflated.buffer);
    const before = await textOf(fragment);
    expect(await textOf(structuredClone(fragment, { transfer: buffers }))).toBe(before);
  });

  it('is known to show media that have changed', async () => {
    const { db } = database;
    const changedSince = evening - hour;
    expect(await channelsShowingChanged(db, { changedSince, from: now })).toEqual([]);
    await db.execute(sql`
      update media set updated_at = ${new Date(evening).toISOString()}::timestamptz where id = ${mediaIds[5]!}`);
    const showing = await channelsShowingChanged(db, { changedSince, from: now });
    expect(new Set(showing)).toEqual(new Set([episodes, block]));
    expect(await channelsShowingChanged(db, { changedSince, from: now + 30 * day })).toEqual([]);
  });

  it('has pictures that can be found again', async () => {
    expect(await findArtwork(database.db, mediaIds[0]!)).toEqual({
      kind: 'episode',
      artwork: { poster: 'show/poster.jpg', still: 'show/0-thumb.png' },
      library: '/tv',
    });
    expect(await findArtwork(database.db, mediaIds[1]!)).toBeUndefined();
  });
});

it('cannot be written without a database', async () => {
  const connection = connect({ socket: '/nonexistent/aircheck.sock' }, { patience: patienceOf('trial') });
  await expect(
    renderFragment(connection.db, request('00000000-0000-4000-8000-000000000000')),
  ).rejects.toThrow();
  await connection.stop();
});
