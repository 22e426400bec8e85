import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { entryIdPattern } from '../../src/logs/entry-id.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Planted where they would be written down, if nothing were masked. */
const planted = {
  adminKey: 'planted-admin-key-0123456789',
  urlPassword: 'planted-url-password',
  token: 'planted-token',
  header: 'planted-header-value',
};

interface Entry {
  id: string;
  time: string;
  level: string;
  logger: string;
  msg: string;
  [field: string]: unknown;
}

interface Page {
  entries: Entry[];
  total: number;
  nextCursor?: string;
}

let server: RunningServer;
let media: string;
let libraryId: string;

beforeAll(async () => {
  media = await mkdtemp(join(tmpdir(), 'aircheck-media-'));
  // No media at all: each is logged with its path and the reason.
  for (const name of [
    `${planted.adminKey}.mkv`,
    `postgres:%2F%2Faircheck:${planted.urlPassword}@db`,
    `x&token=${planted.token}&y=1.mkv`,
    `Authorization: Bearer ${planted.header}.mkv`,
  ]) {
    await writeFile(join(media, name.endsWith('.mkv') ? name : `${name}.mkv`), 'nothing');
  }
  server = await startServer({
    AIRCHECK_ADMIN_KEY: planted.adminKey,
    AIRCHECK_LOG_LEVEL: 'debug',
    AIRCHECK_LIBRARY_SETTLE_MS: '0',
  });
  const { body } = await server.api('POST', '/libraries', { name: 'Broken', path: media });
  libraryId = body.id;
  await scanned();
});

afterAll(async () => {
  await server?.remove();
  await rm(media, { recursive: true, force: true });
});

describe('the entries of the log', () => {
  it('are told the newest first, with id, time, level and the part that speaks', async () => {
    const { entries, total } = await read('?limit=500');
    expect(entries).toHaveLength(total);
    expect(total).toBeGreaterThanOrEqual(5);
    expect(entries.map(({ id }) => id)).toEqual(
      entries
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
    expect(entries.every(({ id }) => entryIdPattern.test(id))).toBe(true);
    expect(entries.find(({ msg }) => msg === 'library scanned')).toMatchObject({
      level: 'info',
      logger: 'library',
      library: 'Broken',
      time: expect.stringMatching(/Z$/),
    });
    expect(entries.find(({ msg }) => msg === 'aircheck is on air')).toMatchObject({ logger: 'server' });
  });

  it('are the lines that went to the standard output', async () => {
    const { entries } = await read('?limit=500');
    const lines = server
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Entry);
    const ids = new Set(entries.map(({ id }) => id));
    expect(lines.length).toBeGreaterThanOrEqual(5);
    expect(lines.filter(({ id }) => !ids.has(id))).toEqual([]);
  });

  it('come in pages that join', async () => {
    const whole = await read('?limit=500');
    const ids: string[] = [];
    let query = '?limit=3';
    for (;;) {
      const { entries, nextCursor } = await read(query);
      ids.push(...entries.map(({ id }) => id));
      if (nextCursor === undefined) break;
      query = `?limit=3&cursor=${nextCursor}`;
    }
    // Whatever was logged in between is newer than all of this.
    expect(ids.slice(ids.indexOf(whole.entries[0]!.id))).toEqual(whole.entries.map(({ id }) => id));
  });

  it('are filtered before they are counted off', async () => {
    const all = (await read('?limit=500')).entries;
    const info = all.filter(({ level }) => level !== 'debug' && level !== 'trace');
    const page = await read('?limit=1&level=info');
    expect(page.total).toBeGreaterThanOrEqual(info.length);
    expect(page.entries).toHaveLength(1);
    const failed = await read('?limit=1&q=A%20FILE%20CANNOT%20BE%20AIRED');
    expect(failed).toMatchObject({ total: 4, entries: [{ msg: 'a file cannot be aired' }] });
    const { time } = failed.entries[0]!;
    expect((await read(`?since=${time}&q=cannot%20be%20aired`)).total).toBeGreaterThanOrEqual(1);
    expect((await read(`?until=${time}&q=cannot%20be%20aired`)).total).toBeLessThanOrEqual(3);
    expect((await read('?since=2100-01-01T00:00:00Z')).total).toBe(0);
    expect(await read('?channel=404')).toEqual({ entries: [], total: 0 });
  });

  it('are found by the number of their channel', async () => {
    const { body: profiles } = await server.api('GET', '/profiles');
    const slots = [{ id: 'all-day', play: '', mode: 'flood', order: 'shuffle' }];
    const { body: collection } = await server.api('POST', '/collections', {
      name: 'Everything',
      kind: 'query',
      query: { library: libraryId },
    });
    slots[0]!.play = collection.id;
    const channel = { number: '5.1', name: 'Five', profileId: profiles.items[0].id, schedule: { slots } };
    expect((await server.api('POST', '/channels', channel)).status).toBe(201);
    const page = await until('it is logged', async () => {
      const found = await read('?channel=5.1');
      return found.total > 0 ? found : undefined;
    });
    expect(new Set(page.entries.map((entry) => entry.channel))).toEqual(new Set(['5.1']));
    expect(page.entries.some(({ msg }) => msg === 'channel planned')).toBe(true);
  });

  it('are each found by their id, with what was logged around them', async () => {
    const all = (await read('?limit=500')).entries.reverse();
    const ids = all.map(({ id }) => id);
    for (const [i, entry] of all.slice(0, -3).entries()) {
      const { status, body } = await server.api('GET', `/logs/${entry.id}?around=3`);
      expect(status).toBe(200);
      expect(body).toMatchObject(entry);
      expect(body.before.map(({ id }: Entry) => id)).toEqual(ids.slice(Math.max(0, i - 3), i));
      expect(body.after.map(({ id }: Entry) => id)).toEqual(ids.slice(i + 1, i + 4));
    }
  });
});

