import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fullChannels } from '../../src/db/channels.ts';
import { channelsShowingChanged } from '../../src/db/guide.ts';
import * as schema from '../../src/db/schema.ts';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import { GuideService } from '../../src/guide/guide-service.ts';
import type { LineupChannel } from '../../src/playout/lineup.ts';
import { WorkerPool } from '../../src/worker-pool.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { documentErrors, tvValidateErrors, xmllintErrors } from './dtd.ts';
import { startGuideServer } from './guide-server.ts';
import { hour, minute } from './lineup.ts';
import { readAsKodi, readGuideAsJellyfin, readGuideAsKodi, readGuideChannels } from './players.ts';

/** Everything that XML, M3U or a reader of these could stumble over, as far as a database takes it. */
const nasty = [
  'Tom & Jerry',
  '<b>"Bold"</b> \'n\' <![CDATA[ ]]> ]]>',
  '<!-- --> <?xml version="1.1"?> <!DOCTYPE tv [<!ENTITY a "b">]> &a;',
  'already &amp; &lt;escaped&gt; &#0; &#x1F600; &unknown;',
  Array.from({ length: 32 }, (_, code) => String.fromCharCode(code + 1)).join('x'),
  'del \u007f c1 \u0080\u0085\u009f nbsp \u00a0 shy \u00ad',
  'not \ufffe \uffff \u{1ffff} \ufdd0 characters, and \ufffd',
  'private \ue000 \u{10fffd} planes',
  '👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇺',
  '\u202eright to left\u202c عنوان עברית \u200f',
  'Zalgo Z\u0351\u036b\u0343\u036a\u0302 ﷽ ㍿',
  '\ufeffbyte order mark',
  'line\u2028and\u2029paragraph\r\nseparators\t.',
  ' \t ',
  '%s %n {{x}} `x` $(x) \\ \\u0000 \\x00',
  "'; drop table media; --",
  'catchup="x" tvg-id="y",z',
  'x'.repeat(10_000),
  '😀'.repeat(5_000),
  '&'.repeat(2_000),
  '',
];

const log = pino({ level: 'silent' });

