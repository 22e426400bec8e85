import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { makeClip } from '../support/on-air.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const settings = {
  AIRCHECK_LIBRARY_SETTLE_MS: '0',
  AIRCHECK_LIBRARY_WATCH: 'false',
  AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
};
const hourMs = 3_600_000;

let server: RunningServer;
let folder: string;
/** Ids of media by their file names, of collections by their names, and of channels by their numbers. */
let media: Map<string, string>;
const collections = new Map<string, string>();
const channels = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-content-'));
  makeClip(join(folder, 'long.mp4'), 600);
  makeClip(join(folder, 'short.mp4'), 75);
  mkdirSync(join(folder, 'media'));
  for (const n of [1, 2, 3, 4]) record('long', `The X/Season 01/The X - S01E0${n} - X${n}.mp4`);
  for (const n of [1, 2, 3]) record('long', `The Y/Season 01/The Y - S01E0${n} - Y${n}.mp4`);
  for (const n of [1, 2]) record('short', `100%_spots/spot ${n}.mp4`);
  server = await startServer(settings);
  const { body } = await server.api('POST', '/libraries', {
    name: 'Recordings',
    path: join(folder, 'media'),
  });
  await scanned(body.id);
  media = await mediaIds();
}, 60_000);

afterAll(async () => {
  await server?.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('collections', () => {
  it('are lists by hand, queries, unions of both, and playlists', async () => {
    await collect('By hand', { kind: 'manual', media: [id('X3'), id('Y1'), id('X1'), id('X3')] });
    await collect('X', { kind: 'query', query: { show: 'the x', durationFrom: 'PT5M' } });
    await collect('Spots', { kind: 'query', query: { folder: '100%_spots', durationTo: 'PT2M' } });
    await collect('Both', { kind: 'union', members: [at('By hand'), at('X')] });
    const playlist = [
      { play: at('X'), order: 'season-episode', count: 2 },
      { play: at('Both'), order: 'shuffle', count: 'all', parts: 'together' },
    ];
    await collect('Rotation', { kind: 'playlist', playlist });
    expect(await titlesIn('By hand')).toEqual(['X3', 'Y1', 'X1', 'X3']);
    expect(await titlesIn('X')).toEqual(['X1', 'X2', 'X3', 'X4']);
    expect(await titlesIn('Spots')).toHaveLength(2);
    expect(await titlesIn('Both')).toEqual(['X3', 'Y1', 'X1', 'X2', 'X4']);
    expect((await get(`/collections/${at('Rotation')}`)).playlist).toEqual(playlist);
  });

  it('say what a query would find before it is saved, and take its signs for what they are', async () => {
    const found = async (query: object) =>
      (await server.api('POST', '/collection-preview', { kind: 'query', query })).body;
    const spots = await found({ folder: '100%_spots', addedWithin: 'PT1H' });
    expect([spots.total, Math.round(spots.durationMs / 1000)]).toEqual([2, 150]);
    expect((await found({ folder: '100%%' })).total).toBe(0);
    expect((await found({ text: '_2' })).total).toBe(0);
    expect((await found({ text: "2'; drop table media; --" })).total).toBe(0);
    expect((await found({ text: 'SPOT 2' })).total).toBe(1);
  });

  it('are refused, with the names, where they would contain themselves', async () => {
    await collect('Outer', { kind: 'union', members: [at('Both')] });
    const circle = await change('Both', { members: [at('X'), at('Outer')] });
    expect([circle.status, circle.body.detail]).toEqual([
      422,
      'The collection would contain itself: "Both" → "Outer" → "Both".',
    ]);
    const own = await change('Both', { members: [at('Both')] });
    expect(own.body.detail).toContain('"Both" → "Both"');
    const nested = await change('Both', { members: [at('Rotation')] });
    expect([nested.status, nested.body.detail]).toEqual([
      422,
      expect.stringContaining('"Rotation" is a playlist'),
    ]);
    const query = await change('By hand', { query: {} });
    expect([query.status, query.body.detail]).toEqual([422, expect.stringContaining('manual')]);
    expect(await titlesIn('Both')).toEqual(['X3', 'Y1', 'X1', 'X2', 'X4']);
  });

  it('are not deleted while something uses them, and it is named', async () => {
    const inUse = await server.api('DELETE', `/collections/${at('Both')}`);
    expect(inUse.status).toBe(409);
    expect(inUse.body.detail).toBe('The collection is used by the collection "Outer", "Rotation".');
    expect((await server.api('DELETE', `/collections/${at('Outer')}`)).status).toBe(204);
  });
});

describe('a channel', () => {
  it('plays them, and is not in the way of its own edits', async () => {
    const { body: profiles } = await server.api('GET', '/profiles');
    const profileId = profiles.items[0].id;
    const mixed = {
      slots: [
        {
          ...{ id: 'mixed', play: at('Both'), order: 'shuffle', mode: 'flood' },
          filler: { post: { from: at('Spots'), pad: 'PT15M' }, fallback: { from: at('Spots') } },
        },
        { id: 'news', play: at('X'), mode: 'one', start: '20:00', guide: { title: 'At eight' } },
      ],
      days: [
        { when: { months: [2], monthdays: [30] }, slots: [{ id: 'leap', play: at('X'), mode: 'flood' }] },
      ],
    };
    const rotating = { slots: [{ id: 'all', play: at('Rotation'), mode: 'flood' }] };
    for (const [number, schedule] of Object.entries({ '5': mixed, '6.1': rotating })) {
      const { status, body } = await server.api('POST', '/channels', {
        ...{ number, name: `Channel ${number}`, profileId, zone: 'America/Chicago', seed: 7, schedule },
      });
      expect([number, status]).toEqual([number, 201]);
      channels.set(number, body.id);
      expect(body.playout).toMatchObject({ status: 'ok', problems: [] });
    }
    const inUse = await server.api('DELETE', `/collections/${at('Both')}`);
    expect(inUse.body.detail).toBe('The collection is used by channel 5 and by the collection "Rotation".');
  });

  it('plays new recordings beyond the next two hours once the playout task has run', async () => {
    const before = await timeline(server, '6.1');
    record('long', 'The X/Season 01/The X - S01E05 - X5.mp4');
    const [library] = (await get('/libraries')).items;
    await scanned(library.id);
    const { body } = await server.api('POST', '/tasks/playout/run');
    expect(body.lastError).toBeUndefined();
    const after = await timeline(server, '6.1');
    const horizon = Date.now() + 2 * hourMs - 60_000;
    const frozen = before.filter(({ start }) => Date.parse(start) < horizon);
    expect(after.slice(0, frozen.length)).toEqual(frozen);
    expect(before.some(({ title }) => title === 'X5')).toBe(false);
    const first = after.find(({ title }) => title === 'X5');
    expect(Date.parse(first!.start)).toBeGreaterThan(horizon);
  });

  it('changes within the next two hours only where an edit says from now', async () => {
    const before = await timeline(server, '6.1', 1);
    const schedule = { slots: [{ id: 'other', play: at('By hand'), order: 'custom', mode: 'flood' }] };
    const path = `/channels/${channels.get('6.1')}`;
    const { body: old } = await server.api('GET', path);
    await server.api('PATCH', path, { schedule });
    expect(await timeline(server, '6.1', 1)).toEqual(before);
    await server.api('PATCH', path, { schedule, from: 'now' });
    const edited = await timeline(server, '6.1', 1);
    expect(edited[0]).toEqual(before[0]);
    expect(new Set(edited.slice(1).map(({ slot }) => slot))).toEqual(new Set(['other']));
    await server.api('PATCH', path, { schedule: old.schedule, from: 'now' });
  });
});

describe('a preview', () => {
  it('shows what a schedule would air and how that differs, and changes nothing', async () => {
    const path = `/channels/${channels.get('5')}`;
    const { body: channel } = await server.api('GET', path);
    const kept = [await timeline(server, '5'), await everything()];
    const preview = async (request: object, query = '') =>
      await server.api('POST', `${path}/preview${query}`, request);

    const same = (await preview({ schedule: channel.schedule })).body;
    expect(same.difference).toMatchObject({ added: 0, removed: 0 });
    expect(same.difference.unchanged).toBe(same.total);
    expect(same.items.every(({ stored }: { stored: boolean }) => stored)).toBe(true);

    const schedule = { slots: [{ id: 'new', play: at('X'), mode: 'flood' }] };
    const other = (await preview({ schedule, from: 'now' }, '?limit=3')).body;
    expect(other.items.map(({ media }: { media: { title: string } }) => media.title)).toEqual([
      'X1',
      'X2',
      'X3',
    ]);
    const { added, unchanged, firstAt } = other.difference;
    expect([added + unchanged, added > unchanged]).toEqual([other.total, true]);
    expect(firstAt).toBe(other.from);
    expect(other.gone.length).toBeGreaterThan(0);
    const to = new Date(Date.parse(other.from) + 14 * 24 * hourMs).toISOString();
    const long = (await preview({ schedule, from: other.from, to })).body;
    expect([long.from, long.to, long.total]).toEqual([other.from, to, 14 * 24 * 6]);
    expect(Date.parse(long.difference.to)).toBeLessThan(Date.parse(to));

    expect([await timeline(server, '5'), await everything()]).toEqual(kept);
  });

  it('refuses what cannot be planned, and says why', async () => {
    const path = `/channels/${channels.get('5')}/preview`;
    const slots = [{ id: 'a', play: 'nothing', mode: 'flood' }];
    const missing = await server.api('POST', path, { schedule: { slots } });
    expect([missing.status, missing.body.detail]).toEqual([422, 'There is no collection "nothing".']);
    const known = { slots: [{ ...slots[0], play: at('X') }] };
    const early = await server.api('POST', path, { schedule: known, to: '2020-01-01T00:00:00Z' });
    expect([early.status, early.body.detail]).toEqual([422, expect.stringContaining('"to" must be after')]);
    expect((await server.api('POST', path, { schedule: { slots: [] } })).status).toBe(422);
    expect((await server.api('POST', path.replace(/[\da-f-]{36}/, 'x'), { schedule: known })).status).toBe(
      400,
    );
  });
});

describe('an explanation', () => {
  it('says in words why a programme, filler or nothing is on, and why nothing can be said', async () => {
    const items = await timeline(server, '5', 40);
    const [programme, filler] = ['program', 'filler'].map(
      (kind) => items.find((item) => item.kind === kind)!,
    );
    const of = async (item: Item) => (await explain(item.start)).body.words.join(' ');
    expect(await of(programme!)).toMatch(
      /^"\w\d" is on: .* \(America\/Chicago\)\..*The slot "mixed" .* It was taken from the collection "Both", shuffled: number \d+ of round \d+\..* It is on air, and stays whatever is edited\./,
    );
    expect(await of(filler!)).toMatch(/will be on: .*"Spots".*(post-roll it follows|fills)/);
    expect(await of(items.at(-1)!)).toMatch(/It may still change/);
    const soon = items.find(({ start }) => Date.parse(start) > Date.now())!;
    expect(await of(soon)).toMatch(/within the next 2 hours, and so stays/);
    expect(await of(items.find(({ slot }) => slot === 'news')!)).toMatch(
      /starts at 20:00 and plays one item/,
    );

    const beyond = await explain(new Date(Date.now() + 30 * 24 * hourMs).toISOString());
    expect([beyond.status, beyond.body.detail]).toEqual([
      404,
      expect.stringMatching(/^The timeline reaches to/),
    ]);
    const before = await explain('2020-01-01T00:00:00Z');
    expect([before.status, before.body.detail]).toEqual([
      404,
      expect.stringMatching(/^The timeline begins at/),
    ]);
  });
});

describe('channels as a file', () => {
  let file: string;
  let twin: RunningServer;

  /** What the command says when it does not take a file. */
  async function refusal(text: string): Promise<string> {
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, text);
    const failed = await aircheck(twin, ['import', wrong]).then(
      () => undefined,
      (error: { code: number; stderr: string }) => error,
    );
    expect(failed?.code).toBe(1);
    return failed!.stderr;
  }

  beforeAll(async () => {
    file = join(folder, 'channels.yaml');
    twin = await startServer(settings);
  });
  afterAll(() => twin?.remove());

  it('are exported by the command line, without secrets, as its schema says', async () => {
    await aircheck(server, ['export', file]);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('name: By hand');
    expect(text).not.toContain(server.key);
    expect(text).not.toContain(server.data);
    const { stdout } = await aircheck(server, ['export', '--schema']);
    const schema = z.fromJSONSchema(JSON.parse(stdout));
    const content = parse(text);
    expect(schema.safeParse(content).error).toBeUndefined();
    for (const wrong of [
      { ...content, colour: 'red' },
      { ...content, channels: [{ ...content.channels[0], colour: 'red' }] },
      { ...content, collections: [{ ...content.collections[0], name: 5 }] },
      { ...content, aircheck: 2 },
    ]) {
      expect(schema.safeParse(wrong).success).toBe(false);
    }
  });

  it('are refused as a whole, with paths and lines, when anything is wrong', async () => {
    const text = readFileSync(file, 'utf8');
    const problems = async (wrong: string | Uint8Array<ArrayBuffer>) => {
      const { status, body } = await post(twin, wrong);
      expect([status, body.detail]).toEqual([422, expect.stringMatching(/^Nothing was imported: /)]);
      return body.errors.map(({ path, message }) => `${path}: ${message}`);
    };
    const zone = text.replace('zone: America/Chicago', 'zone: Mars/Olympus');
    expect(await problems(zone)).toEqual([
      expect.stringMatching(/^channels\.0\.zone: .*IANA.* \(line \d+\)$/),
    ]);
    const unknown = text.replace('  - name: Both', '  - name: Neither');
    expect(await problems(unknown)).toEqual(
      expect.arrayContaining([
        'collections.2.playlist.1.play: there is no collection "Both"',
        'channels.0.schedule.slots.0.play: there is no collection "Both"',
      ]),
    );
    expect(await problems(text.replace('aircheck: 1', 'aircheck: 2'))).toEqual([
      expect.stringMatching(/^aircheck: .*newer aircheck/),
    ]);
    expect(await problems(`${text}colour: red\n`)).toEqual([
      expect.stringMatching(/^colour: this key is not known here \(line \d+\)$/),
    ]);
    expect(await problems('['.repeat(1_000_000))).toEqual([': it is nested too deeply']);
    expect(await problems(Buffer.from('aircheck: \xff', 'latin1'))).toEqual([': it is not text in UTF-8']);
    const nul = text
      .replace('name: Recordings', 'name: "\\0"')
      .replaceAll('library: Recordings', 'library: "\\0"');
    expect((await problems(nul))[0]).toMatch(/NUL/);
    expect((await twin.api('GET', '/libraries')).body.total).toBe(0);
    expect((await twin.api('GET', '/collections')).body.total).toBe(0);
  });

  it('can be tried without a change', async () => {
    const { stdout } = await aircheck(twin, ['import', '--dry-run', file]);
    expect(stdout).toMatch(/library Recordings: would be added/);
    expect(stdout).toMatch(/channel 6\.1: would be added/);
    expect((await twin.api('GET', '/libraries')).body.total).toBe(0);
    expect((await twin.api('GET', '/channels')).body.total).toBe(0);
  });

  it('air the same on another server, to the millisecond', async () => {
    const exportedAt = Date.now();
    await aircheck(server, ['export', file]);
    const { stdout } = await aircheck(twin, ['import', file]);
    expect(stdout).toMatch(/collection Rotation: added/);
    for (const number of channels.keys()) {
      await until('the channel is planned', async () => (await isPlanned(twin, number)) || undefined);
      const [one, other] = [
        await airings(server, number, exportedAt),
        await airings(twin, number, exportedAt),
      ];
      expect(one.length).toBeGreaterThan(60);
      expect(other).toEqual(one);
    }
  });

  it('are left as they are by a second import, and changed only when that is wanted', async () => {
    const again = await aircheck(twin, ['import', file]);
    expect(again.stdout).toMatch(/channel 5: is there already/);
    expect(again.stdout).not.toMatch(/added|changed/);
    const changed = readFileSync(file, 'utf8').replace('name: Channel 5', 'name: Fifth');
    expect(await refusal(changed)).toMatch(/channels\.0: channel 5 is there already, and is not the same/);
    writeFileSync(file, changed);
    const replaced = await aircheck(twin, ['import', '--replace', file]);
    expect(replaced.stdout).toMatch(/channel 5: changed/);
    const { body } = await twin.api('GET', '/channels');
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['Fifth', 'Channel 6.1']);
  });

  it('may not be larger than a server can take', async () => {
    const response = await fetch(`${twin.base}/api/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${twin.key}`, 'content-type': 'application/yaml' },
      body: new Uint8Array(64 * 1024 * 1024),
    }).catch(() => undefined);
    // The connection may be closed while the body is still being sent.
    if (response !== undefined) expect(response.status).toBe(413);
    expect((await twin.api('GET', '/channels')).status).toBe(200);
  });
});

