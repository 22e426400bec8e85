import { gunzipSync } from 'node:zlib';
import { sql } from 'drizzle-orm';
import { XMLParser } from 'fast-xml-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/db/connection.ts';
import { listGuideChannels } from '../../src/db/guide.ts';
import { patienceOf } from '../../src/db/patience.ts';
import * as schema from '../../src/db/schema.ts';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import { type RenderedGuide, renderGuide } from '../../src/guide/render.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { documentErrors, xmllintErrors } from './dtd.ts';
import { evening, hour, minute } from './lineup.ts';

const options = { now: evening + 10 * minute, days: 7, language: 'en' };
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', parseTagValue: false });

interface Written {
  document: string;
  channels: string[];
  programmes: { start: string; stop: string; channel: string; title: { '#text': string } }[];
}

function read({ body }: RenderedGuide): Written {
  const document = new TextDecoder().decode(body);
  const { tv } = parser.parse(document);
  return { document, channels: tv.channel.map((each: { id: string }) => each.id), programmes: tv.programme };
}

describe.each(databases)('the guide from the $name database', ({ open }) => {
  let database: TestDatabase;
  const ids: Record<string, string> = {};

  async function addChannel(number: string, enabled = true): Promise<string> {
    const [profile] = await database.db.select().from(schema.profiles).limit(1);
    const [made] = await database.db
      .insert(schema.channels)
      .values({
        number,
        name: `Channel ${number}`,
        guideId: `C${number}.test`,
        profileId: profile!.id,
        enabled,
        schedule: { slots: [] },
      })
      .returning({ id: schema.channels.id });
    return made!.id;
  }

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
    const media = await db
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
        })),
      )
      .returning({ id: schema.media.id });
    for (const number of ['10', '9', '5.1']) ids[number] = await addChannel(number);
    ids['8'] = await addChannel('8', false);
    // More than one page: a week and a half of five-minute items.
    const rows = Array.from({ length: 12 * 24 * 10 }, (_, index) => ({
      channelId: ids['9']!,
      startsAt: evening - 24 * hour + index * 5 * minute,
      endsAt: evening - 24 * hour + (index + 1) * 5 * minute,
      kind: 'program' as const,
      mediaId: media[index % media.length]!.id,
      inMs: 0,
      outMs: 5 * minute,
      guide: index + 1,
    }));
    for (let at = 0; at < rows.length; at += 500) {
      await db.insert(schema.playoutItems).values(rows.slice(at, at + 500));
    }
    // A time that JavaScript does not know.
    await db.execute(sql`
      insert into playout_items (channel_id, starts_at, ends_at, kind, guide)
      values (${ids['10']}, ${new Date(evening).toISOString()}, '280000-01-01T00:00:00Z', 'program', 1)`);
  });

  afterAll(() => database.stop());

  it('lists the enabled channels by number', async () => {
    const channels = await listGuideChannels(database.db);
    expect(channels.map((channel) => channel.number)).toEqual(['5.1', '9', '10']);
    expect(channels[0]).toMatchObject({ enabled: true, logoUrl: undefined, guideId: 'C5.1.test' });
  });

  it('is valid, covers the whole horizon, and has every channel with a programme that is on now', async () => {
    const { document, channels, programmes } = read(await renderGuide(database.db, options));
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
    expect(channels).toEqual(['C5.1.test', 'C9.test', 'C10.test']);
    for (const id of channels) {
      const own = programmes.filter((programme) => programme.channel === id);
      expect(own.some(({ start, stop }) => start <= '20260105181000' && stop > '20260105181000')).toBe(true);
      for (const [index, { start }] of own.entries()) if (index > 0) expect(start).toBe(own[index - 1]?.stop);
      expect(own.at(-1)!.stop >= '20260112181000 +0000').toBe(true);
    }
    expect(programmes.filter((programme) => programme.channel === 'C9.test').length).toBeGreaterThan(
      12 * 24 * 7,
    );
  });

  it('shows a channel that cannot be written under its name, and the others as they are', async () => {
    const rendered = await renderGuide(database.db, options);
    expect(rendered.problems).toEqual([{ channelId: ids['10'], message: expect.any(String) }]);
    const { programmes } = read(rendered);
    const titles = programmes
      .filter((each) => each.channel === 'C10.test')
      .map((each) => each.title['#text']);
    expect(new Set(titles)).toEqual(new Set(['Channel 10']));
  });

  it('can be moved to another thread', async () => {
    const { body, gzip, ...rest } = await renderGuide(database.db, options);
    const moved = structuredClone({ body, gzip }, { transfer: [body.buffer, gzip.buffer] });
    expect(gunzipSync(moved.gzip).equals(moved.body)).toBe(true);
    expect(structuredClone(rest)).toEqual(rest);
  });

  it('comes compressed too, and is the same for as long as nothing changes', async () => {
    const first = await renderGuide(database.db, options);
    const later = await renderGuide(database.db, { ...options, now: options.now + 10 * minute });
    expect(gunzipSync(first.gzip).equals(first.body)).toBe(true);
    expect(later.etag).toBe(first.etag);
  });
});

it('cannot be built without a database', async () => {
  const connection = connect({ socket: '/nonexistent/aircheck.sock' }, { patience: patienceOf('trial') });
  await expect(renderGuide(connection.db, options)).rejects.toThrow();
  await connection.stop();
});
