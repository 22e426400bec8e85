// node bench/logs.mjs [ENTRIES=100000]: how long the log's API takes with so many entries, and what that does to
// the thread that streams.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { quantile } from './server.mjs';

const { createLogger } = await import('../dist/logs/logger.js');
const { LogStore } = await import('../dist/logs/log-store.js');

const count = Number(process.argv[2] ?? 100_000);
const rounds = 20;
const folder = await mkdtemp(join(tmpdir(), 'aircheck-bench-logs-'));
const files = { folder, maxBytes: 10 * 1024 * 1024, maxFiles: 1_000 };
const logging = createLogger({ level: 'trace', files, output: { write() {} } });
const delay = monitorEventLoopDelay({ resolution: 1 });

try {
  await fill();
  const store = new LogStore(logging);
  const heapBefore = await heap();
  const indexMs = await timed(() => store.find({ limit: 1 }));
  console.log(
    `first answer, with the start of the thread and the reading of all files: ${indexMs.toFixed(0)} ms`,
  );

  const { total, entries } = await store.find({ limit: 100 });
  if (total !== count) throw new Error(`${total} entries are found`);
  const some = entries[50].id;
  let deep;
  for (let i = 0; i < count / 1_000 - 1; i++)
    deep = (await store.find({ limit: 500, cursor: deep })).nextCursor;
  await measure('first page of 100', () => store.find({ limit: 100 }));
  await measure('first page of 500', () => store.find({ limit: 500 }));
  await measure('page in the middle', () => store.find({ limit: 100, cursor: deep }));
  await measure('level: warn and above', () => store.find({ limit: 100, level: 'warn' }));
  await measure('channel', () => store.find({ limit: 100, channel: '7' }));
  await measure('time: one hour', () => store.find({ limit: 100, since: Date.now() - 3_600_000 }));
  await measure('text that is rare', () => store.find({ limit: 100, text: 'viewer 77777' }));
  await measure('text that is frequent', () => store.find({ limit: 100, text: 'VIEWER' }));
  await measure('text that is nowhere', () => store.find({ limit: 100, text: 'no such thing' }));
  await measure('text in another alphabet', () => store.find({ limit: 100, text: 'früh' }));
  await measure('by id, with 20 around', () => store.around(some, 10));
  console.log(`heap of the streaming thread: ${heapBefore} MB before, ${await heap()} MB after`);
  console.log(`resident memory of the process: ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MB`);
  await store.stop();
} finally {
  await logging.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Entries as the server writes them. */
async function fill() {
  const log = logging.log.child({ logger: 'streaming' });
  const channels = Array.from({ length: 20 }, (_, i) => log.child({ channel: String(i + 1) }));
  let spentMs = 0;
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    const channel = channels[i % channels.length];
    const fields = { viewer: `viewer ${i}`, address: '192.168.1.20', bytes: i * 188 };
    if (i % 50 === 0) channel.warn({ ...fields, reason: 'no bytes for 5000 ms' }, 'the encoder failed');
    else if (i % 2 === 0) channel.debug({ item: i }, 'the encoder has ended');
    else channel.info({ ...fields, reason: 'left' }, 'viewer gone');
    spentMs += performance.now() - begun;
    if (i % 2_000 === 0) await logging.files.flush();
  }
  await logging.files.flush();
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  );
  const megabytes = sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
  console.log(
    `${count} entries, ${megabytes.toFixed(1)} MB in ${sizes.length} files; logging one took ${((spentMs / count) * 1_000).toFixed(1)} µs`,
  );
}

async function measure(what, ask) {
  const times = [];
  let late = 0;
  for (let i = 0; i < rounds; i++) {
    delay.reset();
    delay.enable();
    times.push(await timed(ask));
    delay.disable();
    late = Math.max(late, delay.max / 1e6 - 1);
  }
  const ms = (value) => `${value.toFixed(1)} ms`.padStart(9);
  console.log(
    `${what.padEnd(26)} median ${ms(quantile(times, 0.5))}   slowest ${ms(Math.max(...times))}   this thread late by ${ms(Math.max(0, late))} at most`,
  );
}

async function timed(action) {
  const begun = performance.now();
  await action();
  return performance.now() - begun;
}

async function heap() {
  globalThis.gc?.();
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20);
}
