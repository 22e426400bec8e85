import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { goOnAir, type OnAir } from '../support/on-air.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';
import { unzip } from '../support/unzip.ts';

const parts = [
  ...['README.txt', 'manifest.json', 'channel.json', 'schedule.json', 'status.json', 'timeline.json'],
  ...['encoders.json', 'media.json', 'tasks.json', 'health.json', 'metrics.txt'],
  ...['log-channel.ndjson', 'log-server.ndjson'],
];

async function download(station: OnAir): Promise<{ response: Response; files: Map<string, string> }> {
  const response = await fetch(`${station.server.base}/api/channels/${station.channel.id}/diagnostics`, {
    headers: { authorization: `Bearer ${station.server.key}` },
  });
  expect(response.status).toBe(200);
  return { response, files: await unzip(Buffer.from(await response.arrayBuffer())) };
}

describe('the bundle for a bug report', () => {
  const key = 'an-admin-key-that-nobody-may-see';
  let station: OnAir;

  beforeAll(async () => {
    // The recordings are below the home directory.
    station = await goOnAir({ AIRCHECK_ADMIN_KEY: key, HOME: tmpdir() });
  }, 120_000);

  afterAll(() => station?.end());

  it('is a zip file with all that there is to say of a channel', async () => {
    const { response, files } = await download(station);
    expect(response.headers.get('content-type')).toBe('application/zip');
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="aircheck-channel-1-\d{4}-\d\d-\d\dT\d{6}Z\.zip"$/,
    );
    expect([...files.keys()]).toEqual(parts);
    const read = (name: string) => JSON.parse(files.get(name) ?? '');

    expect(read('manifest.json')).toMatchObject({
      node: process.versions.node,
      ffmpeg: expect.stringMatching(/^ffmpeg version/),
      config: { given: ['adminKey'], host: '127.0.0.1' },
    });
    expect(read('channel.json')).toMatchObject({ id: station.channel.id, number: '1' });
    expect(read('schedule.json').schedule.slots).toHaveLength(1);
    expect(read('status.json')).toMatchObject({
      playout: { status: 'ok' },
      stream: { state: expect.any(String), viewers: [{}] },
    });
    const timeline = read('timeline.json');
    expect(timeline.items.length).toBe(timeline.total);
    const [first, last] = [timeline.items[0], timeline.items.at(-1)];
    expect(Date.parse(first.startsAt)).toBeLessThan(Date.now());
    expect(Date.parse(last.endsAt)).toBeGreaterThan(Date.now() + 5 * 3_600_000);
    expect(read('media.json')).toMatchObject([
      { probe: { video: { codec: 'h264' } }, file: { bytes: expect.any(Number) } },
    ]);
    expect(read('tasks.json').map(({ name }: { name: string }) => name)).toContain('playout');
    read('encoders.json');
    read('health.json');
  });

  it('holds no secret, names the files, and does not say whose home they are in', async () => {
    const { files } = await download(station);
    for (const [name, text] of files) expect([name, text.includes(key)]).toEqual([name, false]);
    const [media] = JSON.parse(files.get('media.json') ?? '');
    expect(media.absolutePath).toBe(`~${station.folder.slice(tmpdir().length)}/clip.mp4`);
    expect(files.get('timeline.json')).toContain('clip.mp4');
    for (const [name, text] of files) expect([name, text.includes(`${tmpdir()}/`)]).toEqual([name, false]);
  });

  it('is refused without the key, for an unknown channel, and made for HEAD without work', async () => {
    const { server, channel } = station;
    const path = `/api/channels/${channel.id}/diagnostics`;
    expect((await fetch(server.base + path)).status).toBe(401);
    expect(
      (await server.api('GET', '/channels/00000000-0000-4000-8000-000000000000/diagnostics')).status,
    ).toBe(404);
    expect((await server.api('GET', '/channels/1/diagnostics')).status).toBe(400);
    const headers = { authorization: `Bearer ${server.key}` };
    const head = await fetch(server.base + path, { method: 'HEAD', headers });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/zip']);
  });

  it('can be left half-way, and asked for by many at once, while the channel goes on', async () => {
    const { server, channel, viewer } = station;
    const headers = { authorization: `Bearer ${server.key}` };
    for (let n = 0; n < 5; n++) {
      const leaving = new AbortController();
      const path = `/api/channels/${channel.id}/diagnostics`;
      const response = await fetch(server.base + path, { headers, signal: leaving.signal });
      await response.body?.getReader().read();
      leaving.abort();
    }
    const all = await Promise.all(Array.from({ length: 5 }, () => download(station)));
    for (const { files } of all) expect([...files.keys()]).toEqual(parts);
    expect(viewer.ended()).toBe(false);
    expect(server.output()).not.toMatch(/Error|"level":50/);
  });
});

const postgresUrl = inject('postgresUrl');

describe.skipIf(postgresUrl === null)('the bundle while the database is away', () => {
  it('has files that say so in the place of what only the database knows', async () => {
    const { databaseUrl, drop } = await createTestDatabase(postgresUrl!);
    const station = await goOnAir({ DATABASE_URL: databaseUrl });
    try {
      await drop();
      const { files } = await download(station);
      const missing = [...files].filter(([name]) => name.endsWith('.missing.txt'));
      expect(missing.map(([name]) => name)).toEqual([
        'schedule.json.missing.txt',
        'timeline.json.missing.txt',
      ]);
      for (const [, text] of missing) expect(text).toMatch(/could not be made: \S/);
      expect(JSON.parse(files.get('media.json') ?? '')).toHaveLength(1);
      expect([...files.keys()]).toHaveLength(parts.length);
      const password = new URL(databaseUrl).password || databaseUrl;
      for (const text of files.values()) expect(text).not.toContain(password);
    } finally {
      await station.end();
      await drop();
    }
  }, 120_000);
});
