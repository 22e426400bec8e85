import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Decoder } from '../support/chaos/decoder.ts';
import { addCheapChannels, addLibrary, type CheapChannel } from '../support/chaos/lineup.ts';
import { readMetrics } from '../support/chaos/metrics.ts';
import { OwnLag } from '../support/chaos/own-lag.ts';
import { encodersWithFiles } from '../support/chaos/process-figures.ts';
import { copyCheapRecordings } from '../support/chaos/recordings.ts';
import { described, mostWithin, restartsIn, SpawnLedger, spawnsIn } from '../support/chaos/spawn-ledger.ts';
import { Watcher } from '../support/chaos/watcher.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

const minutes = Number(process.env.SOAK_MINUTES ?? 10);
const say = (text: string) => process.stdout.write(`${text}\n`);

/** What the server does by default. */
const limits = { failures: 5, openMs: 120_000, restartsPerMinute: 10, distanceMs: 30_000 };
/** Where an item is tried again inside its own slot, its own delays count, and not the distance of restarts. */
const withinSlot = ['retry', 'takeover'];

interface Viewed {
  channel: CheapChannel;
  watcher: Watcher;
  decoder: Decoder;
  slateSeconds: number;
  programmeSeconds: number;
  /** How long the picture stood still before the measurement. */
  stillBeforeMs: number;
  reasons: Map<string, number>;
}

it(
  'governance: three channels that always fail start little, and three others lose nothing',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'aircheck-governance-'));
    const lag = new OwnLag();
    lag.start();
    const ledger = await SpawnLedger.make(root);
    const library = join(root, 'library');
    const folders = Array.from({ length: 6 }, (_, index) => join(library, `channel-${index + 1}`));
    const files: string[][] = [];
    for (const folder of folders) files.push(await copyCheapRecordings(folder));
    const server = await startServer(
      {
        AIRCHECK_FFMPEG_PATH: ledger.program,
        AIRCHECK_LIBRARY_SETTLE_MS: '0',
        // What is broken is to stay in the timeline.
        AIRCHECK_LIBRARY_WATCH: 'false',
        AIRCHECK_LIBRARY_RESCAN_MS: '86400000',
        AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
      },
      { data: join(root, 'data') },
    );
    try {
      await addLibrary(server, library);
      const channels = await addCheapChannels(server, library, folders);
      for (const file of files.slice(3).flat()) await spoil(file);
      const viewed = channels.map((channel) => view(channel, lag));
      await until(
        'the three good channels have their programmes',
        () => viewed.slice(0, 3).every(({ watcher }) => watcher.checker.moving) || undefined,
      );
      // The slate of a cold tune, six at a time.
      for (const each of viewed) each.stillBeforeMs = each.watcher.figures().stillMs;
      const samples = await sampleFor(minutes * 60_000, server, viewed);
      await report({ server, ledger, viewed, samples, folders });
    } finally {
      lag.stop();
      await server.remove();
      await rm(root, { recursive: true, force: true });
    }
  },
  (minutes + 10) * 60_000,
);

/** Makes a file unreadable, with the size and the time that a scan knows. */
async function spoil(file: string): Promise<void> {
  const { size, atime, mtime } = await stat(file);
  await writeFile(file, Buffer.alloc(size));
  await utimes(file, atime, mtime);
  if (!(await readFile(file)).every((byte) => byte === 0)) throw new Error(`${file} is still whole`);
}

function view(channel: CheapChannel, lag: OwnLag): Viewed {
  const decoder = new Decoder();
  const watcher = new Watcher(channel.url, { lag, onBytes: (bytes) => decoder.push(bytes) });
  return {
    channel,
    watcher,
    decoder,
    slateSeconds: 0,
    programmeSeconds: 0,
    stillBeforeMs: 0,
    reasons: new Map(),
  };
}

interface Samples {
  startedAt: number;
  /** Restarts in total by the metrics, with the time of each reading. */
  restarts: { at: number; byCause: Record<string, number> }[];
  /** Changes of breakers. */
  breakers: { at: number; channel: string; state: number }[];
  mostTrials: number;
  /** Readings at which the metrics named another number of encoders than the system. */
  processMismatches: number;
  readings: number;
}