describe('a request to the log that is wrong', () => {
  it.each([
    'garbage',
    '0',
    '%00',
    '..%2f..%2fadmin-key',
    'entries%2f',
    '8zzzzzzzzzz',
    "1'--",
    '💥',
    'x'.repeat(3_000),
  ])('is told that %s is no id', async (id) => {
    const response = await get(`/logs/${id}`);
    expect([400, 404]).toContain(response.status);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
  });

  it('is told 400 for an id that is malformed and 404 for one that nobody has', async () => {
    expect((await get('/logs/garbage')).status).toBe(400);
    expect((await get('/logs/00000000000')).status).toBe(404);
    expect((await get('/logs/7zzzzzzzzzz')).status).toBe(404);
  });

  it.each([
    '/logs/entries?limit=0',
    '/logs/entries?limit=501',
    '/logs/entries?limit=x',
    '/logs/entries?level=loud',
    '/logs/entries?cursor=garbage',
    '/logs/entries?since=yesterday',
    '/logs/entries?until=5',
    `/logs/entries?q=${'x'.repeat(201)}`,
    '/logs/stream?level=loud',
    '/logs/stream?lastEventId=garbage',
    '/logs/00000000000?around=-1',
    '/logs/00000000000?around=1e9',
  ])('names what is wrong with %s', async (path) => {
    const response = await get(path);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ status: 422, errors: [{ path: expect.any(String) }] });
  });

  it('is refused without the key', async () => {
    for (const path of ['/logs/entries', '/logs/stream', '/logs/00000000000']) {
      expect((await fetch(`${server.base}/api${path}`)).status).toBe(401);
    }
    expect((await fetch(`${server.base}/api/logs`, { method: 'DELETE' })).status).toBe(401);
  });
});

describe('the stream of the log', () => {
  it('sends what is logged and matches, as events with ids', async () => {
    const events = await watch('?q=library%20scanned');
    await scanned();
    const event = await events.next();
    expect(JSON.parse(event.data)).toMatchObject({ id: event.id, msg: 'library scanned', level: 'info' });
    expect((await server.api('GET', `/logs/${event.id}`)).body).toMatchObject({ msg: 'library scanned' });
  });

  it('resumes after the last event that was received, by header and by parameter', async () => {
    const before = (await read('?limit=1&q=library%20scanned')).entries[0]!.id;
    await scanned();
    await scanned();
    const wanted = (await read('?limit=2&q=library%20scanned')).entries.map(({ id }) => id).reverse();
    for (const resume of [
      () => watch('?q=library%20scanned', before),
      () => watch(`?q=library%20scanned&lastEventId=${before}`),
      // What a browser does when it comes back to an address that has the parameter.
      () => watch('?q=library%20scanned&lastEventId=00000000000', before),
    ]) {
      const events = await resume();
      expect([(await events.next()).id, (await events.next()).id]).toEqual(wanted);
    }
  });
});

