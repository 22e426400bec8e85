import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../support/server.ts';

let server: RunningServer;
let folder: string;

beforeAll(async () => {
  server = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'aircheck-library-'));
});

afterAll(async () => {
  await server?.remove();
  await rm(folder, { recursive: true, force: true });
});

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { operationId?: string }>>;
}

const unknownId = '00000000-0000-4000-8000-000000000000';

describe('the admin API', () => {
  it('wants the key on every route that its own document names, and on the document', async () => {
    const { body: document } = await server.api<Document>('GET', '/openapi.json');
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
    );
    expect(routes.length).toBeGreaterThan(30);
    for (const { method, path } of [...routes, { method: 'GET', path: '/openapi.json' }]) {
      const address = `${server.base}/api${path.replace(/\{id\}/g, unknownId).replace('{name}', 'playout')}`;
      for (const authorization of [undefined, 'Bearer wrong', `Basic ${server.key}`]) {
        const response = await fetch(address, {
          method,
          headers: authorization === undefined ? {} : { authorization },
        });
        expect([method, path, response.status]).toEqual([method, path, 401]);
        expect(response.headers.get('content-type')).toMatch('application/problem+json');
        expect(response.headers.get('www-authenticate')).toBeTruthy();
      }
    }
  });

  it('shows its page to a browser that gives the key as a password, without another host', async () => {
    const authorization = `Basic ${Buffer.from(`me:${server.key}`).toString('base64')}`;
    const page = await fetch(`${server.base}/api/docs`, { headers: { authorization } });
    expect(page.status).toBe(200);
    const html = await page.text();
    expect(html).not.toMatch(/https?:/);
    for (const [, file] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const part = await fetch(`${server.base}/api/${file}`, { headers: { authorization } });
      expect([file, part.status]).toEqual([file, 200]);
    }
    const changes = await fetch(`${server.base}/api/libraries`, {
      method: 'POST',
      headers: { authorization },
    });
    expect(changes.status).toBe(401);
  });

  it('answers 400 to a malformed id and 404 to an unknown one', async () => {
    for (const path of ['libraries', 'media', 'collections', 'profiles', 'channels', 'streams']) {
      expect([path, (await server.api('GET', `/${path}/nonsense`)).status]).toEqual([path, 400]);
      expect([path, (await server.api('GET', `/${path}/${unknownId}`)).status]).toEqual([path, 404]);
    }
    for (const path of ['now', 'playout']) {
      expect((await server.api('GET', `/channels/${unknownId}/${path}`)).status).toBe(404);
    }
    expect((await server.api('POST', `/channels/${unknownId}/rebuild`)).status).toBe(404);
    expect((await server.api('POST', '/tasks/nonsense/run')).status).toBe(404);
    expect((await server.api('GET', '/nonsense')).status).toBe(404);
  });

  it('names the wrong part of a body', async () => {
    const { status, body } = await server.api('POST', '/channels', { number: '05', name: '', schedule: {} });
    expect(status).toBe(422);
    const paths = body.errors.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(expect.arrayContaining(['number', 'name', 'profileId', 'schedule.slots']));
    const unknownKey = await server.api('POST', '/collections', { name: 'x', kind: 'manual', colour: 'red' });
    expect(unknownKey.status).toBe(422);
    expect(unknownKey.body.detail).toMatch('colour');
  });

  it('refuses folders that cannot be a library, and the same one twice', async () => {
    expect((await server.api('POST', '/libraries', { name: 'a', path: '/no/such/folder' })).status).toBe(422);
    const added = await server.api('POST', '/libraries', { name: 'a', path: folder });
    expect(added.status).toBe(201);
    expect((await server.api('POST', '/libraries', { name: 'b', path: `${folder}/` })).status).toBe(409);
    const list = await server.api('GET', '/libraries');
    expect(list.body.total).toBe(1);
    expect((await server.api('DELETE', `/libraries/${added.body.id}`)).status).toBe(204);
    expect((await server.api('GET', '/libraries')).body.total).toBe(0);
  });

  it('keeps channels by number, in the order of numbers, with ids that never change', async () => {
    const { body: collection } = await server.api('POST', '/collections', {
      name: 'Nothing yet',
      kind: 'manual',
    });
    const { body: profiles } = await server.api('GET', '/profiles');
    expect(profiles.items.map(({ name }: { name: string }) => name)).toEqual(['1080p', '480p', '720p']);
    const channel = (number: string) => ({
      number,
      name: `Channel ${number}`,
      profileId: profiles.items[1].id,
      schedule: { slots: [{ id: 'all', play: collection.id, mode: 'flood' }] },
    });
    const created = [];
    for (const number of ['10', '5', '5.1', '1984.1']) {
      const { status, body } = await server.api('POST', '/channels', channel(number));
      expect(status).toBe(201);
      created.push(body);
    }
    expect((await server.api('POST', '/channels', channel('5.1'))).status).toBe(409);
    const { body: list } = await server.api('GET', '/channels?limit=3');
    expect(list.total).toBe(4);
    expect(list.items.map(({ number }: { number: string }) => number)).toEqual(['5', '5.1', '10']);

    const changed = await server.api('PATCH', `/channels/${created[0].id}`, { number: '7', name: 'Seven' });
    expect(changed.status).toBe(200);
    expect(changed.body.guideId).toBe(created[0].guideId);
    expect((await server.api('DELETE', `/collections/${collection.id}`)).status).toBe(409);

    const path = `/channels/${created[0].id}`;
    const titled = await server.api('PATCH', path, { offlineTitle: ' Back at six ' });
    expect(titled.body.offlineTitle).toBe('Back at six');
    expect(await (await fetch(`${server.base}/iptv/xmltv.xml`)).text()).toContain('>Back at six<');
    expect((await server.api('PATCH', path, { offlineTitle: '' })).status).toBe(422);
    const picture = await fetch(`${server.base}/iptv/artwork/${created[0].id}.jpg`);
    expect(await picture.json()).toMatchObject({ detail: 'There is no such picture.' });
    const untitled = await server.api('PATCH', path, { offlineTitle: null });
    expect(untitled.body).not.toHaveProperty('offlineTitle');

    const now = await server.api('GET', `/channels/${created[0].id}/now`);
    expect(now.body.status).toBe('no_content');
    for (const { id } of created) expect((await server.api('DELETE', `/channels/${id}`)).status).toBe(204);
    expect((await server.api('DELETE', `/collections/${collection.id}`)).status).toBe(204);
  });

  it('refuses schedules with keys that there are not, by name', async () => {
    const { body: profiles } = await server.api('GET', '/profiles');
    const { status, body } = await server.api('POST', '/channels', {
      number: '1',
      name: 'One',
      profileId: profiles.items[0].id,
      zone: 'Mars/Olympus',
      schedule: { slots: [{ id: 'a', play: 'x', mode: 'flood', starts: '20:00' }] },
    });
    expect(status).toBe(422);
    expect(JSON.stringify(body.errors)).toMatch('There is no such key: starts');
    expect(JSON.stringify(body.errors)).toMatch('IANA');
  });

  it('runs a task on demand and says how it went', async () => {
    const { status, body } = await server.api('POST', '/tasks/playout/run');
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'playout', running: false });
    expect(body.lastError).toBeUndefined();
    expect(body.runs).toBeGreaterThan(0);
  });

  it('answers a body that is too large with 413 and one that is no JSON with 400', async () => {
    const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' };
    const post = (body: string) => fetch(`${server.base}/api/collections`, { method: 'POST', headers, body });
    expect((await post('x'.repeat(1_100_000))).status).toBe(413);
    expect((await post('{"name":')).status).toBe(400);
  });
});
