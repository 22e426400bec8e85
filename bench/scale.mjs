// The built server with a station as large as anybody's, on the embedded database, while somebody watches a channel:
// how long it takes to plan and store everything, to serve the guide, and to show an edit in it; how late the
// streaming thread came to its work, what the viewer noticed, and the memory of the process with all in it.
//
//   node bench/scale.mjs [--channels 500] [--days 14] [--media 100000]
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sql } from 'drizzle-orm';
import { createChannel } from '../dist/db/channels.js';
import { createCollection } from '../dist/db/collections.js';
import { openDatabase } from '../dist/db/connection.js';
import { getProfileByName } from '../dist/db/profiles.js';
import { makeChannels, startServer, until, watch } from './server.mjs';

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '500' },
    days: { type: 'string', default: '14' },
    media: { type: 'string', default: '100000' },
  },
});
const size = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]));
const data = await mkdtemp(join(tmpdir(), 'aircheck-bench-'));
const env = {
  AIRCHECK_DATA: data,
  AIRCHECK_PLAYOUT_HORIZON_HOURS: String(size.days * 24),
  AIRCHECK_GUIDE_DAYS: String(size.days),
};
let server;
let memory;
try {
  server = await startServer(env);
  const [watched] = await makeChannels(server, 1, '480p');
  await server.stop();
  await fill();
  server = await startServer(env);
  memory = watchMemory(server.pid);
  const viewer = watch(`${server.base}/iptv/channel/${watched.id}.ts`);
  await until(async () => {
    const { items } = await server.api('GET', '/streams');
    return items.some(({ state }) => state === 'programme');
  });
  await server.api('GET', '/server');
  viewer.reset();

  const began = performance.now();
  let playout;
  await until(async () => {
    const { items } = await server.api('GET', '/tasks');
    playout = items.find(({ name }) => name === 'playout');
    return playout.lastSucceededAt !== undefined;
  }, 600_000);
  console.log(`planned and stored: seen ${seconds(performance.now() - began)} after the start`);
  console.log(
    `  the playout task: ${JSON.stringify(playout)}; channels planned to the end: ${await planned()}`,
  );
  await say('  meanwhile', viewer, memory);

  const first = await timedGuide({});
  console.log(`full guide, first time: ${seconds(first.tookMs)}, ${megabytes(first.bytes)}`);
  const quietAfter = performance.now();
  await settle();
  console.log(`written whole ${seconds(performance.now() - quietAfter)} later`);
  const full = await timedGuide({});
  console.log(`full guide again: ${seconds(full.tookMs)}, ${megabytes(full.bytes)}`);
  const packed = await timedGuide({ 'accept-encoding': 'gzip' });
  console.log(`packed: ${seconds(packed.tookMs)}, ${megabytes(packed.bytes)}`);
  const same = await timedGuide({ 'if-none-match': full.etag });
  console.log(`not modified: ${same.status} in ${same.tookMs.toFixed(1)} ms`);
  await say('  meanwhile', viewer, memory);

  const channels = await server.api('GET', '/channels?limit=500');
  const edited = channels.items.find(({ number }) => number === '101');
  for (const change of [
    { name: 'Edited by the benchmark' },
    { schedule: { slots: [{ ...edited.schedule.slots[0], guide: { title: 'Block of the benchmark' } }] } },
  ]) {
    const wanted = change.name ?? 'Block of the benchmark';
    const since = performance.now();
    await server.api('PATCH', `/channels/${edited.id}`, change);
    const answeredMs = performance.now() - since;
    let found;
    await until(async () => {
      found = await timedGuide({}, wanted, `?channels=${encodeURIComponent(edited.number)}`);
      return found.found;
    });
    const whole = await timedGuide({}, wanted);
    console.log(
      `an edit (${Object.keys(change)[0]}): answered after ${seconds(answeredMs)}, in the guide after ${seconds(performance.now() - since - whole.tookMs)}; whole guide then ${seconds(whole.tookMs)}`,
    );
  }
  await say('  meanwhile', viewer, memory);
  viewer.leave();
} finally {
  memory?.stop();
  await server?.stop();
  await rm(data, { recursive: true, force: true });
}

