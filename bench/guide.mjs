// What a large guide costs: 500 channels, 14 days of half-hour programmes out of 100,000 files, read from the
// embedded database and written in the worker thread, as the server does. Run after a build:
//
//   node bench/guide.mjs [--channels 500] [--days 14] [--media 100000] [--rounds 7]
//
// It prints what it takes to write the guide, to send it, to answer that nothing has changed and to bring in an
// edit; how late the main thread came to its work all the while; and the memory of the process with everything in it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { sql } from 'drizzle-orm';
import { Hono } from 'hono';
import pino from 'pino';
import { openDatabase } from '../dist/db/connection.js';
import { channelsShowingChanged } from '../dist/db/guide.js';
import { shippedProfiles } from '../dist/ffmpeg/profile.js';
import { GuideService } from '../dist/guide/guide-service.js';
import { guideRoutes } from '../dist/http/guide-routes.js';
import { HttpServer } from '../dist/http/server.js';
import { WorkerPool } from '../dist/worker-pool.js';

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '500' },
    days: { type: 'string', default: '14' },
    media: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '7' },
  },
});
const size = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]));
const halfHourMs = 1_800_000;
const mebibyte = 2 ** 20;
let worstDelayMs = 0;
const spec = shippedProfiles[0].spec;

const log = pino({ level: 'warn' });
const dataFolder = mkdtempSync(join(tmpdir(), 'aircheck-bench-'));
const database = await openDatabase({ dataFolder, log });
const worker = new WorkerPool(database.target, log);
try {
  const filled = await timed(() => fill(database.db));
  print('filled the database', `${seconds(filled.tookMs)}, ${filled.result} rows`);
  await measure(database);
} finally {
  await worker.stop();
  await database.stop();
  rmSync(dataFolder, { recursive: true, force: true });
}

/** Makes library, channels and timelines, from two days ago on. Returns the number of rows. */
async function fill(db) {
  await db.execute(sql`insert into profiles (name, spec) values ('bench', ${JSON.stringify(spec)}::jsonb)`);
  await db.execute(sql`insert into libraries (name, path) values ('bench', '/bench')`);
  await db.execute(sql`
    insert into media (library_id, path, size, mtime_ms, state, duration_ms, kind, title, show, season, episode, aired,
      plot, genres, rating, credits, artwork, updated_at)
    select (select id from libraries), 'Show ' || n / 100 || '/' || n || '.mkv', 1, 1, 'ready', ${halfHourMs},
      'episode', 'The one with number ' || n, 'Show & Co ' || n / 100, n % 100 / 20 + 1, n % 20 + 1,
      to_char(date '1990-01-01' + n % 9000, 'YYYY-MM-DD'),
      md5(n::text) || repeat(' somebody meets somebody, and a thing of some weight happens to them.', 1 + n % 5),
      array['Comedy', 'Drama'], 'TV-PG',
      jsonb_build_object('directors', array['Director ' || n % 700], 'actors', jsonb_build_array(
        jsonb_build_object('name', 'Actor ' || n % 3000, 'role', 'Role ' || n % 3000),
        jsonb_build_object('name', 'Actress ' || n % 2900, 'role', 'Role ' || n % 2900))),
      jsonb_build_object('still', 'Show ' || n / 100 || '/' || n || '-thumb.jpg', 'poster', 'Show ' || n / 100 || '/poster.jpg'),
      now() - interval '1 day'
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
    cross join generate_series(0, ${(size.days + 4) * 48 - 1}::int) t
    join numbered m on m.n = (c.number::int * 997 + t) % ${size.media}::int + 1`);
  await db.execute(sql`drop table numbered`);
  const [{ count }] = await db.execute(sql`select count(*)::int as count from playout_items`);
  return count;
}

