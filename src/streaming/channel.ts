import { performance } from 'node:perf_hooks';
import { messageOf } from '../errors.ts';
import { msToTicks, ticksPerSecond } from '../mpegts/clock.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import type { BreakerState } from './observer.ts';
import { Playhead, type PlayheadDeps } from './playhead.ts';
import { Ring } from './ring.ts';
import type { Viewer, ViewerEnd } from './viewer.ts';

export interface ChannelDeps extends Omit<PlayheadDeps, 'startedAt' | 'onReadable'> {
  /** Nobody has watched for the linger time. */
  onIdle: () => void;
}

/** A viewer may be dropped into the programme this much early, which spares it a key frame's wait. */
const entryAheadTicks = msToTicks(250);
/** The same stumble is logged again after so long. */
const stumbleLogMs = 30_000;

/** A channel while it is watched: one endless stream, and all who watch it. */
export class Channel {
  readonly viewers = new Set<Viewer>();
  readonly ring: Ring;
  readonly startedAt = Date.now();
  readonly playhead: Playhead;
  private timer: NodeJS.Timeout | undefined;
  private slateTimer: NodeJS.Timeout | undefined;
  private lingerTimer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Since when nobody has watched, in monotonic milliseconds. */
  leftAt: number | undefined;
  private lastOutputMono = performance.now();
  private lastStumble: { message: string; at: number } | undefined;

  /** Throws SpawnRefusedError when what is on needs an encoder and there is none. */
  constructor(private readonly deps: ChannelDeps) {
    const { settings } = deps;
    this.ring = new Ring({
      ticks: settings.ringSeconds * ticksPerSecond,
      bytes: settings.ringMegabytes * 2 ** 20,
    });
    this.playhead = new Playhead({ ...deps, startedAt: this.startedAt, onReadable: () => this.pump() });
    this.timer = setInterval(() => this.pump(), settings.writeEveryMs);
    // The slate's first moment does not wait for the next turn.
    this.slateTimer = setTimeout(() => this.pump(), settings.slateAfterMs + 1);
    this.linger();
  }

  get channel(): LineupChannel {
    return this.deps.channel;
  }

  /** Why the slate is shown, when it is. */
  get reason(): string | undefined {
    const { onAir, trouble } = this.playhead;
    return onAir === 'slate' ? (trouble?.text ?? 'the encoder is starting') : undefined;
  }

  /** What is not as it should be although the channel is on, and what to do about it. */
  get warnings(): string[] {
    const { slowness } = this.playhead;
    if (slowness === undefined) return [];
    return [
      `The encoder does ${slowness.toFixed(2)} of the speed that is needed, so the slate will be shown. Choose a smaller profile or a faster preset for this channel, or let fewer channels be watched at a time (streaming.maxProcesses).`,
    ];
  }

  get breaker(): BreakerState {
    return this.deps.gate.state;
  }

  /** Encoders that were started in the place of another one. */
  get restarts(): number {
    return this.deps.gate.restarts;
  }

  /** How long nothing has been put out for viewers, in milliseconds. */
  get lastOutputAgeMs(): number {
    return performance.now() - this.lastOutputMono;
  }

  join(viewer: Viewer): void {
    this.viewers.add(viewer);
    clearTimeout(this.lingerTimer);
    this.lingerTimer = undefined;
    this.leftAt = undefined;
    this.admit(viewer);
  }

  leave(viewer: Viewer): void {
    this.viewers.delete(viewer);
    if (this.viewers.size > 0 || this.stopped) return;
    this.leftAt = performance.now();
    this.linger();
  }

  /** The timeline has been changed: what was made ready may no longer be what comes. */
  timelineChanged(): void {
    this.playhead.timelineChanged();
    this.pump();
  }

  /** Begins anew with what is on now by the wall clock; viewers keep their stream, whose clock goes on. */
  restart(): void {
    this.playhead.restart();
    this.pump();
  }

  /** Ends every viewer's stream on a packet boundary, and the encoders. May be called twice. */
  stop(reason: Extract<ViewerEnd, 'server-stopped' | 'channel-gone'>): void {
    if (this.stopped) return;
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.slateTimer);
    clearTimeout(this.lingerTimer);
    this.playhead.stop();
    for (const viewer of [...this.viewers]) viewer.end(reason);
  }

  /** Sends what is due. Called by the clock, and when an encoder that is waited for has something. */
  private pump(): void {
    if (this.stopped) return;
    try {
      this.playhead.turn();
      this.publish();
      for (const viewer of this.viewers) viewer.check();
    } catch (error) {
      // A channel that cannot go on with what is on must not take the others with it.
      this.logStumble(error);
      this.playhead.stumble(messageOf(error));
    }
  }

  private logStumble(error: unknown): void {
    const message = messageOf(error);
    const at = performance.now();
    const { lastStumble } = this;
    if (lastStumble?.message === message && at - lastStumble.at < stumbleLogMs) return;
    this.lastStumble = { message, at };
    const item = this.playhead.item.id;
    this.deps.log.error({ err: error, item }, 'the channel stumbled over its item');
  }

  private publish(): void {
    const chunk = this.playhead.take();
    if (chunk === undefined) return;
    this.lastOutputMono = performance.now();
    this.ring.push(chunk, this.playhead.position);
    const withPicture = this.playhead.onAir === 'programme';
    for (const viewer of this.viewers) {
      if (viewer.waiting) this.admit(viewer);
      else viewer.send();
      if (withPicture) viewer.notePicture();
    }
  }

  private admit(viewer: Viewer): void {
    const { clock, onAir } = this.playhead;
    const entry = this.ring.entryFor(clock.nowTick + entryAheadTicks);
    if (entry === undefined) return;
    viewer.enter(entry);
    if (onAir === 'programme') viewer.notePicture();
  }

  private linger(): void {
    this.lingerTimer = setTimeout(() => this.deps.onIdle(), this.deps.settings.lingerMs);
  }
}