/** Every second. */
async function sampleFor(durationMs: number, server: RunningServer, viewed: Viewed[]): Promise<Samples> {
  const startedAt = Date.now();
  const samples: Samples = {
    startedAt,
    restarts: [],
    breakers: [],
    mostTrials: 0,
    processMismatches: 0,
    readings: 0,
  };
  while (Date.now() - startedAt < durationMs) {
    await delay(1_000 - ((Date.now() - startedAt) % 1_000));
    const [metrics, encoders, streams] = await Promise.all([
      readMetrics(server),
      encodersWithFiles(server),
      server.api('GET', '/streams?limit=100'),
    ]);
    for (const each of viewed) {
      const stream = streams.body.items.find(
        ({ channelId }: { channelId: string }) => channelId === each.channel.id,
      );
      if (stream?.state === 'programme') each.programmeSeconds++;
      if (stream?.state !== 'slate') continue;
      each.slateSeconds++;
      const reason = String(stream.reason).replaceAll(/\/\S+/g, '…');
      each.reasons.set(reason, (each.reasons.get(reason) ?? 0) + 1);
    }
    if (metrics === undefined) continue;
    samples.readings++;
    samples.restarts.push({ at: Date.now(), byCause: metrics.by('aircheck_restarts_total', 'cause') });
    if (metrics.sum('aircheck_processes', { kind: 'encoder' }) !== encoders.length)
      samples.processMismatches++;
    const states = metrics.by('aircheck_breaker_state', 'channel');
    samples.mostTrials = Math.max(
      samples.mostTrials,
      Object.values(states).filter((state) => state === 1).length,
    );
    for (const [channel, state] of Object.entries(states)) {
      const last = samples.breakers.findLast((change) => change.channel === channel);
      if ((last?.state ?? 0) !== state) samples.breakers.push({ at: Date.now(), channel, state });
    }
  }
  return samples;
}

async function report(run: {
  server: RunningServer;
  ledger: SpawnLedger;
  viewed: Viewed[];
  samples: Samples;
  folders: string[];
}): Promise<void> {
  const { server, ledger, viewed, samples, folders } = run;
  const { body: status } = await server.api('GET', '/server');
  const metrics = await readMetrics(server);
  const spawns = (await ledger.spawns()).filter(({ file }) => file !== undefined);
  const byChannel = folders.map((folder) => spawnsIn(spawns, folder));
  // Where a copy cannot be entered, a good item is started again too, as an encoded one.
  const restarts = byChannel
    .slice(3)
    .flatMap(restartsIn)
    .toSorted((a, b) => a.at - b.at);
  const worstMinute = mostWithin(
    restarts.map(({ at }) => at),
    60_000,
  );
  say(`  ${minutes} minutes; spawns by the ledger ${spawns.length}, by the server ${status.encoders.spawns}`);
  say(`  an item started again, by the ledger: ${restarts.length}, most in 60 s: ${worstMinute}`);
  for (const [index, own] of byChannel.entries()) {
    const each = viewed[index] as Viewed;
    const gaps = own.slice(1).map(({ at }, i) => at - (own[i]?.at ?? 0));
    say(
      `  channel ${index + 1}: ${own.length} spawns, most in 60 s ${mostWithin(
        own.map(({ at }) => at),
        60_000,
      )}, least distance ${Math.min(...gaps)} ms; slate ${each.slateSeconds} s, programme ${each.programmeSeconds} s, still picture ${each.watcher.figures().stillMs} ms, worst gap ${each.watcher.figures().worstGapMs} ms`,
    );
    if (index >= 3) {
      say(`    starts: ${own.map((spawn) => described(spawn, samples.startedAt)).join(', ')}`);
      for (const [reason, seconds] of each.reasons) say(`    ${seconds} s: ${reason}`);
    }
  }
  if (metrics === undefined) say('  the server gives no metrics');
  else {
    say(`  restarts by cause: ${JSON.stringify(metrics.by('aircheck_restarts_total', 'cause'))}`);
    say(`  refusals: ${JSON.stringify(metrics.by('aircheck_restart_refusals_total', 'reason'))}`);
    const joints = metrics.sum('aircheck_joint_gap_seconds_count');
    say(
      `  joints: ${joints}, of which with a slate ${joints - metrics.sum('aircheck_joint_gap_seconds_bucket', { le: '0' })}`,
    );
    say(
      `  most restarts in 60 s by the metrics: ${mostByMetrics(samples)}; readings that differ from ps: ${samples.processMismatches} of ${samples.readings}`,
    );
    const names = ['closed', 'half-open', 'open'];
    for (const { at, channel, state } of samples.breakers) {
      say(
        `    ${((at - samples.startedAt) / 1000).toFixed(0)} s: breaker of channel ${channel} ${names[state]}`,
      );
    }
  }
  for (const { watcher } of viewed) watcher.leave();
  const complaints = await Promise.all(viewed.map(({ decoder }) => decoder.end()));
  say(`  decoders: ${complaints.map((list) => list.length).join(', ')} complaints`);

  for (const [index, { watcher }] of viewed.entries()) {
    const figures = watcher.figures();
    expect([index + 1, watcher.state]).toEqual([index + 1, 'left']);
    expect([index + 1, complaints[index]]).toEqual([index + 1, []]);
    expect([index + 1, figures.continuityErrors, figures.discontinuities, figures.stepsBack]).toEqual([
      index + 1,
      0,
      0,
      0,
    ]);
    expect(figures.worstGapMs).toBeLessThan(1_000);
  }
  for (const { watcher, slateSeconds, stillBeforeMs } of viewed.slice(0, 3)) {
    const stillMs = watcher.figures().stillMs - stillBeforeMs;
    expect({ slateSeconds, stillMs }).toEqual({ slateSeconds: 0, stillMs: 0 });
  }
  for (const { watcher, programmeSeconds } of viewed.slice(3)) {
    expect(programmeSeconds).toBe(0);
    expect(watcher.figures().stillMs).toBeGreaterThan(minutes * 60_000 * 0.98);
  }
  // One may have been started between the two looks.
  expect(Math.abs(spawns.length - status.encoders.spawns)).toBeLessThanOrEqual(1);
  expect(worstMinute).toBeLessThanOrEqual(limits.restartsPerMinute);
  for (const own of byChannel.slice(3)) expectBreaker(own.map(({ at }) => at));
  if (metrics !== undefined)
    expectMetrics(samples, metrics.by('aircheck_restarts_total', 'cause'), spawns.length);
}

