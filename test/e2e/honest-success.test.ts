import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { makeClip } from '../support/on-air.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

let server: RunningServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-honest-'));
  for (const name of ['a', 'b', 'c', 'd']) makeClip(join(folder, `${name}.mp4`), 60);
  // Nothing but a request brings anything about.
  server = await startServer({
    AIRCHECK_LIBRARY_SETTLE_MS: '0',
    AIRCHECK_LIBRARY_WATCH: 'false',
    AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
  });
}, 60_000);

afterAll(async () => {
  await server?.remove();
  await rm(folder, { recursive: true, force: true });
});

interface Document {
  paths: Record<string, Record<string, unknown>>;
}

const created: Record<string, string> = {};

/**
 * For each request that changes something, one that succeeds, and what can be seen of it afterwards. They run in this
 * order, and build upon each other. A route that is added to the API needs a line here.
 */
const effects: Record<string, () => Promise<void>> = {
  'POST /libraries': async () => {
    const { id } = await done('POST', '/libraries', { name: 'Clips', path: folder });
    created.library = id;
    expect(await ids('/libraries')).toEqual([id]);
    await until('its files are listed', async () => (await total('/media?state=ready')) === 4 || undefined);
  },
  'POST /libraries/{id}/scan': async () => {
    makeClip(join(folder, 'e.mp4'), 60);
    expect(await total('/media')).toBe(4);
    await done('POST', `/libraries/${created.library}/scan`);
    await until('the new file is listed', async () => (await total('/media?state=ready')) === 5 || undefined);
  },
  'POST /collections': async () => {
    const { id } = await done('POST', '/collections', { name: 'By hand', kind: 'manual' });
    created.collection = id;
    expect(await ids('/collections')).toEqual([id]);
  },
  'PATCH /collections/{id}': async () => {
    await done('PATCH', `/collections/${created.collection}`, { name: 'By my hand' });
    expect((await get(`/collections/${created.collection}`)).name).toBe('By my hand');
  },
  'PUT /collections/{id}/media': async () => {
    const media = (await ids('/media?sort=-added')).reverse();
    await done('PUT', `/collections/${created.collection}/media`, { media });
    expect(await ids(`/collections/${created.collection}/media`)).toEqual(media);
  },
  'POST /collections/{id}/media': async () => {
    const [first] = await ids('/media');
    const before = await ids(`/collections/${created.collection}/media`);
    await done('POST', `/collections/${created.collection}/media`, { media: [first] });
    expect(await ids(`/collections/${created.collection}/media`)).toEqual([...before, first]);
  },
  // What only answers has nothing else to show for it than its answer.
  'POST /collection-preview': async () => {
    const found = await done('POST', '/collection-preview', { kind: 'query', query: { text: 'A' } });
    expect(found.items.map(({ title }: { title: string }) => title)).toEqual(['a']);
    expect(await ids('/collections')).toEqual([created.collection]);
  },
  'POST /profiles': async () => {
    const [shipped] = (await get('/profiles')).items;
    const { id } = await done('POST', '/profiles', { name: 'Mine', spec: shipped.spec });
    created.profile = id;
    expect(await ids('/profiles')).toContain(id);
  },
  'POST /channels': async () => {
    const slot = { id: 'all', play: created.collection, mode: 'flood', order: 'custom' };
    const { id } = await done('POST', '/channels', {
      ...{ number: '5', name: 'Five', profileId: created.profile, seed: 1 },
      schedule: { slots: [slot] },
    });
    created.channel = id;
    expect(await ids('/channels')).toEqual([id]);
    expect((await get(`/channels/${id}/now`)).item.media).toBeDefined();
    expect(await (await fetch(`${server.base}/iptv/channels.m3u`)).text()).toContain(
      `/iptv/channel/${id}.ts`,
    );
  },
  'POST /channels/{id}/preview': async () => {
    const before = await timeline(0, 30);
    const schedule = { slots: [{ id: 'other', play: created.collection, mode: 'one', order: 'custom' }] };
    const { items } = await done('POST', `/channels/${created.channel}/preview`, { schedule });
    expect(items[0]).toMatchObject({ kind: 'program', slot: 'other' });
    expect((await timeline(0, 29)).filter((item) => !before.includes(item))).toEqual([]);
  },
  'PATCH /channels/{id}': async () => {
    const slot = { id: 'all', play: created.collection, mode: 'flood', order: 'shuffle' };
    const changes = { name: 'Number five', schedule: { slots: [slot] } };
    const before = await timeline(26, 30);
    await done('PATCH', `/channels/${created.channel}`, changes);
    expect(await get(`/channels/${created.channel}`)).toMatchObject(changes);
    expect(await timeline(26, 30)).not.toEqual(before);
  },
  'POST /channels/{id}/rebuild': async () => {
    // The change before has left what comes soon as it was.
    const before = await timeline(0.1, 1.9);
    const { added, removed } = await done('POST', `/channels/${created.channel}/rebuild`, { from: 'now' });
    expect(Math.min(added, removed)).toBeGreaterThan(0);
    expect(await timeline(0.1, 1.9)).not.toEqual(before);
  },
  'POST /import': async () => {
    const { channels, ...file } = parse(await text('GET', '/export'));
    channels.push({ ...channels[0], number: '6', guideId: 'six' });
    const report = JSON.parse(await text('POST', '/import', stringify({ ...file, channels })));
    expect(report.channels).toEqual([
      { name: '5', action: 'keep' },
      { name: '6', action: 'add' },
    ]);
    const added = (await get('/channels')).items.find(({ number }: { number: string }) => number === '6');
    expect(added.name).toBe('Number five');
    await done('DELETE', `/channels/${added.id}`);
  },
  'POST /tasks/{name}/run': async () => {
    const runs = async () =>
      (await get('/tasks')).items.find(({ name }: { name: string }) => name === 'playout').runs;
    const before = await runs();
    await done('POST', '/tasks/playout/run');
    expect(await runs()).toBe(before + 1);
  },
  'DELETE /logs': async () => {
    const oldest = async () => (await get('/logs/entries?limit=500')).entries.at(-1).id;
    const before = await oldest();
    await done('DELETE', '/logs');
    expect(await oldest()).not.toBe(before);
    expect((await server.api('GET', `/logs/${before}`)).status).toBe(404);
  },
  'DELETE /channels/{id}': async () => {
    await done('DELETE', `/channels/${created.channel}`);
    expect(await ids('/channels')).toEqual([]);
    expect((await fetch(`${server.base}/iptv/channel/${created.channel}.ts`)).status).toBe(404);
  },
  'DELETE /profiles/{id}': async () => {
    await done('DELETE', `/profiles/${created.profile}`);
    expect(await ids('/profiles')).not.toContain(created.profile);
  },
  'DELETE /collections/{id}': async () => {
    await done('DELETE', `/collections/${created.collection}`);
    expect(await ids('/collections')).toEqual([]);
  },
  'DELETE /libraries/{id}': async () => {
    await done('DELETE', `/libraries/${created.library}`);
    expect(await ids('/libraries')).toEqual([]);
    expect(await total('/media')).toBe(0);
  },
};

