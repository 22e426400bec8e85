import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { messageOf, NotFoundError, UnavailableError } from '../errors.ts';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import { ticksToMs } from '../mpegts/clock.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import type { TimelineItem } from '../playout/timeline.ts';
import { Channel } from './channel.ts';
import { type EncoderRun, EncoderRuns } from './encoder-runs.ts';
import type { BreakerState, StreamingObserver } from './observer.ts';
import type { OnAir } from './playhead.ts';
import { type ProcessPoolManager, SpawnRefusedError } from './process-pool.ts';
import type { RestartGate } from './restart-gate.ts';
import type { Slate, SlateStore } from './slate.ts';
import { Viewer, type ViewerEnd } from './viewer.ts';

/** Where the channels and their timelines come from; it answers from memory. */
export interface Lineup {
  channel(idOrNumber: string): LineupChannel | undefined;
  itemAt(channelId: string, at: number): TimelineItem | undefined;
  /** Tells of channels whose timeline or description has changed. */
  subscribe(listener: (channelId: string) => void): () => void;
}

export interface StreamStatus {
  channelId: string;
  number: string;
  name: string;
  state: OnAir;
  /** Why the slate is shown. */
  reason?: string;
  item?: { id: number; kind: string; title?: string; offsetMs: number; endsAt: number };
  encoderPids: number[];
  startedAt: number;
  leadMs: number;
  joints: number;
  /** Encoders that were started in the place of another one. */
  restarts: number;
  breaker: BreakerState;
  /** What is not as it should be, and what to do about it. */
  warnings: string[];
  /** How long nothing has been put out, not even the slate. */
  lastOutputAgeMs: number;
  bufferBytes: number;
  viewers: {
    id: string;
    address: string;
    userAgent: string;
    connectedAt: number;
    bytes: number;
    lagMs: number;
    skips: number;
  }[];
}

/** What the health task found. */
export interface HealthReport {
  channels: number;
  /** Numbers of those that put out nothing, or whose clock is wrong, and were started anew. */
  restarted: string[];
  /** The same, but the gate did not let them. */
  refused: { channel: string; reason: string }[];
}

const roomTimeoutMs = 1_000;
/** A channel whose clock is further from the wall clock, because that one was set, is not true to its guide. */
const largestClockErrorMs = 2_000;
const endingTimeoutMs = 2_000;

/** The channels on air. Each exists while somebody watches, and a little longer. */
export class ChannelManager {
  private readonly channels = new Map<string, Channel>();
  private readonly runs = new EncoderRuns();
  private readonly unsubscribe: () => void;
  private closed = false;
  /** To viewers that have gone. */
  private bytesBefore = 0;

  constructor(
    private readonly deps: {
      lineup: Lineup;
      pool: ProcessPoolManager;
      gate: RestartGate;
      observer: StreamingObserver;
      slates: SlateStore;
      settings: Config['streaming'];
      threads: number;
      log: Logger;
    },
  ) {
    this.unsubscribe = deps.lineup.subscribe((id) => this.changed(id));
  }

  /** The channel that a stream address means. Throws NotFoundError for an unknown or disabled one. */
  find(idOrNumber: string): LineupChannel {
    const channel = this.deps.lineup.channel(idOrNumber);
    if (channel === undefined || !channel.enabled) {
      throw new NotFoundError(`There is no channel ${idOrNumber}.`, { operation: 'tuning' });
    }
    return channel;
  }

  /**
   * Connects a player to a channel; `accept` is called to send the headers when nothing can go wrong any
   * more. Throws NotFoundError, or UnavailableError when there is no encoder or no place for the viewer.
   */
  async tune(idOrNumber: string, response: ServerResponse, accept: () => void): Promise<void> {
    const tunedAt = performance.now();
    const description = this.find(idOrNumber);
    if (this.viewers >= this.deps.settings.maxViewers) {
      throw new UnavailableError('The server has as many viewers as it may (streaming.maxViewers).', {
        operation: 'tuning',
        retryAfterSeconds: 30,
      });
    }
    const { spec } = description.profile;
    const slate = this.deps.slates.peek(spec) ?? (await this.firstSlate(spec));
    const tune = this.channels.has(description.id) ? 'warm' : 'cold';
    let channel: Channel;
    do {
      channel = await this.onAir(description, slate);
      if (response.destroyed) return;
      // It may have been closed in the moment between.
    } while (this.channels.get(description.id) !== channel);
    accept();
    channel.join(this.viewer(channel, response, { tune, tunedAt }));
  }