/** Some failures, and from then on one trial each time that the breaker has been open for long enough. */
function expectBreaker(starts: readonly number[]): void {
  const pauses = starts.slice(1).map((at, index) => at - (starts[index] as number));
  const isLong = (ms: number) => ms > limits.openMs - 1_000;
  const opened = pauses.findIndex(isLong);
  const untilOpen = opened < 0 ? starts.length : opened + 1;
  // The next item's encoder may have been under way already.
  expect(untilOpen).toBeLessThanOrEqual(limits.failures + 1);
  expect(pauses.slice(untilOpen - 1).filter((ms) => !isLong(ms))).toEqual([]);
  const trials = starts.length - untilOpen;
  expect(trials).toBeGreaterThanOrEqual(Math.floor((minutes * 60_000) / (limits.openMs + 60_000)) - 1);
}

function expectMetrics(samples: Samples, byCause: Record<string, number>, spawns: number): void {
  expect(mostByMetrics(samples)).toBeLessThanOrEqual(limits.restartsPerMinute);
  // Between two looks an encoder may come or go.
  expect(samples.processMismatches).toBeLessThan(samples.readings * 0.1);
  expect(Object.values(byCause).reduce((sum, count) => sum + count, 0)).toBeLessThan(spawns);
  const governed = samples.restarts.map(({ at, byCause: causes }) => {
    const entries = Object.entries(causes).filter(([cause]) => !withinSlot.includes(cause));
    return { at, total: entries.reduce((sum, [, count]) => sum + count, 0) };
  });
  // Three channels fail, so no distance can hold more than one restart of each.
  for (const [index, { at, total }] of governed.entries()) {
    const before = governed
      .slice(0, index)
      .findLast((reading) => at - reading.at >= limits.distanceMs - 1_000);
    if (before !== undefined) expect(total - before.total).toBeLessThanOrEqual(3);
  }
}

function mostByMetrics({ restarts }: Samples): number {
  const totals = restarts.map(({ at, byCause }) => ({
    at,
    total: Object.values(byCause).reduce((sum, count) => sum + count, 0),
  }));
  return totals.reduce((most, { at, total }) => {
    const before = totals.find((reading) => at - reading.at <= 60_000);
    return Math.max(most, total - (before?.total ?? total));
  }, 0);
}
