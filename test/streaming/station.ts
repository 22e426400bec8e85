import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Config, configSchema } from '../../src/config.ts';
import { probeFile } from '../../src/ffmpeg/probe.ts';
import type { ProfileSpec } from '../../src/ffmpeg/profile.ts';
import type { LineupChannel } from '../../src/playout/lineup.ts';
import type { TimelineItem, TimelineMedia } from '../../src/playout/timeline.ts';
import { ChannelManager, type Lineup } from '../../src/streaming/channel-manager.ts';
import type { StreamingObserver } from '../../src/streaming/observer.ts';
import { ProcessPoolManager } from '../../src/streaming/process-pool.ts';
import { RestartGate } from '../../src/streaming/restart-gate.ts';
import { SlateStore } from '../../src/streaming/slate.ts';
import { TokenBucket } from '../../src/streaming/token-bucket.ts';
import { ffmpeg, ffmpegPath, ffprobePath } from '../mpegts/real-ffmpeg.ts';
import { analyse } from '../support/transport-stream.ts';
import { processesOf } from './processes.ts';

/** A format that costs next to nothing. */
export const smallProfile: ProfileSpec = {
  video: {
    codec: 'h264',
    width: 320,
    height: 180,
    frameRate: { num: 25, den: 1 },
    bitrateKbps: 300,
    preset: 'superfast',
    keyframeMs: 1000,
  },
  audio: { codec: 'aac', sampleRate: 48_000, channels: 2, bitrateKbps: 64 },
};

/** A folder of small recordings, each of one even brightness by which it is known again in the output. */
export class Shelf {
  private constructor(private readonly folder: string) {}

  static async open(): Promise<Shelf> {
    return new Shelf(await mkdtemp(join(tmpdir(), 'aircheck-shelf-')));
  }