interface Item {
  start: string;
  stop: string;
  kind: string;
  title?: string;
  media?: string;
  in?: number;
  slot?: string;
  filler?: string;
}

/** What a channel airs from now on, for some hours. */
async function timeline(on: RunningServer, number: string, hours = 26, from = Date.now()): Promise<Item[]> {
  const { body } = await on.api('GET', '/channels');
  const channel = body.items.find((one: { number: string }) => one.number === number);
  const range = [from, from + hours * hourMs].map((instant) => new Date(instant).toISOString());
  const path = `/channels/${channel.id}/playout?limit=500&from=${range[0]}&to=${range[1]}`;
  const { items } = (await on.api('GET', path)).body;
  return items.map(({ media: on, ...item }: { media?: { id: string; title: string } }) => ({
    ...item,
    ...(on === undefined ? {} : { title: on.title, media: on.id }),
  }));
}

/** The same without what differs from server to server, and with the paths of the media. */
async function airings(on: RunningServer, number: string, from: number): Promise<string[]> {
  const { items } = (await on.api('GET', '/media?limit=100')).body;
  const paths = new Map(items.map((one: { id: string; path: string }) => [one.id, one.path]));
  return (await timeline(on, number, 26, from)).map(
    ({ start, stop, kind, in: inMs, media: playing = '' }) =>
      `${start} ${stop} ${kind} ${inMs} ${paths.get(playing)}`,
  );
}

