// What a large guide costs: 100 channels, 14 days of half-hour programmes out of 20,000 files, read from the
// embedded database and written in a worker thread. Run after a build:
//
//   node bench/guide.mjs [--channels 100] [--days 14] [--media 20000] [--rounds 3]
//
// It prints what a build, a repeated fetch and a fetch that is answered with 304 take, how the thread that
// streams fares meanwhile, and the process's memory.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { sql } from 'drizzle-orm';
import pino from 'pino';
import { openDatabase } from '../dist/db/connection.js';
import { shippedProfiles } from '../dist/ffmpeg/profile.js';
import { GuideService } from '../dist/guide/guide-service.js';
import { isNotModified } from '../dist/guide/validators.js';

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '100' },
    days: { type: 'string', default: '14' },
    media: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
  },
});
const size = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]));
const halfHourMs = 1_800_000;
const mebibyte = 2 ** 20;

const log = pino({ level: 'warn' });
const dataFolder = mkdtempSync(join(tmpdir(), 'aircheck-bench-'));
const database = await openDatabase({ dataFolder, log });
try {
  await fill(database.db);
  await measure(database.target);
} finally {
  await database.stop();
  rmSync(dataFolder, { recursive: true, force: true });
}

/** Makes library, channels and timelines, from two days ago on. */
async function fill(db) {
  const began = performance.now();
  const spec = JSON.stringify(shippedProfiles[0].spec);
  await db.execute(sql`insert into profiles (name, spec) values ('bench', ${spec}::jsonb)`);
  await db.execute(sql`insert into libraries (name, path) values ('bench', '/bench')`);
  await db.execute(sql`
    insert into media (library_id, path, size, mtime_ms, state, duration_ms, kind, title, show, season, episode, aired, plot, genres, rating)
    select (select id from libraries), 'Show ' || n / 100 || '/' || n || '.mkv', 1, 1, 'ready', ${halfHourMs},
      'episode', 'The one with number ' || n, 'Show & Co ' || n / 100, n % 100 / 20 + 1, n % 20 + 1,
      to_char(date '1990-01-01' + n % 9000, 'YYYY-MM-DD'),
      repeat('Somebody meets somebody, and a thing of some weight happens to them. ', 1 + n % 7),
      array['Comedy', 'Drama'], 'TV-PG'
    from generate_series(1, ${size.media}::int) n`);
  await db.execute(sql`
    insert into channels (number, name, guide_id, profile_id, schedule)
    select n::text, 'Channel number ' || n, 'C' || n || '.bench.example.org',
      (select id from profiles where name = 'bench'), '{"slots":[]}'
    from generate_series(1, ${size.channels}::int) n`);
  const from = new Date(Math.floor(Date.now() / halfHourMs) * halfHourMs - 2 * 86_400_000).toISOString();
  await db.execute(
    sql`create temporary table numbered as select id, row_number() over (order by id) as n from media`,
  );
  await db.execute(sql`create unique index on numbered (n)`);
  await db.execute(sql`
    insert into playout_items (channel_id, starts_at, ends_at, kind, media_id, in_ms, out_ms, guide)
    select c.id, ${from}::timestamptz + t * interval '30 minutes', ${from}::timestamptz + (t + 1) * interval '30 minutes',
      'program', m.id, 0, ${halfHourMs}, t
    from channels c
    cross join generate_series(0, ${(size.days + 3) * 48 - 1}::int) t
    join numbered m on m.n = (c.number::int * 997 + t) % ${size.media}::int + 1`);
  await db.execute(sql`drop table numbered`);
  const [{ count }] = await db.execute(sql`select count(*)::int as count from playout_items`);
  print('filled the database in', `${seconds(performance.now() - began)}, ${count} rows`);
}