  /**
   * @param gray the brightness of its picture, 40 to 235; the slate is darker than all of them
   * @param args how it is encoded; `input` replaces picture and sound
   */
  async record(
    name: string,
    gray: number,
    options: { seconds: number; rate?: string; size?: string; input?: string[]; args?: string[] },
  ): Promise<TimelineMedia> {
    const path = join(this.folder, name);
    const hex = gray.toString(16).padStart(2, '0');
    const picture = `color=c=0x${hex}${hex}${hex}:s=${options.size ?? '320x180'}:r=${options.rate ?? '25'}`;
    const input = options.input ?? ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', 'sine=f=440:r=48000'];
    const codec = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      '-ac',
      '2',
    ];
    await ffmpeg([
      '-v',
      'error',
      ...input,
      ...codec,
      ...(options.args ?? []),
      '-t',
      String(options.seconds),
      path,
    ]);
    const probe = await probeFile(path, { probePath: ffprobePath, timeoutMs: 20_000 });
    return { id: randomUUID(), absolutePath: path, probe, durationMs: probe.durationMs, title: name };
  }

  get slates(): string {
    return join(this.folder, 'slates');
  }

  /** Renders what the stations of this shelf will find, which would otherwise do so one over the other. */
  async prepareSlates(...profiles: ProfileSpec[]): Promise<void> {
    const store = new SlateStore({ folder: this.slates, ffmpegPath, log: pino({ level: 'silent' }) });
    for (const profile of profiles) await store.get(profile);
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Items one after the other from an instant on. */
export function timeline(
  from: number,
  ...parts: { media?: TimelineMedia; ms: number; inMs?: number }[]
): TimelineItem[] {
  let startsAt = from;
  return parts.map(({ media, ms, inMs = 0 }, index): TimelineItem => {
    const item = { id: index + 1, startsAt, endsAt: startsAt + ms };
    startsAt += ms;
    if (media === undefined) return { ...item, kind: 'offline' };
    return { ...item, kind: 'program', media, inMs, outMs: inMs + ms };
  });
}

class TestLineup implements Lineup {
  readonly channels = new Map<string, LineupChannel>();
  readonly items = new Map<string, TimelineItem[]>();
  private readonly listeners = new Set<(channelId: string) => void>();

  channel(idOrNumber: string): LineupChannel | undefined {
    return [...this.channels.values()].find(({ id, number }) => id === idOrNumber || number === idOrNumber);
  }

  itemAt(channelId: string, at: number): TimelineItem | undefined {
    return this.items.get(channelId)?.find((item) => item.startsAt <= at && at < item.endsAt);
  }

  subscribe(listener: (channelId: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  change(channelId: string): void {
    for (const listener of this.listeners) listener(channelId);
  }
}

/** Keeps all that a station tells of itself, as calls with their arguments. */
class Listener implements StreamingObserver {
  readonly calls: [name: keyof StreamingObserver, ...values: unknown[]][] = [];
  readonly encoderSpawned = () => this.add('encoderSpawned');
  readonly encoderEnded = (how: unknown) => this.add('encoderEnded', how);
  readonly spawnRefused = (reason: unknown) => this.add('spawnRefused', reason);
  readonly restarted = (cause: unknown) => this.add('restarted', cause);
  readonly restartRefused = (reason: unknown) => this.add('restartRefused', reason);
  readonly breakerChanged = (channel: unknown, state: unknown) => this.add('breakerChanged', channel, state);
  readonly joint = (slateMs: unknown) => this.add('joint', slateMs);
  readonly firstByte = (tune: unknown, ms: unknown) => this.add('firstByte', tune, ms);
  readonly firstPicture = (tune: unknown, ms: unknown) => this.add('firstPicture', tune, ms);
  readonly viewerSkipped = () => this.add('viewerSkipped');
  readonly viewerClosed = (reason: unknown) => this.add('viewerClosed', reason);

  /** The first value of each call of that name. */
  of(name: keyof StreamingObserver): unknown[] {
    return this.calls.filter(([called]) => called === name).map(([, value]) => value);
  }

  private add(name: keyof StreamingObserver, ...values: unknown[]): void {
    this.calls.push([name, ...values]);
  }
}

/** A whole streaming side with its own pool, over real HTTP. */
export class Station {
  readonly lineup = new TestLineup();
  readonly manager: ChannelManager;
  readonly pool: ProcessPoolManager;
  readonly settings: Config['streaming'];
  readonly owner = randomUUID();
  readonly log: { level: number; msg: string; reason?: unknown }[] = [];
  readonly heard = new Listener();
  readonly gate: RestartGate;
  readonly slates: SlateStore;
  private readonly server: Server;

  private constructor(slates: string, settings: Partial<Config['streaming']>, ffmpegFile: string) {
    this.settings = configSchema.parse({ streaming: settings }).streaming;
    const log = pino(
      { level: 'debug', base: null },
      { write: (line) => void this.log.push(JSON.parse(line)) },
    );
    const { spawnsPerSecond: ratePerSecond, spawnBurst: burst, maxProcesses: max } = this.settings;
    const bucket = new TokenBucket({ ratePerSecond, burst });
    this.pool = new ProcessPoolManager({
      bucket,
      log,
      max,
      ffmpegPath: ffmpegFile,
      niceness: 0,
      owner: this.owner,
      observer: this.heard,
      guard: () => undefined,
    });
    this.slates = new SlateStore({ folder: slates, ffmpegPath, log });
    this.gate = new RestartGate({ settings: this.settings, observer: this.heard });
    this.manager = new ChannelManager({
      lineup: this.lineup,
      pool: this.pool,
      gate: this.gate,
      observer: this.heard,
      slates: this.slates,
      settings: this.settings,
      threads: 1,
      log,
    });
    this.server = createServer((request, response) => {
      const accept = () => void response.writeHead(200, { 'content-type': 'video/mp2t' });
      this.manager.tune(request.url!.slice(1), response, accept).catch((error: Error) => {
        response.writeHead(503, { 'x-error': error.constructor.name }).end(error.message);
      });
    });
  }

  static async open(
    shelf: Shelf,
    settings: Partial<Config['streaming']> = {},
    ffmpegFile = ffmpegPath,
  ): Promise<Station> {
    const station = new Station(shelf.slates, settings, ffmpegFile);
    station.server.listen(0, '127.0.0.1');
    await once(station.server, 'listening');
    return station;
  }

  /** Puts a channel into the lineup and returns its id. */
  add(number: string, items: TimelineItem[], spec: ProfileSpec = smallProfile): string {
    const id = `channel-${number}`;
    this.lineup.channels.set(id, {
      id,
      number,
      name: `Channel ${number}`,
      group: '',
      logoUrl: undefined,
      guideId: id,
      enabled: true,
      zone: 'UTC',
      profile: { id: 'small', name: 'small', spec },
      updatedAt: 0,
    });
    this.lineup.items.set(id, items);
    return id;
  }

  async watch(number: string): Promise<Watcher> {
    const { port } = this.server.address() as AddressInfo;
    const request = get({ host: '127.0.0.1', port, path: `/${number}`, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return new Watcher(response);
  }

  /** Why encoders were started again. */
  get reasons(): string[] {
    return this.log.flatMap(({ reason }) => (typeof reason === 'string' ? reason : []));
  }

  encoders(): Promise<number[]> {
    return processesOf(this.owner);
  }

  async stop(): Promise<void> {
    await this.manager.stop();
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** A player that keeps everything that it is sent. */
export class Watcher {
  readonly ended: Promise<void>;
  private readonly parts: Buffer[] = [];

  constructor(readonly response: IncomingMessage) {
    response.on('data', (part: Buffer) => this.parts.push(part));
    response.on('error', () => {});
    this.ended = new Promise((resolve) => {
      response.once('close', () => resolve());
    });
  }

  get status(): number {
    return this.response.statusCode!;
  }

  /** Whole packets of what came so far. */
  get bytes(): Buffer {
    const all = Buffer.concat(this.parts);
    return this.response.complete ? all : all.subarray(0, all.length - (all.length % 188));
  }

  /** Waits until the stream's clock has gone so far since its beginning. */
  async seconds(seconds: number): Promise<void> {
    await this.until(() => {
      const { clock } = analyse(this.bytes);
      return clock.length > 0 && clock.at(-1)!.time - clock[0]!.time >= seconds * 27_000_000;
    });
  }

  /** Looks each time that something has come. Throws when the stream ends, or gives nothing for long. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.response.closed) throw new Error(`the stream has ended: ${this.status}`);
      await Promise.race([once(this.response, 'data', { signal: AbortSignal.timeout(10_000) }), this.ended]);
    }
  }

  leave(): void {
    this.response.destroy();
  }
}

/** The stretches of one brightness (mean Y) in a stream, from and to in seconds of its own clock. */
export async function brightness(stream: Buffer): Promise<{ luma: number; from: number; to: number }[]> {
  const metadata = 'signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-';
  const args = [
    '-v',
    'error',
    '-copyts',
    '-f',
    'mpegts',
    '-i',
    'pipe:0',
    '-map',
    '0:v',
    '-vf',
    metadata,
    '-f',
    'null',
    '-',
  ];
  const text = (await ffmpeg(args, stream)).toString('utf8');
  const stretches: { luma: number; from: number; to: number }[] = [];
  for (const [, time, mean] of text.matchAll(/pts_time:([\d.]+)\s+.*YAVG=([\d.]+)/g)) {
    const last = stretches.at(-1);
    if (last !== undefined && Math.abs(last.luma - Number(mean)) < 6) last.to = Number(time);
    else stretches.push({ luma: Math.round(Number(mean)), from: Number(time), to: Number(time) });
  }
  return stretches;
}
