// What the benchmarks share: the built server on a free loopback port, with the demo's recordings and channels.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const recordings = fileURLToPath(new URL('../.demo/recordings', import.meta.url));

/**
 * Starts the server; the library is the demo's recordings, which are made when they are missing. A data folder that
 * is named in `AIRCHECK_DATA` is the caller's to remove.
 */
export async function startServer(env = {}) {
  const { makeRecordings } = await import('../dist/demo/recordings.js');
  await makeRecordings(recordings, { ffmpegPath: 'ffmpeg' });
  const data = env.AIRCHECK_DATA ?? (await mkdtemp(join(tmpdir(), 'aircheck-bench-')));
  const child = spawn(process.execPath, [main, 'serve'], {
    env: {
      ...process.env,
      AIRCHECK_HOST: '127.0.0.1',
      AIRCHECK_PORT: '0',
      AIRCHECK_DATA: data,
      AIRCHECK_LIBRARY_SETTLE_MS: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (bytes) => {
      output += bytes;
      const found = /"port":(\d+)/.exec(output)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('exit', () => reject(new Error(`the server ended:\n${output}`)));
  });
  const base = `http://127.0.0.1:${port}`;
  const key = (await readFile(join(data, 'admin-key'), 'utf8')).trim();
  const api = async (method, path, body) => {
    const response = await fetch(`${base}/api${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    if (env.AIRCHECK_DATA === undefined) await rm(data, { recursive: true, force: true });
  };
  return { base, pid: child.pid, api, stop, recordings, data };
}

/** Scans the demo's recordings and puts `count` channels of all of them on air, each with its own shuffle. */
export async function makeChannels(server, count, profileName = '720p') {
  const { api } = server;
  const library = await api('POST', '/libraries', { name: 'Recordings', path: server.recordings });
  await until(async () => (await api('GET', `/libraries/${library.id}/scan`)).state === 'done');
  const everything = await api('POST', '/collections', {
    name: 'Everything',
    kind: 'query',
    query: { library: library.id },
  });
  const profiles = await api('GET', '/profiles');
  const profile = profiles.items.find(({ name }) => name === profileName);
  const channels = [];
  for (let n = 1; n <= count; n++) {
    const slots = [{ id: 'all-day', play: everything.id, mode: 'flood', order: 'shuffle' }];
    const channel = {
      number: String(n),
      name: `Bench ${n}`,
      profileId: profile.id,
      seed: n,
      schedule: { slots },
    };
    channels.push(await api('POST', '/channels', channel));
  }
  return channels;
}

export async function until(check, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function quantile(values, q) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Watches a stream, and remembers the longest time for which nothing came. */
export function watch(url) {
  let lastAt;
  let worst = 0;
  const request = http.get(url, (response) => {
    response.on('data', () => {
      const now = performance.now();
      if (lastAt !== undefined) worst = Math.max(worst, now - lastAt);
      lastAt = now;
    });
    response.on('error', () => {});
  });
  request.on('error', () => {});
  return {
    leave: () => request.destroy(),
    worstGapMs: () => Math.round(worst),
    reset: () => {
      worst = 0;
    },
  };
}