async function measure({ db }) {
  const rows = await db.execute(sql`
    select id, number, name, guide_id as "guideId", '' as "group" from channels order by number::int`);
  const lineup = rows.map((row) => ({ ...row, enabled: true, profile: { spec } }));
  let offsetMs = 0;
  const guide = new GuideService({
    lineup: () => lineup,
    render: (request, signal) => worker.renderFragment(request, signal),
    localise: (deflated, base) => worker.localise(deflated, base),
    showingChanged: (changedSince) => channelsShowingChanged(db, { changedSince, from: Date.now() }),
    config: {
      publicUrl: undefined,
      guide: { days: size.days, language: 'en', newDays: 0, episodeIcon: 'still' },
    },
    log,
    now: () => Date.now() + offsetMs,
  });
  const app = new Hono();
  app.route('/iptv', guideRoutes({ guide, lineup: () => lineup, config: { trustProxy: false } }));
  const server = new HttpServer(app, { host: '127.0.0.1', port: 0 });
  await server.start();
  const client = fork(new URL('guide.client.mjs', import.meta.url));
  const fetchGuide = async (headers, { path = '', wanted } = {}) => {
    client.send({ url: `http://127.0.0.1:${server.port}/iptv/xmltv.xml${path}`, headers, wanted });
    const [answer] = await once(client, 'message');
    return answer;
  };
  const plain = { 'accept-encoding': 'identity' };
  const zipped = { 'accept-encoding': 'gzip' };
  const memory = watchMemory();

  await phase('idle, two seconds', () => pause(2000));
  const first = await phase('first guide written', () => guide.refresh());
  print('  kept', `${megabytes(first.result.bytes)} compressed`);
  const unknown = await phase('first fetch, by an address that is new', () => fetchGuide(zipped));
  print('  came as', `${unknown.result.encoding}, ${megabytes(unknown.result.bytes)}`);
  await phase('the same written for that address', async () => {
    while ((await fetchGuide(zipped)).encoding !== 'gzip');
  });

  const whole = await rounds('whole guide, gzip', () => fetchGuide(zipped));
  print('  bytes', megabytes(whole.bytes));
  const wholePlain = await rounds('whole guide, as it is', () => fetchGuide(plain));
  print('  bytes', megabytes(wholePlain.bytes));
  const held = { ...zipped, 'if-none-match': whole.etag };
  const unchanged = await rounds('nothing has changed', () => fetchGuide(held));
  if (unchanged.status !== 304) throw new Error(`answered ${unchanged.status}`);

  const edits = [];
  await phase(`${size.rounds} edits, each fetched with the whole guide`, async () => {
    for (let round = 1; round <= size.rounds; round++) edits.push(await edit(round));
  });
  print('  edit to answer, median and worst', `${ms(median(edits))}, ${ms(Math.max(...edits))}`);

  offsetMs = 43_200_000;
  await phase('half a day later: written anew where needed', () => guide.refresh());
  await rounds('whole guide, gzip', () => fetchGuide(zipped));

  const counted = await fetchGuide(zipped, { wanted: '<programme ' });
  print('programmes in it', `${counted.found}`);
  const { before, highest } = memory.stop();
  print('memory of the process', `${megabytes(before)} before, ${megabytes(highest)} at its highest`);
  print('delay of the main thread, p99 of the worst phase', ms(worstDelayMs));

  await guide.stop();
  await server.stop();
  client.disconnect();

  /** Changes a title, and takes the time until a whole guide has come that shows it. */
  async function edit(round) {
    const channel = lineup[(round * 37) % lineup.length];
    const title = `Edited ${round}`;
    await db.execute(sql`
      update media set title = ${title}, updated_at = now() where id = (select media_id from playout_items
        where channel_id = ${channel.id} and starts_at > now() order by starts_at limit 1)`);
    const began = performance.now();
    guide.invalidate(channel.id);
    const answer = await fetchGuide({ ...zipped, 'if-none-match': whole.etag });
    const tookMs = performance.now() - began;
    if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
    const { found } = await fetchGuide(zipped, { path: `?channels=${channel.number}`, wanted: title });
    if (found === 0) throw new Error('the edit is not in the guide');
    return tookMs;
  }
}

/** Prints how long something took, and how late the timers of this thread were meanwhile. */
async function phase(what, work) {
  const resolution = 5;
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  const done = await timed(work);
  histogram.disable();
  const delay = (ns) => Math.max(0, ns / 1e6 - resolution);
  const p99 = delay(histogram.percentile(99));
  worstDelayMs = Math.max(worstDelayMs, p99);
  print(what, `${duration(done.tookMs)} (delay p99 ${ms(p99)}, max ${ms(delay(histogram.max))})`);
  return done;
}

async function rounds(what, work) {
  const answers = [];
  await phase(`${what}, ${size.rounds} times`, async () => {
    for (let round = 0; round < size.rounds; round++) answers.push(await work());
  });
  const times = answers.map(({ tookMs }) => tookMs);
  print('  median and worst', `${ms(median(times))}, ${ms(Math.max(...times))}`);
  return answers.at(-1);
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
  const result = await work();
  return { result, tookMs: performance.now() - began };
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function pause(forMs) {
  return new Promise((resolve) => setTimeout(resolve, forMs));
}

function duration(tookMs) {
  return tookMs < 1000 ? ms(tookMs) : seconds(tookMs);
}

function ms(value) {
  return `${value.toFixed(1)} ms`;
}

function seconds(tookMs) {
  return `${(tookMs / 1000).toFixed(2)} s`;
}

function megabytes(bytes) {
  return `${(bytes / mebibyte).toFixed(1)} MiB`;
}

function print(what, value) {
  console.log(`${`${what}:`.padEnd(52)} ${value}`);
}