async function measure(target) {
  const worker = new Worker(new URL('guide.worker.mjs', import.meta.url), { workerData: target });
  const render = async ({ now }) => {
    worker.postMessage({ now, days: size.days, language: 'en' });
    const [answer] = await once(worker, 'message');
    if (answer.error) throw answer.error;
    return answer.guide;
  };
  const guide = new GuideService({ render, log });
  const server = createServer(async (request, response) => {
    const snapshot = await guide.snapshot();
    const zipped = request.headers['accept-encoding'] === 'gzip';
    const etag = zipped ? snapshot.gzipEtag : snapshot.etag;
    const same = isNotModified({ ifNoneMatch: request.headers['if-none-match'] }, { etags: [etag] });
    response.writeHead(same ? 304 : 200, { etag, 'content-type': 'application/xml; charset=utf-8' });
    response.end(same ? undefined : zipped ? snapshot.gzip : snapshot.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/xmltv.xml`;

  const memory = watchMemory();
  const idle = await loopDelay(() => new Promise((resolve) => setTimeout(resolve, 2000)));
  const builds = [];
  const cpu = process.cpuUsage();
  for (let round = 0; round < size.rounds; round++) {
    guide.invalidate();
    builds.push(await loopDelay(() => timed(() => guide.snapshot())));
  }
  const { user, system } = process.cpuUsage(cpu);
  const peak = memory.stop();
  const snapshot = await guide.snapshot();
  const buildMs = median(builds.map((build) => build.result));
  const programmes = snapshot.body.toString('latin1').split('<programme ').length - 1;

  const fetched = await repeated(50, () => fetchWhole(url, { 'accept-encoding': 'identity' }));
  const zipped = await repeated(50, () => fetchWhole(url, { 'accept-encoding': 'gzip' }));
  const known = { 'accept-encoding': 'identity', 'if-none-match': snapshot.etag };
  const unchanged = await repeated(200, () => fetchWhole(url, known));

  print('programmes in the guide', `${programmes}`);
  print('bytes', `${megabytes(snapshot.body.length)}, gzip ${megabytes(snapshot.gzip.length)}`);
  print(
    'build in the worker',
    `${seconds(buildMs)} (${builds.map((build) => seconds(build.result)).join(', ')})`,
  );
  print('CPU of a build, database included', seconds((user + system) / 1000 / size.rounds));
  print('programmes written a second', `${Math.round(programmes / (buildMs / 1000))}`);
  print(
    'fetch of the kept guide',
    `${fetched.toFixed(2)} ms, gzip ${zipped.toFixed(2)} ms, 304 ${unchanged.toFixed(2)} ms`,
  );
  print('ratio build : kept gzip : 304', `${ratio(buildMs, unchanged)} : ${ratio(zipped, unchanged)} : 1`);
  print('event loop delay p99, max, idle', `${idle.p99.toFixed(1)} ms, ${idle.max.toFixed(1)} ms`);
  const worst = { p99: Math.max(...builds.map((b) => b.p99)), max: Math.max(...builds.map((b) => b.max)) };
  print('event loop delay p99, max, building', `${worst.p99.toFixed(1)} ms, ${worst.max.toFixed(1)} ms`);
  print(
    'memory of the process',
    `${megabytes(peak.before)} before, ${megabytes(peak.highest)} at its highest`,
  );

  server.close();
  server.closeAllConnections();
  await worker.terminate();
}

/** How late timers of this thread are while something happens. */
async function loopDelay(during) {
  const resolution = 5;
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  const result = await during();
  histogram.disable();
  return { result, p99: histogram.percentile(99) / 1e6 - resolution, max: histogram.max / 1e6 - resolution };
}

function watchMemory() {
  const before = process.memoryUsage.rss();
  let highest = before;
  const timer = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss());
  }, 50);
  return {
    stop() {
      clearInterval(timer);
      return { before, highest };
    },
  };
}

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function repeated(times, work) {
  const all = [];
  for (let index = 0; index < times; index++) all.push(await timed(work));
  return median(all);
}

/** Without decompressing. */
async function fetchWhole(url, headers) {
  const request = get(url, { headers });
  const [response] = await once(request, 'response');
  response.resume();
  await once(response, 'end');
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function ratio(a, b) {
  return (a / b).toFixed(a / b < 10 ? 1 : 0);
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

function megabytes(bytes) {
  return `${(bytes / mebibyte).toFixed(1)} MiB`;
}

function print(what, value) {
  console.log(`${`${what}:`.padEnd(38)} ${value}`);
}