describe('a request that is answered with success has done something', () => {
  it('and every request of the API that changes something is looked at here', async () => {
    const { paths } = (await server.api<Document>('GET', '/openapi.json')).body;
    const mutations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => method !== 'get')
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(Object.keys(effects).sort()).toEqual(mutations.sort());
  });

  it.each(Object.entries(effects))('%s', (_, effect) => effect());

  it('and the same request a second time, where there is nothing left to be done, is no success', async () => {
    for (const list of ['channels', 'profiles', 'collections', 'libraries'] as const) {
      const id = created[list === 'libraries' ? 'library' : list.slice(0, -1)];
      expect((await server.api('DELETE', `/${list}/${id}`)).status, list).toBe(404);
    }
  });
});

async function done(method: string, path: string, body?: unknown) {
  const answer = await server.api(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

/** What the API answers with, of whatever kind it is. */
async function text(method: string, path: string, body?: string): Promise<string> {
  const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/yaml' };
  const response = await fetch(`${server.base}/api${path}`, {
    ...{ method, headers },
    ...(body === undefined ? {} : { body }),
  });
  expect(response.status).toBe(200);
  return await response.text();
}

async function get(path: string) {
  const answer = await server.api('GET', path);
  expect(answer.status, path).toBe(200);
  return answer.body;
}

async function ids(path: string): Promise<string[]> {
  return (await get(path)).items.map(({ id }: { id: string }) => id);
}

async function total(path: string): Promise<number> {
  return (await get(path)).total;
}

/** Which media the channel airs, and when, between so and so many hours from now. */
async function timeline(fromHours: number, toHours: number): Promise<string[]> {
  const [from, to] = [fromHours, toHours].map((hours) =>
    new Date(Date.now() + hours * 3_600_000).toISOString(),
  );
  const { items } = await get(`/channels/${created.channel}/playout?limit=500&from=${from}&to=${to}`);
  return items.map(
    ({ start, media }: { start: string; media: { title: string } }) => `${start} ${media.title}`,
  );
}
