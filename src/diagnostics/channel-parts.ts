import { stat } from 'node:fs/promises';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import type { Config } from '../config.ts';
import { getChannel } from '../db/channels.ts';
import type { Database } from '../db/connection.ts';
import { messageOf } from '../errors.ts';
import type { LogStore } from '../logs/log-store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import type { PlayoutService } from '../playout/playout-service.ts';
import type { TimelineItem, TimelineMedia } from '../playout/timeline.ts';
import type { ChannelManager } from '../streaming/channel-manager.ts';
import type { EncoderRun } from '../streaming/encoder-runs.ts';
import type { TaskRunner } from '../tasks/task-runner.ts';
import type { BundlePart } from './bundle.ts';

export interface DiagnosticsDeps {
  version: string;
  config: Config;
  db: Database;
  playout: PlayoutService;
  channels: Pick<ChannelManager, 'stream' | 'encoderRuns'>;
  tasks: Pick<TaskRunner, 'list'>;
  /** What `ffmpeg -version` says. */
  ffmpegVersion: () => Promise<string>;
  logs: Pick<LogStore, 'find'>;
  metrics: Pick<Metrics, 'text'>;
  health: () => Promise<unknown>;
}

const hourMs = 3_600_000;
const timelineMs = { past: 2 * hourMs, ahead: 6 * hourMs };
const mediaMs = { past: hourMs / 2, ahead: hourMs };
const mediaShown = 20;
const pageSize = 200;
const itemsShown = 2_000;
const logEntries = 500;

/** What a bug report about a channel needs. Each part stands for itself: without the database most are still there. */
export function channelParts(deps: DiagnosticsDeps, channel: LineupChannel, now: number): BundlePart[] {
  const { playout } = deps;
  const { id, number } = channel;
  return [
    { name: 'README.txt', read: async () => readme(deps.version) },
    { name: 'manifest.json', read: async () => json(await manifest(deps, now)) },
    { name: 'channel.json', read: async () => json(channel) },
    { name: 'schedule.json', read: async () => json(await scheduleOf(deps.db, id)) },
    {
      name: 'status.json',
      read: async () => json({ playout: playout.status(id), stream: deps.channels.stream(id) ?? null }),
    },
    { name: 'timeline.json', read: () => timeline(playout, id, now) },
    { name: 'encoders.json', read: async () => json(deps.channels.encoderRuns(id).map(shownRun)) },
    { name: 'media.json', read: async () => json(await mediaAround(playout.window(id), now)) },
    { name: 'tasks.json', read: async () => json(deps.tasks.list()) },
    { name: 'health.json', read: async () => json(await deps.health()) },
    { name: 'metrics.txt', read: () => deps.metrics.text() },
    { name: 'log-channel.ndjson', read: () => lines(deps.logs.find({ channel: number, limit: logEntries })) },
    { name: 'log-server.ndjson', read: () => lines(deps.logs.find({ limit: logEntries })) },
  ];
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function readme(version: string): string {
  return [
    `What aircheck ${version} knows of a channel, for a bug report. Times are UTC; plain numbers are epoch milliseconds.`,
    'Keys, tokens and passwords are masked. Names of recordings and addresses of viewers are not: look through the',
    'files before you give them to others.',
    '',
  ].join('\n');
}

async function manifest({ version, config, ffmpegVersion }: DiagnosticsDeps, now: number) {
  return {
    aircheck: version,
    madeAt: new Date(now).toISOString(),
    upSeconds: Math.round(process.uptime()),
    node: process.versions.node,
    platform: `${process.platform} ${release()} ${arch()}`,
    processors: availableParallelism(),
    memory: { totalBytes: totalmem(), availableBytes: process.availableMemory(), ...process.memoryUsage() },
    ffmpeg: await ffmpegVersion().catch(messageOf),
    config: withoutSecrets(config),
  };
}

function withoutSecrets({ adminKey, databaseUrl, ...config }: Config): unknown {
  const secrets = { adminKey, databaseUrl };
  // Only their names: what follows the name of a secret is masked, whatever it is.
  return {
    ...config,
    given: Object.entries(secrets).flatMap(([name, value]) => (value === undefined ? [] : name)),
  };
}

async function scheduleOf(db: Database, id: string): Promise<unknown> {
  const channel = await getChannel(db, id);
  if (channel === undefined) throw new Error('the channel was deleted just now');
  return { zone: channel.zone, seed: channel.seed, schedule: channel.schedule };
}

/** As it is stored, a page at a time. */
async function* timeline(playout: PlayoutService, id: string, now: number): AsyncGenerator<string> {
  const [from, to] = [now - timelineMs.past, now + timelineMs.ahead];
  const window = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  for (let offset = 0; ; offset += pageSize) {
    const { items, total } = await playout.playout(id, from, to, { limit: pageSize, offset });
    if (offset === 0) yield `${JSON.stringify({ ...window, total }).slice(0, -1)},"items":[\n`;
    const isLast = offset + pageSize >= Math.min(total, itemsShown);
    const shown = items.map((item) => JSON.stringify(shownItem(item))).join(',\n');
    yield `${shown}${isLast ? '\n]}\n' : ',\n'}`;
    if (isLast) return;
  }
}

function shownItem({ media, startsAt, endsAt, ...item }: TimelineItem): unknown {
  return {
    ...item,
    startsAt: new Date(startsAt).toISOString(),
    endsAt: new Date(endsAt).toISOString(),
    ...(media && { media: { id: media.id, title: media.title, path: media.absolutePath } }),
  };
}

function shownRun({ startedAt, endedAt, ...run }: EncoderRun): unknown {
  return {
    ...run,
    startedAt: new Date(startedAt).toISOString(),
    ...(endedAt !== undefined && { endedAt: new Date(endedAt).toISOString(), ranMs: endedAt - startedAt }),
  };
}

/** What is on around now: what the scan found out about each file, and the file as it is at this moment. */
async function mediaAround(items: readonly TimelineItem[], now: number): Promise<unknown[]> {
  const near = items.filter(
    ({ startsAt, endsAt }) => endsAt > now - mediaMs.past && startsAt < now + mediaMs.ahead,
  );
  const media = new Map(near.flatMap(({ media }) => (media === undefined ? [] : [[media.id, media]])));
  return await Promise.all([...media.values()].slice(0, mediaShown).map(withFile));
}

async function withFile(media: TimelineMedia): Promise<unknown> {
  const file = await stat(media.absolutePath).then(
    ({ size, mtime }) => ({ bytes: size, modifiedAt: mtime.toISOString() }),
    (error: unknown) => ({ error: messageOf(error) }),
  );
  return { ...media, file };
}

async function* lines(page: ReturnType<LogStore['find']>): AsyncGenerator<string> {
  for (const entry of (await page).entries) yield `${JSON.stringify(entry)}\n`;
}