/** The large library, whose folder is not there: its media, which have been measured, stay as they are. */
async function fill() {
  const database = await openDatabase({ dataFolder: data, log: quietLog() });
  const { db } = database;
  const began = performance.now();
  try {
    const profile = await getProfileByName(db, '480p');
    const [library] = await db.execute(
      sql`insert into libraries (name, path) values ('Large', '/nonexistent/large') returning id`,
    );
    await db.execute(sql`
      insert into media (library_id, path, size, mtime_ms, state, duration_ms, probe, kind, title, show, season, episode,
        plot, genres, loudness)
      select ${library.id}, 'Show ' || n / 100 || '/' || n || '.mkv', 1, 1, 'ready',
        (1200 + n % 47 * 30) * 1000 + n % 1000,
        jsonb_build_object('format', 'matroska', 'durationMs', (1200 + n % 47 * 30) * 1000 + n % 1000, 'chaptersMs', '[]'::jsonb),
        'episode', 'The one with number ' || n, 'Show ' || n / 100, n % 100 / 20 + 1, n % 20 + 1,
        md5(n::text) || ' and what came of it', array['Drama'], '{"kind":"silent","at":0}'::jsonb
      from generate_series(0, ${size.media - 1}::int) n`);
    const everything = await createCollection(db, {
      name: 'All of the large library',
      kind: 'query',
      query: { library: library.id },
    });
    const shows = Math.ceil(size.media / 100);
    for (let n = 0; n < size.channels; n++) {
      const show = await createCollection(db, {
        name: `Show of channel ${n}`,
        kind: 'query',
        query: { show: `Show ${n % shows}` },
      });
      // Every tenth channel draws from all media; the others from one show with something else at eight.
      const slots =
        n % 10 === 0
          ? [{ id: 'all', play: everything.id, order: 'shuffle', mode: 'flood' }]
          : [
              { id: 'day', play: show.id, order: n % 2 ? 'shuffle' : 'season-episode', mode: 'flood' },
              { id: 'eight', play: show.id, order: 'random', mode: 'one', start: '20:00' },
            ];
      await createChannel(db, {
        number: String(n + 100),
        name: `Channel ${n + 100}`,
        profileId: profile.id,
        zone: 'Europe/London',
        schedule: { slots },
      });
    }
  } finally {
    await database.stop();
  }
  console.log(`filled the database in ${seconds(performance.now() - began)}`);
}

/** How many channels reach to the end of the horizon. */
async function planned() {
  const end = Date.now() + (size.days * 24 - 1) * 3_600_000;
  let count = 0;
  for (let offset = 0; ; offset += 500) {
    const { items, total } = await server.api('GET', `/channels?limit=500&offset=${offset}`);
    count += items.filter(({ playout }) => Date.parse(playout.horizonEndsAt ?? 0) >= end).length;
    if (offset + items.length >= total) return count;
  }
}

/** Waits until nothing in the guide changes any more: titles that came with the library are looked at once more. */
async function settle() {
  let etag;
  for (let same = 0; same < 5; ) {
    const answer = await timedGuide(etag === undefined ? {} : { 'if-none-match': etag });
    same = answer.status === 304 && answer.tookMs < 500 ? same + 1 : 0;
    etag = answer.etag ?? etag;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function timedGuide(headers, wanted, query = '') {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const request = http.get(`${server.base}/iptv/xmltv.xml${query}`, { headers }, (response) => {
      const chunks = [];
      let bytes = 0;
      response.on('data', (chunk) => {
        bytes += chunk.length;
        if (wanted !== undefined) chunks.push(chunk);
      });
      response.on('end', () => {
        const tookMs = performance.now() - began;
        const found = wanted !== undefined && Buffer.concat(chunks).includes(wanted);
        resolve({ status: response.statusCode, etag: response.headers.etag, bytes, tookMs, found });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

async function say(what, viewer, memory) {
  const { p50Ms, p99Ms, maxMs } = (await server.api('GET', '/server')).eventLoop;
  console.log(
    `${what}: thread late p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms; longest gap of the viewer ${viewer.worstGapMs()} ms; memory at most ${megabytes(memory.most())}`,
  );
  viewer.reset();
}

function watchMemory(pid) {
  let most = 0;
  const look = () => {
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    most = Math.max(most, kilobytes * 1024);
  };
  const timer = setInterval(look, 200);
  return { most: () => most, stop: () => clearInterval(timer) };
}

function quietLog() {
  const nothing = () => {};
  return { trace: nothing, debug: nothing, info: nothing, warn: console.warn, error: console.error };
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}