describe.each(databases)('the guide of a library that XML dislikes ($name)', ({ open }) => {
  let database: TestDatabase;
  let worker: WorkerPool;
  let guide: GuideService;
  let server: Awaited<ReturnType<typeof startGuideServer>>;
  let lineup: LineupChannel[] = [];
  const start = Math.floor(Date.now() / hour) * hour;

  beforeAll(async () => {
    database = await open();
    const { db } = database;
    await fill();
    lineup = (await fullChannels(db)).map((each) => each.lineup);
    worker = new WorkerPool(database.target, log);
    guide = new GuideService({
      lineup: () => lineup,
      render: (wanted, signal) => worker.renderFragment(wanted, signal),
      localise: (deflated, to) => worker.localise(deflated, to),
      showingChanged: (changedSince) => channelsShowingChanged(db, { changedSince, from: start }),
      config: {
        publicUrl: undefined,
        guide: { days: 3, language: 'en', newDays: 0, episodeIcon: 'still' },
      },
      log,
      editWaitMs: 20_000,
    });
    server = await startGuideServer({ db, guide, lineup: () => lineup });
  });

  afterAll(async () => {
    await server?.stop();
    await guide?.stop();
    await worker?.stop();
    await database?.stop();
  });

  /** Each text in every place that the guide has for one; one channel that airs them, one with blocks, one off air. */
  async function fill() {
    const { db } = database;
    await db
      .insert(schema.profiles)
      .values({ name: 'nasty', spec: shippedProfiles[0]!.spec })
      .onConflictDoNothing();
    const [profile] = await db.select().from(schema.profiles).limit(1);
    const [library] = await db.insert(schema.libraries).values({ name: 'tv', path: '/tv' }).returning();
    const kinds = ['episode', 'movie', 'other'] as const;
    const media = await db
      .insert(schema.media)
      .values(
        nasty.flatMap((text, index) =>
          kinds.map((kind) => ({
            libraryId: library!.id,
            path: `${kind}/${index}.mkv`,
            ...{ size: 1, mtimeMs: 1, state: 'ready' as const, durationMs: hour, kind },
            title: text,
            show: kind === 'episode' ? text : null,
            season: index % 3,
            episode: index,
            year: 1900 + index,
            aired: index % 2 === 0 ? '1999-03-17' : null,
            plot: text,
            genres: [text, 'Drama'],
            rating: text,
            credits: { directors: [text], actors: [{ name: text, role: text }], writers: [text] },
            artwork: { poster: `${text.slice(0, 50)}.jpg` },
          })),
        ),
      )
      .returning({ id: schema.media.id });
    const titled = nasty.map((text, index) => ({ id: `slot ${index}`, guide: { title: text } }));
    const channels = await db
      .insert(schema.channels)
      .values(
        nasty.map((text, index) => ({
          number: `${index + 1}`,
          name: text,
          group: text,
          logoUrl: index === 0 ? 'https://art.example.org/a.png?a=1&b=<2>' : null,
          guideId: `C${index + 1}.abcdef.aircheck.local`,
          profileId: profile!.id,
          offlineTitle: text,
          schedule: { slots: titled } as never,
        })),
      )
      .returning({ id: schema.channels.id });
    const rows = (channelId: string, slots: boolean) =>
      media.map(({ id }, index) => ({
        channelId,
        startsAt: start + (index - 30) * 50 * minute,
        endsAt: start + (index - 29) * 50 * minute,
        kind: 'program' as const,
        mediaId: id,
        inMs: 0,
        outMs: 50 * minute,
        guide: slots ? Math.floor(index / 3) : index,
        slot: slots ? `slot ${Math.floor(index / 3)}` : null,
      }));
    await db.insert(schema.playoutItems).values(rows(channels[0]!.id, false));
    await db.insert(schema.playoutItems).values(rows(channels[1]!.id, true));
  }

  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetched(`${server.base}/iptv/${path}`, headers, method);

  it('is valid for xmllint and for tv_validate_file', async () => {
    const document = (await get('xmltv.xml')).bytes.toString();
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
    expect(tvValidateErrors(document)).toBe('');
    expect(document).not.toMatch(/\p{Surrogate}|(?![\n\t])\p{Cc}|\p{Noncharacter_Code_Point}/u);
  });

  it('is read alike by the players, without a hole, and with nothing that has no title', async () => {
    const document = (await get('xmltv.xml')).bytes.toString();
    const jellyfin = readGuideAsJellyfin(document);
    const kodi = readGuideAsKodi(document);
    const told = (programmes: typeof kodi) =>
      programmes.map(({ channel, start: at, stop, title, isMovie }) => [channel, at, stop, title, isMovie]);
    expect(told(jellyfin)).toEqual(told(kodi));
    for (const { id } of readGuideChannels(document)) {
      const own = kodi.filter(({ channel }) => channel === id);
      expect(own.some(({ start: from, stop }) => from <= start && stop > start)).toBe(true);
      for (const [index, programme] of own.entries()) {
        expect(programme.title.trim()).not.toBe('');
        expect(programme.description.length).toBeLessThan(1000);
        if (index > 0) expect(programme.start).toBe(own[index - 1]!.stop);
      }
    }
    for (const { season, episode, isSeries } of jellyfin.filter(({ channel }) => channel.startsWith('C1.'))) {
      expect(isSeries).toBe(episode !== undefined);
      if (season !== undefined) expect(season).toBeGreaterThan(0);
    }
  });

  it('has the channels of the playlist, by the same ids, names and numbers', async () => {
    const document = (await get('xmltv.xml')).bytes.toString();
    const playlist = (await get('channels.m3u')).bytes.toString();
    const listed = readAsKodi(playlist);
    const channels = readGuideChannels(document);
    expect(channels.map(({ id }) => id)).toEqual(listed.map(({ id }) => id));
    for (const [index, { names }] of channels.entries()) {
      expect(names).toContain(listed[index]!.number);
    }
    expect(playlist).toContain(`x-tvg-url="${server.base}/iptv/xmltv.xml"`);
  });

  it('comes compressed to who can take it, under an address of its own, and is the same then', async () => {
    const plain = await get('xmltv.xml');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.headers['content-type']).toBe('application/xml; charset=utf-8');
    for (const accepted of ['gzip', 'deflate, x-gzip;q=0.5', 'br, GZIP; q=1']) {
      const zipped = await get('xmltv.xml', { 'accept-encoding': accepted });
      expect(zipped.headers['content-encoding']).toBe('gzip');
      expect(zipped.headers['content-length']).toBe(`${zipped.bytes.length}`);
      expect(gunzipSync(zipped.bytes).equals(plain.bytes)).toBe(true);
    }
    for (const refused of ['gzip;q=0', 'gzip; q=0.000, identity', 'br, deflate', 'identity']) {
      const answer = await get('xmltv.xml', { 'accept-encoding': refused });
      expect(answer.headers['content-encoding']).toBeUndefined();
    }
    const file = await get('xmltv.xml.gz', { 'accept-encoding': 'gzip' });
    expect(file.headers).toMatchObject({ 'content-type': 'application/gzip' });
    expect(file.headers['content-encoding']).toBeUndefined();
    expect(gunzipSync(file.bytes).equals(plain.bytes)).toBe(true);
  });

  it('answers a HEAD as a GET, and 304 to who has it', async () => {
    for (const [path, accepted] of [
      ['xmltv.xml', 'identity'],
      ['xmltv.xml', 'gzip'],
      ['xmltv.xml.gz', 'identity'],
      ['channels.m3u', 'identity'],
    ] as const) {
      const whole = await get(path, { 'accept-encoding': accepted });
      const head = await get(path, { 'accept-encoding': accepted }, 'HEAD');
      const lasting = ({ date: _, 'keep-alive': __, ...headers }: typeof head.headers) => headers;
      if (path !== 'channels.m3u') expect(lasting(head.headers)).toEqual(lasting(whole.headers));
      expect(head.bytes).toHaveLength(0);
      const { etag = '', 'last-modified': modified } = whole.headers;
      const same = await get(path, { 'accept-encoding': accepted, 'if-none-match': `"x", ${etag}` });
      expect(same.status).toBe(304);
      expect(same.bytes).toHaveLength(0);
      expect(same.headers.etag).toBe(etag);
      if (modified === undefined) continue;
      expect((await get(path, { 'if-modified-since': modified })).status).toBe(304);
    }
  });

  it('has the addresses of pictures below the one by which it was asked for', async () => {
    const elsewhere = await get('xmltv.xml', {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'tv.example.org',
      'x-forwarded-prefix': '/air',
    });
    const text = elsewhere.bytes.toString();
    expect(text).toContain('<icon src="https://tv.example.org/air/iptv/artwork/');
    expect(text).not.toContain(server.base);
    expect(elsewhere.headers.etag).not.toBe((await get('xmltv.xml')).headers.etag);
    expect(elsewhere.headers.vary).toContain('X-Forwarded-Host');
  });

  it('can be had for some channels and fewer days, and says what cannot be had', async () => {
    const part = await get('xmltv.xml?channels=2,%20C,3&days=1');
    const document = part.bytes.toString();
    expect(documentErrors(document)).toEqual([]);
    expect(readGuideChannels(document).map(({ id }) => id)).toEqual([
      'C2.abcdef.aircheck.local',
      'C3.abcdef.aircheck.local',
    ]);
    expect(part.bytes.length).toBeLessThan((await get('xmltv.xml?channels=2,3')).bytes.length);
    expect((await get('xmltv.xml?channels=99')).status).toBe(404);
    for (const days of ['0', '4', '1.5', '-1', 'all', '1e1', '']) {
      expect((await get(`xmltv.xml?days=${days}`)).status).toBe(422);
    }
  });

  it('shows an edit to the next who asks', async () => {
    const { db } = database;
    const before = await get('xmltv.xml');
    const { id } = lineup[4]!;
    await db.update(schema.channels).set({ offlineTitle: 'Back <at> six' }).where(eq(schema.channels.id, id));
    guide.invalidate(id);
    const after = await get('xmltv.xml', { 'if-none-match': before.headers.etag! });
    expect(after.status).toBe(200);
    expect(after.bytes.toString()).toContain('>Back &lt;at&gt; six<');
  });
});

it('is 503 with the time to come back before there is a guide', async () => {
  const guide = new GuideService({
    lineup: () => [{ id: 'a', number: '1' } as LineupChannel],
    render: () => Promise.reject(new Error('no database')),
    localise: () => Promise.reject(new Error('no thread')),
    showingChanged: async () => [],
    config: { publicUrl: undefined, guide: { days: 1, language: 'en', newDays: 0, episodeIcon: 'still' } },
    log,
  });
  const server = await startGuideServer({ db: undefined as never, guide, lineup: () => [] });
  for (const path of ['xmltv.xml', 'xmltv.xml.gz']) {
    const answer = await fetched(`${server.base}/iptv/${path}`);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
  await server.stop();
  await guide.stop();
});

/** As it comes over the wire: nothing is unpacked on the way. */
async function fetched(url: string, headers: Record<string, string> = {}, method = 'GET') {
  return await new Promise<{
    status: number;
    headers: Record<string, string | undefined>;
    bytes: Buffer;
  }>((resolve, reject) => {
    request(url, { method, headers, agent: false }, (response) => {
      buffer(response).then(
        (bytes) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Record<string, string | undefined>,
            bytes,
          }),
        reject,
      );
    })
      .on('error', reject)
      .end();
  });
}