  private async firstSlate(spec: ProfileSpec): Promise<Slate> {
    try {
      return await this.deps.slates.get(spec);
    } catch (error) {
      throw new UnavailableError(`The channel cannot be shown now: ${messageOf(error)}`, {
        operation: 'tuning',
        cause: error,
        retryAfterSeconds: 30,
      });
    }
  }

  get viewers(): number {
    let count = 0;
    for (const channel of this.channels.values()) count += channel.viewers.size;
    return count;
  }

  /** To all viewers since the start. */
  get bytesSent(): number {
    let bytes = this.bytesBefore;
    for (const channel of this.channels.values()) for (const viewer of channel.viewers) bytes += viewer.bytes;
    return bytes;
  }

  /** The last encoders of a channel, on the air or not; the latest last. */
  encoderRuns(channelId: string): readonly EncoderRun[] {
    return this.runs.of(channelId);
  }

  /**
   * Starts the channels anew, through the gate, that are watched and do not put out anything: judged by what
   * leaves the server, so a channel that sends its slate is healthy. To be run now and then.
   */
  checkHealth(): HealthReport {
    const report: HealthReport = { channels: this.channels.size, restarted: [], refused: [] };
    for (const channel of this.channels.values()) {
      const trouble = this.troubleOf(channel);
      if (trouble === undefined) continue;
      const { id, number } = channel.channel;
      const answer = this.deps.gate.channel(id, number).askForHealth();
      const fields = { channel: number, trouble };
      if (answer.granted) {
        this.deps.log.warn(fields, 'the channel is started anew');
        channel.restart();
        report.restarted.push(number);
      } else {
        this.deps.log.warn({ ...fields, reason: answer.reason }, 'the channel may not be started anew yet');
        report.refused.push({ channel: number, reason: answer.reason });
      }
    }
    this.deps.gate.tidy();
    return report;
  }

  private troubleOf(channel: Channel): string | undefined {
    if (channel.viewers.size === 0) return undefined;
    if (channel.lastOutputAgeMs > this.deps.settings.stallMs) {
      return `no output for ${Math.round(channel.lastOutputAgeMs / 1000)} s`;
    }
    if (channel.playhead.clock.errorMs > largestClockErrorMs) {
      return `its clock is ${Math.round(channel.playhead.clock.errorMs / 1000)} s from the system's, which has been set`;
    }
    return undefined;
  }

  streams(): StreamStatus[] {
    return [...this.channels.values()].map(statusOf);
  }

  stream(channelId: string): StreamStatus | undefined {
    const channel = this.channels.get(channelId);
    return channel === undefined ? undefined : statusOf(channel);
  }

  /** Ends all streams on a packet boundary, gives viewers a moment to take what they were sent. May be called twice. */
  async stop(): Promise<void> {
    this.closed = true;
    this.unsubscribe();
    const viewers = [...this.channels.values()].flatMap((channel) => [...channel.viewers]);
    for (const id of [...this.channels.keys()]) this.close(id, 'server-stopped');
    const late = delay(endingTimeoutMs, undefined, { ref: false });
    await Promise.all([
      this.deps.pool.stop(),
      Promise.race([Promise.all(viewers.map((viewer) => viewer.closed)), late]),
    ]);
  }

  /** The channel, put on air first when it is not. Where there is no encoder for it, one is taken from a channel that nobody watches. */
  private async onAir(description: LineupChannel, slate: Slate): Promise<Channel> {
    for (;;) {
      if (this.closed) throw new UnavailableError('The server is stopping.', { operation: 'tuning' });
      const known = this.channels.get(description.id);
      if (known !== undefined) return known;
      try {
        return this.open(description, slate);
      } catch (error) {
        const full = error instanceof SpawnRefusedError && error.reason === 'pool-full';
        if (!full || !(await this.makeRoom())) throw error;
      }
    }
  }

