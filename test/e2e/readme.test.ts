import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../support/server.ts';

const root = join(import.meta.dirname, '../..');

describe('the README', () => {
  let server: RunningServer;
  let folder: string;
  let readme: string;

  beforeAll(async () => {
    readme = await readFile(join(root, 'README.md'), 'utf8');
    folder = await mkdtemp(join(tmpdir(), 'aircheck-readme-'));
    server = await startServer();
  });

  afterAll(async () => {
    await server?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('makes a library, a collection and a channel with the requests that it shows', async () => {
    const shown = [...readme.matchAll(/curl http:\/\/localhost:8880\/api(\/\w+) [\s\S]*?-d '([\s\S]*?)'\n/g)];
    expect(shown.map(([, path]) => path)).toEqual(['/libraries', '/collections', '/channels']);
    const { body: profiles } = await server.api('GET', '/profiles');
    let collectionId = '';
    for (const [, path = '', text = ''] of shown) {
      const body = text
        .replace('/srv/recordings', folder)
        .replace('PROFILE_ID', profiles.items[0].id)
        .replace('COLLECTION_ID', collectionId);
      const answer = await server.api('POST', path, JSON.parse(body));
      expect([path, answer.status]).toEqual([path, 201]);
      if (path === '/collections') collectionId = answer.body.id;
    }
    const playlist = await (await fetch(`${server.base}/iptv/channels.m3u`)).text();
    expect(playlist).toContain('Series all day');
  });

  it('names paths that are there', async () => {
    const paths = [...readme.matchAll(/^\| `(\/(?:api|health)\/[\w./]+)`/gm)].map(
      ([, path]) => path as string,
    );
    expect(paths.length).toBeGreaterThan(8);
    for (const path of paths) {
      const response = await fetch(server.base + path, {
        headers: { authorization: `Bearer ${server.key}` },
      });
      expect([path, response.status]).toEqual([path, 200]);
      await response.body?.cancel();
    }
  });

  it('names npm commands that are there', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const contributing = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8');
    for (const text of [readme, contributing]) {
      for (const [, name = ''] of text.matchAll(/npm (?:run (\w+)|(?:start|test)\b)/g)) {
        if (name !== '') expect(Object.keys(scripts)).toContain(name);
      }
    }
  });
});
