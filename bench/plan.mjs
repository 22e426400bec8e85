// Plans and stores the timelines of many channels with the embedded database, in the worker thread as the
// server does, and says what it costs and how late the main thread comes to its work meanwhile.
// node bench/plan.mjs [channels=100] [media=20000] [days=14] [minutes=45] [shared=0]
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { count, sql } from 'drizzle-orm';
import { createChannel } from '../dist/db/channels.js';
import { createCollection } from '../dist/db/collections.js';
import { openDatabase } from '../dist/db/connection.js';
import { ensureShippedProfiles, getProfileByName } from '../dist/db/profiles.js';
import { libraries, media, playoutCheckpoints, playoutItems } from '../dist/db/schema.js';
import { PlayoutService } from '../dist/playout/playout-service.js';
import { WorkerPool } from '../dist/worker-pool.js';

const [channels = 100, mediaCount = 20_000, days = 14, minutes = 45, shared = 0] = process.argv
  .slice(2)
  .map(Number);
const quiet = () => {};
const log = { trace: quiet, debug: quiet, info: quiet, warn: console.warn, error: console.error };
const dataFolder = mkdtempSync(join(tmpdir(), 'aircheck-bench-'));
const database = await openDatabase({ dataFolder, log });
const { db } = database;
const worker = new WorkerPool(database.target, log);
const planMs = [];
const service = new PlayoutService({
  db,
  log,
  config: { horizonHours: days * 24, extendEveryMs: 300_000, freezeMs: 7_200_000, keepPastHours: 168 },
  plan: async (request) => {
    const began = performance.now();
    const result = await worker.plan(request);
    planMs.push(performance.now() - began);
    return result;
  },
});

try {
  await timed('set up', makeStation);
  await timed('start', () => service.start());
  await timed('first plan of all channels', () => service.extendAll(), true);
  await timed('nothing to extend', () => service.extendAll());
  await timed('review of all channels, nothing changed', () => review());
  const [rows] = await db.select({ n: count() }).from(playoutItems);
  const [checkpoints] = await db.select({ n: count() }).from(playoutCheckpoints);
  const [size] = await db.execute(sql`select pg_database_size(current_database()) as bytes`);
  console.log(`${rows.n} rows, ${checkpoints.n} checkpoints, database ${megabytes(Number(size.bytes))}`);
  const { maxRSS } = process.resourceUsage();
  console.log(`peak RSS of the process ${megabytes(maxRSS * 1024)}, now ${megabytes(rss())}`);
} finally {
  await service.stop();
  await worker.stop();
  await database.stop();
  rmSync(dataFolder, { recursive: true, force: true });
}

async function makeStation() {
  await ensureShippedProfiles(db);
  const profile = await getProfileByName(db, '720p');
  const [library] = await db.insert(libraries).values({ name: 'Bench', path: '/bench' }).returning();
  const ids = [];
  const durationMs = minutes * 60_000;
  for (let first = 0; first < mediaCount; first += 500) {
    const rows = Array.from({ length: Math.min(500, mediaCount - first) }, (_, n) => ({
      id: randomUUID(),
      libraryId: library.id,
      path: `Show ${(first + n) % 200}/${first + n}.mkv`,
      size: 1,
      mtimeMs: 1,
      state: 'ready',
      durationMs,
      probe: { format: 'matroska', durationMs, chaptersMs: [] },
      kind: 'episode',
      title: `Title ${first + n}`,
      show: `Show ${(first + n) % 200}`,
      season: 1,
      episode: n,
    }));
    await db.insert(media).values(rows);
    ids.push(...rows.map((row) => row.id));
  }
  const each = Math.floor(mediaCount / channels);
  for (let n = 0; n < channels; n++) {
    const collection =
      shared === 1
        ? await createCollection(db, { name: `All ${n}`, kind: 'query', query: {} })
        : await createCollection(db, {
            name: `Part ${n}`,
            kind: 'manual',
            media: ids.slice(n * each, (n + 1) * each),
          });
    const slot = {
      id: 'all',
      play: collection.id,
      order: n % 2 ? 'shuffle' : 'chronological',
      mode: 'flood',
    };
    await createChannel(db, {
      number: String(n + 1),
      name: `Channel ${n + 1}`,
      profileId: profile.id,
      schedule: { slots: [slot] },
    });
  }
}

async function review() {
  for (const { id } of service.lineup()) await service.rebuild(id);
}

async function timed(name, work, detailed = false) {
  planMs.length = 0;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const began = performance.now();
  const result = await work();
  const tookMs = performance.now() - began;
  delay.disable();
  const ms = (ns) => `${Math.max(0, ns / 1e6 - 5).toFixed(1)} ms`;
  console.log(
    `${name}: ${Math.round(tookMs)} ms; main thread late p99 ${ms(delay.percentile(99))}, max ${ms(delay.max)}`,
  );
  if (!detailed) return;
  const sorted = planMs.toSorted((a, b) => a - b);
  const at = (part) => `${Math.round(sorted[Math.floor((sorted.length - 1) * part)])} ms`;
  console.log(
    `  ${result.added} rows, ${Math.round(result.added / (tookMs / 1000))} rows/s; a channel: median ${at(0.5)}, max ${at(1)}`,
  );
}

function rss() {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
}

function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}