  private open(description: LineupChannel, slate: Slate): Channel {
    const channel = new Channel({
      channel: description,
      itemAt: (at) => this.deps.lineup.itemAt(description.id, at),
      pool: this.deps.pool,
      gate: this.deps.gate.channel(description.id, description.number),
      observer: this.deps.observer,
      slate,
      captionedSlate: (caption) => this.deps.slates.captioned(description.profile.spec, caption),
      settings: this.deps.settings,
      threads: this.deps.threads,
      log: this.deps.log.child({ channel: description.number }),
      onIdle: () => this.close(description.id, 'channel-gone'),
      onRun: (run) => this.runs.add(description.id, run),
    });
    this.channels.set(description.id, channel);
    this.deps.log.info({ channel: description.number }, 'channel on air');
    return channel;
  }

  /** Ends the lingering channel that has been left for longest. Returns whether there was one, and its slot is free. */
  private async makeRoom(): Promise<boolean> {
    const lingering = [...this.channels.values()].filter(
      (channel) => channel.leftAt !== undefined && channel.playhead.holdsEncoder,
    );
    lingering.sort((a, b) => (a.leftAt ?? 0) - (b.leftAt ?? 0));
    const [oldest] = lingering;
    if (oldest === undefined) return false;
    const free = this.deps.pool.slotFreed(AbortSignal.timeout(roomTimeoutMs));
    this.close(oldest.channel.id, 'channel-gone');
    return free.then(
      () => true,
      () => false,
    );
  }

  private close(id: string, reason: 'server-stopped' | 'channel-gone'): void {
    const channel = this.channels.get(id);
    if (channel === undefined) return;
    this.channels.delete(id);
    channel.stop(reason);
    this.deps.log.info({ channel: channel.channel.number }, 'channel off air');
  }

  private changed(id: string): void {
    const channel = this.channels.get(id);
    if (channel === undefined) return;
    if (this.deps.lineup.channel(id)?.enabled) channel.timelineChanged();
    else this.close(id, 'channel-gone');
  }

  private viewer(
    channel: Channel,
    response: ServerResponse,
    { tune, tunedAt }: { tune: 'cold' | 'warm'; tunedAt: number },
  ): Viewer {
    const { settings, log, observer } = this.deps;
    const sinceTune = () => performance.now() - tunedAt;
    return new Viewer({
      id: randomUUID(),
      response,
      ring: channel.ring,
      limits: { stallMs: settings.viewerStallMs, skips: settings.viewerSkips },
      now: () => performance.now(),
      onFirstByte: () => observer.firstByte(tune, sinceTune()),
      onFirstPicture: () => observer.firstPicture(tune, sinceTune()),
      onSkip: () => observer.viewerSkipped(),
      onEnd: (viewer: Viewer, reason: ViewerEnd) => {
        channel.leave(viewer);
        this.bytesBefore += viewer.bytes;
        observer.viewerClosed(reason);
        const fields = {
          channel: channel.channel.number,
          viewer: viewer.id,
          address: viewer.address,
          reason,
        };
        log.info({ ...fields, bytes: viewer.bytes }, 'viewer gone');
      },
    });
  }
}

function statusOf(channel: Channel): StreamStatus {
  const { reason, playhead } = channel;
  const { item } = playhead;
  const title = item.media?.title;
  return {
    channelId: channel.channel.id,
    number: channel.channel.number,
    name: channel.channel.name,
    state: playhead.onAir,
    ...(reason === undefined ? {} : { reason }),
    item: {
      id: item.id,
      kind: item.kind,
      ...(title === undefined ? {} : { title }),
      offsetMs: Date.now() - item.startsAt,
      endsAt: item.endsAt,
    },
    encoderPids: playhead.pids,
    startedAt: channel.startedAt,
    leadMs: Math.round(playhead.leadMs),
    joints: playhead.joints,
    restarts: channel.restarts,
    breaker: channel.breaker,
    warnings: channel.warnings,
    lastOutputAgeMs: Math.round(channel.lastOutputAgeMs),
    bufferBytes: channel.ring.bytes,
    viewers: [...channel.viewers].map((viewer) => ({
      id: viewer.id,
      address: viewer.address,
      userAgent: viewer.userAgent,
      connectedAt: viewer.connectedAt,
      bytes: viewer.bytes,
      lagMs: Math.round(ticksToMs(viewer.lagTicks)),
      skips: viewer.skips,
    })),
  };
}