async function isPlanned(on: RunningServer, number: string): Promise<boolean> {
  const { body } = await on.api('GET', '/channels');
  return body.items.find((one: { number: string }) => one.number === number).playout.status === 'ok';
}

async function explain(instant: string) {
  return await server.api('GET', `/channels/${channels.get('5')}/explain?at=${instant}`);
}

/** All that the API tells of what is kept. */
async function everything(): Promise<unknown> {
  return await Promise.all(['/libraries', '/collections', '/profiles', '/channels'].map(get));
}

async function aircheck(on: RunningServer, args: string[]): Promise<{ stdout: string }> {
  const env = { ...process.env, AIRCHECK_DATA: on.data };
  const command = [main, ...args.slice(0, 1), '--url', on.base, ...args.slice(1)];
  return await promisify(execFile)(process.execPath, command, { env });
}

interface Problem {
  path: string;
  message: string;
}

async function post(on: RunningServer, text: string | Uint8Array<ArrayBuffer>) {
  const headers = { authorization: `Bearer ${on.key}`, 'content-type': 'application/yaml' };
  const response = await fetch(`${on.base}/api/import`, { method: 'POST', headers, body: text });
  return { status: response.status, body: (await response.json()) as { detail: string; errors: Problem[] } };
}

async function collect(name: string, body: object): Promise<void> {
  const answer = await server.api('POST', '/collections', { name, ...body });
  expect([name, answer.status, answer.body.detail]).toEqual([name, 201, undefined]);
  collections.set(name, answer.body.id);
}

async function change(name: string, changes: object) {
  return await server.api('PATCH', `/collections/${at(name)}`, changes);
}

async function titlesIn(name: string): Promise<string[]> {
  return (await get(`/collections/${at(name)}/media`)).items.map(({ title }: { title: string }) => title);
}

function at(name: string): string {
  return collections.get(name)!;
}

function id(title: string): string {
  return media.get(title)!;
}

async function get(path: string) {
  const { status, body } = await server.api('GET', path);
  expect([path, status]).toEqual([path, 200]);
  return body;
}

function record(clip: string, path: string): void {
  const file = join(folder, 'media', path);
  mkdirSync(dirname(file), { recursive: true });
  copyFileSync(join(folder, `${clip}.mp4`), file);
}

async function scanned(libraryId: string): Promise<void> {
  await server.api('POST', `/libraries/${libraryId}/scan`);
  await until('the library is scanned', async () => {
    const { state, pending } = await get(`/libraries/${libraryId}/scan`);
    return (state === 'done' && pending === 0) || undefined;
  });
}

async function mediaIds(): Promise<Map<string, string>> {
  const { items } = await get('/media?limit=100&state=ready');
  return new Map(items.map((one: { id: string; title: string }) => [one.title, one.id]));
}