describe('secrets', () => {
  it('are neither in the files nor on the standard output, nor in what the API tells', async () => {
    const failed = await read('?q=a%20file%20cannot%20be%20aired&limit=10');
    expect(failed.total).toBe(4);
    expect(failed.entries.every(({ path }) => (path as string).includes('***'))).toBe(true);
    const answer = await get('/logs/entries?limit=500');
    const places = { files: filesOf(server.data), output: server.output(), api: await answer.text() };
    for (const [place, text] of Object.entries(places)) {
      for (const secret of Object.values(planted))
        expect(text, `${secret} in ${place}`).not.toContain(secret);
    }
  });

  it('of a DATABASE_URL that does not work are not told either', async () => {
    const data = await mkdtemp(join(tmpdir(), 'aircheck-e2e-'));
    const child = spawn(process.execPath, [main, 'serve'], {
      env: {
        ...process.env,
        AIRCHECK_HOST: '127.0.0.1',
        AIRCHECK_PORT: '0',
        AIRCHECK_DATA: data,
        AIRCHECK_LOG_LEVEL: 'trace',
        DATABASE_URL: `postgres://aircheck:${planted.urlPassword}@127.0.0.1:1/aircheck?token=${planted.token}`,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        output += bytes.toString();
      });
    }
    await until('it has looked for the database', () => output.includes('waiting for the database'));
    child.kill('SIGKILL');
    await once(child, 'close');
    const told = output + filesOf(data);
    await rm(data, { recursive: true });
    expect(told).toContain('127.0.0.1:1');
    expect(told).not.toContain(planted.urlPassword);
    expect(told).not.toContain(planted.token);
  });
});

describe('the log over a restart', () => {
  it('keeps its entries and their ids, to the last one before the end', async () => {
    const { entries } = await read('?limit=500');
    expect(await server.end('SIGTERM')).toBe(0);
    const last = linesOf(server.data).at(-1)!;
    server = await startServer(
      { AIRCHECK_ADMIN_KEY: planted.adminKey, AIRCHECK_LOG_LEVEL: 'debug', AIRCHECK_LIBRARY_SETTLE_MS: '0' },
      { data: server.data },
    );
    for (const entry of [entries[0]!, entries.at(-1)!, JSON.parse(last) as Entry]) {
      expect((await server.api('GET', `/logs/${entry.id}`)).body).toMatchObject({
        id: entry.id,
        msg: entry.msg,
      });
    }
    expect((await read('?limit=1')).entries[0]!.id > JSON.parse(last).id).toBe(true);
  });

  it('is emptied by DELETE, files and all, and says so', async () => {
    const [old] = (await read('?limit=1')).entries;
    const response = await get('/logs', 'DELETE');
    expect(response.status).toBe(204);
    const { entries } = await read('?limit=500');
    expect(entries.filter(({ id }) => id <= old!.id)).toEqual([]);
    expect(entries.filter(({ msg }) => msg === 'the log was emptied')).toMatchObject([{ level: 'info' }]);
    expect((await get(`/logs/${old!.id}`)).status).toBe(404);
    expect(filesOf(server.data)).not.toContain(old!.id);
    expect(readdirSync(join(server.data, 'logs'))).toHaveLength(1);
  });
});

async function read(query: string): Promise<Page> {
  const { status, body } = await server.api<Page>('GET', `/logs/entries${query}`);
  expect(status).toBe(200);
  return body;
}

function get(path: string, method = 'GET'): Promise<Response> {
  return fetch(`${server.base}/api${path}`, { method, headers: { authorization: `Bearer ${server.key}` } });
}

/** Scans the library once more, which is logged. */
async function scanned(): Promise<void> {
  await server.api('POST', `/libraries/${libraryId}/scan`);
  await until('the scan is over', async () => {
    const { body } = await server.api('GET', `/libraries/${libraryId}/scan`);
    return body.state === 'done';
  });
}

/** Follows the log; resolves when it is being followed. */
async function watch(query: string, lastEventId?: string) {
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const response = await fetch(`${server.base}/api/logs/stream${query}`, {
    headers: {
      authorization: `Bearer ${server.key}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: gone.signal,
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const block = async (): Promise<string> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end !== -1) {
        const found = text.slice(0, end);
        text = text.slice(end + 2);
        return found;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error('the stream has ended');
      text += value;
    }
  };
  expect(await block()).toBe('retry: 3000');
  return {
    /** The next event of an entry. */
    next: async () => {
      for (;;) {
        const lines = (await block()).split('\n');
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const id = field('id');
        if (id !== undefined) return { id, data: field('data') ?? '' };
      }
    },
  };
}

/** All that the log's files have. */
function filesOf(data: string): string {
  const folder = join(data, 'logs');
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');
}

function linesOf(data: string): string[] {
  return filesOf(data)
    .split('\n')
    .filter((line) => line !== '');
}
