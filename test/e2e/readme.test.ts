import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

  it('makes libraries, collections and channels, and looks ahead, with the requests that it shows', async () => {
    const shown = [
      ...readme.matchAll(/curl http:\/\/localhost:8880\/api(\/[\w/]+) [\s\S]*?-d '([\s\S]*?)'\n/g),
    ];
    expect(shown.map(([, path]) => path)).toEqual([
      ...['/libraries', '/collections', '/channels', '/collections'],
      '/channels/CHANNEL_ID/preview',
    ]);
    const { body: profiles } = await server.api('GET', '/profiles');
    const ids = { COLLECTION_ID: '', CHANNEL_ID: '', PROFILE_ID: profiles.items[0].id };
    const filled = (text: string) =>
      Object.entries(ids).reduce((done, [name, id]) => done.replaceAll(name, id), text);
    for (const [, path = '', text = ''] of shown) {
      const body = JSON.parse(filled(text).replace('/srv/recordings', folder));
      const answer = await server.api('POST', filled(path), body);
      expect([path, answer.status]).toEqual([path, path.endsWith('/preview') ? 200 : 201]);
      if (body.kind === 'query') ids.COLLECTION_ID = answer.body.id;
      if (path === '/channels') ids.CHANNEL_ID = answer.body.id;
    }
    const playlist = await (await fetch(`${server.base}/iptv/channels.m3u`)).text();
    expect(playlist).toContain('Series all day');
    const [, explain = ''] = /localhost:8880\/api(\/channels\/CHANNEL_ID\/explain)/.exec(readme) ?? [];
    const { status, body } = await server.api('GET', filled(explain));
    expect([status, body.words[0]]).toEqual([200, expect.stringMatching(/^The channel is offline: /)]);
  });

  it('shows a file of channels that can be brought in', async () => {
    const [, file = ''] = /```yaml\n(aircheck: 1\n[\s\S]*?)```/.exec(readme) ?? [];
    const response = await fetch(`${server.base}/api/import?dryRun=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}` },
      body: file,
    });
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { channels: [{ name: '7', action: 'add' }] },
    ]);
  });

  it('names commands that are there', async () => {
    const named = [...readme.matchAll(/node dist\/main\.js (\w+)/g)].map(([, name]) => name as string);
    expect(named).toEqual(expect.arrayContaining(['plan', 'export', 'import', 'doctor']));
    for (const name of new Set(named)) {
      const help = await promisify(execFile)(process.execPath, [join(root, 'dist/main.js'), name, '--help']);
      expect(help.stdout).toContain(`Usage: aircheck ${name}`);
    }
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
