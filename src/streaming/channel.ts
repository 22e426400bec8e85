import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { messageOf } from '../errors.ts';
import type { AccessUnit } from '../mpegts/access-unit.ts';
import { msToTicks, ticksPerSecond, ticksToMs } from '../mpegts/clock.ts';
import { Muxer } from '../mpegts/muxer.ts';
import { Splicer } from '../mpegts/splicer.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import type { TimelineItem } from '../playout/timeline.ts';
import type { EncoderRun } from './encoder-runs.ts';
import type { BreakerState, StreamingObserver } from './observer.ts';
import type { ProcessPoolManager } from './process-pool.ts';
import { Programme, type StartCause } from './programme.ts';
import type { ChannelGate } from './restart-gate.ts';
import { Ring } from './ring.ts';
import type { Slate } from './slate.ts';
import { SlateSource } from './slate-source.ts';
import type { Source } from './source.ts';
import { captionOf } from './trouble.ts';
import type { Viewer, ViewerEnd } from './viewer.ts';

export interface ChannelDeps {
  channel: LineupChannel;
  /** What is scheduled at an instant (epoch milliseconds); never waits. */
  itemAt: (at: number) => TimelineItem | undefined;
  pool: ProcessPoolManager;
  gate: ChannelGate;
  observer: StreamingObserver;
  slate: Slate;
  /** The slate with a sentence on it, once it has been made. */
  captionedSlate: (caption: string) => Slate | undefined;
  settings: Config['streaming'];
  threads: number;
  log: Logger;
  /** Nobody has watched for the linger time. */
  onIdle: () => void;
  onRun: (run: EncoderRun) => void;
}

export type OnAir = 'starting' | 'programme' | 'slate';

/** The slate is sent so far beyond its own threshold at a time, to begin with whole pictures to decode. */
const slateStepTicks = msToTicks(250);
/** A viewer may be dropped into the programme this much early, which spares it a key frame's wait. */
const entryAheadTicks = msToTicks(250);
/** A place without a plan is looked at again after so long. */
const unplannedMs = 5_000;
/** An encoder is not replaced for its age when it has less than this left to do. */
const worthReplacingMs = 60_000;
/** Where a source has nothing for longer than this, it has a hole. Sound may be ahead of the picture a little. */
const holeTicks = { video: msToTicks(500), audio: msToTicks(1_000) };
/** The same stumble is logged again after so long. */
const stumbleLogMs = 30_000;

/**
 * A channel while it is watched: one endless stream from one programme after the other, with the slate
 * wherever there is none. Every instant of the timeline has one tick of the stream's clock, and keeps it, so
 * the channel cannot drift: what comes late is left out, what is missing is filled.
 */
export class Channel {
  readonly viewers = new Set<Viewer>();
  readonly ring: Ring;
  readonly startedAt = Date.now();
  /** One instant by the wall clock, by the clock that is never set, and by the stream's. */
  private anchor: { at: number; mono: number; tick: number };
  private readonly frameTicks: number;
  private readonly muxer: Muxer;
  private readonly splicer: Splicer;
  private current: Programme;
  private next: Programme | undefined;
  private slateSource: SlateSource | undefined;
  private sending = false;
  /** The programme that is on has built up its lead; until then it need not be ahead of the clock. */
  private hasLead = false;
  private timer: NodeJS.Timeout | undefined;
  private slateTimer: NodeJS.Timeout | undefined;
  private lingerTimer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Since when nobody has watched, in monotonic milliseconds. */
  leftAt: number | undefined;
  joints = 0;
  /** Why the next encoder is started, when it is not simply because its item is due. */
  private nextCause: StartCause = 'item';
  /** Where the programme ended that was on before, until the next one is. */
  private jointTick: number | undefined;
  private lastOutputMono = performance.now();
  private lastStumble: { message: string; at: number } | undefined;

  /** Throws SpawnRefusedError when what is on needs an encoder and there is none. */
  constructor(private readonly deps: ChannelDeps) {
    const { settings, channel } = deps;
    const { video, audio } = channel.profile.spec;
    this.anchor = { at: this.startedAt, mono: performance.now(), tick: settings.clockStart };
    this.frameTicks = (ticksPerSecond * video.frameRate.den) / video.frameRate.num;
    this.ring = new Ring({
      ticks: settings.ringSeconds * ticksPerSecond,
      bytes: settings.ringMegabytes * 2 ** 20,
    });
    this.muxer = new Muxer({ provider: 'aircheck', name: channel.name });
    this.splicer = new Splicer({
      muxer: this.muxer,
      clockStart: settings.clockStart,
      frameRate: video.frameRate,
      audioRate: audio.sampleRate,
      silence: deps.slate.silence,
    });
    this.splicer.startAt(this.snap(this.tickAt(this.startedAt + settings.slateAfterMs)));
    this.current = this.programmeAt(this.splicer.position);
    this.current.start(this.splicer.position);
    this.timer = setInterval(() => this.pump(), settings.writeEveryMs);
    // The slate's first moment does not wait for the next turn.
    this.slateTimer = setTimeout(() => this.pump(), settings.slateAfterMs + 1);
    this.linger();
  }

  get channel(): LineupChannel {
    return this.deps.channel;
  }

  get onAir(): OnAir {
    if (!this.sending) return 'starting';
    return this.slateSource === undefined ? 'programme' : 'slate';
  }

  /** Why the slate is shown, when it is. */
  get reason(): string | undefined {
    return this.onAir === 'slate' ? (this.current.trouble?.text ?? 'the encoder is starting') : undefined;
  }

  /** What is not as it should be although the channel is on, and what to do about it. */
  get warnings(): string[] {
    const { slowness } = this.current;
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

  /** How far this channel's clock is from the wall clock, which somebody may have set. */
  get clockErrorMs(): number {
    return Math.abs(Date.now() - this.now());
  }

  get item(): TimelineItem {
    return this.current.item;
  }

  get pids(): number[] {
    return [this.current.pid, this.next?.pid].flatMap((pid) => pid ?? []);
  }

  /** Its end would give an encoder to others. */
  get holdsEncoder(): boolean {
    return this.current.active || this.next?.active === true;
  }

  /** How far the stream is ahead of the wall clock, in milliseconds. */
  get leadMs(): number {
    return ticksToMs(this.splicer.position - this.tickAt(this.now()));
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
    if (this.next !== undefined && !this.isStill(this.next)) this.dropNext();
    if (!this.isStill(this.current)) {
      this.current.endTick = Math.min(this.current.endTick, this.splicer.position);
      // The slate, if that is what is sent, goes on.
      if (this.current.entered) this.splicer.endAt(this.splicer.position);
    }
    this.pump();
  }

  /** Begins anew with what is on now by the wall clock; viewers keep their stream, whose clock goes on. */
  restart(): void {
    const leadMs = Math.min(Math.max(0, this.leadMs), this.deps.settings.leadMs);
    this.dropNext();
    this.anchor = { at: Date.now() + leadMs, mono: performance.now() + leadMs, tick: this.splicer.position };
    this.slateSource = undefined;
    this.hasLead = false;
    // What is on is over by now; the turn goes on with what is on instead.
    this.current.stop();
    this.current.entered = false;
    this.current.endTick = this.splicer.position;
    this.pump();
  }

  /** Ends every viewer's stream on a packet boundary, and the encoders. May be called twice. */
  stop(reason: Extract<ViewerEnd, 'server-stopped' | 'channel-gone'>): void {
    if (this.stopped) return;
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.slateTimer);
    clearTimeout(this.lingerTimer);
    this.current.stop();
    this.dropNext();
    for (const viewer of [...this.viewers]) viewer.end(reason);
  }

  /** Sends what is due. Called by the clock, and when an encoder that is waited for has something. */
  private pump(): void {
    if (this.stopped) return;
    try {
      this.turn();
    } catch (error) {
      // A channel that cannot go on with what is on must not take the others with it.
      this.logStumble(error);
      this.current.fail('internal', messageOf(error));
    }
  }

  private logStumble(error: unknown): void {
    const message = messageOf(error);
    const at = performance.now();
    const { lastStumble } = this;
    if (lastStumble?.message === message && at - lastStumble.at < stumbleLogMs) return;
    this.lastStumble = { message, at };
    this.deps.log.error({ err: error, item: this.current.item.id }, 'the channel stumbled over its item');
  }

  private turn(): void {
    const nowTick = this.tickAt(this.now());
    const target = nowTick + msToTicks(this.deps.settings.leadMs);
    this.noticeDeath();
    this.noticeAge(nowTick);
    while (this.splicer.position < target) {
      if (this.isOver(nowTick)) this.advance();
      else if (!this.sendProgramme(target) && !this.sendSlate(nowTick, target)) break;
    }
    const { position } = this.splicer;
    if (position >= nowTick + msToTicks(this.deps.settings.slateBelowMs) + slateStepTicks)
      this.hasLead = true;
    this.current.maintain(this.restartTick(nowTick));
    this.prepareNext(nowTick);
    this.publish();
    for (const viewer of this.viewers) viewer.check();
  }

  /** An encoder that dies after good work is an early joint: what it left is sent, and the rest comes from another one. */
  private noticeDeath(): void {
    const end = this.current.diedAt();
    if (end === undefined) return;
    this.deps.log.info({ item: this.current.item.id }, 'the encoder is gone; another one takes over');
    this.endEarly(end, 'takeover');
  }

  /** An encoder that has been at work for very long hands over to another one, amid its item. */
  private noticeAge(nowTick: number): void {
    const { encoderMaxAgeMs, prepareMs } = this.deps.settings;
    const { current } = this;
    if (!current.entered || current.encoderAgeMs < encoderMaxAgeMs) return;
    const end = this.snap(Math.max(nowTick, this.splicer.position) + msToTicks(prepareMs));
    if (current.endTick - end < msToTicks(worthReplacingMs)) return;
    this.deps.log.info({ item: current.item.id }, 'the encoder has run for long; another one takes over');
    this.endEarly(end, 'age');
  }

  private endEarly(end: number, cause: StartCause): void {
    this.current.endTick = end;
    this.splicer.endAt(end);
    this.dropNext();
    this.nextCause = cause;
  }

  /** Whether the item has been sent to its end, its last sound too, for which a little time is given. */
  private isOver(nowTick: number): boolean {
    const { current, splicer } = this;
    if (splicer.position < current.endTick - this.frameTicks / 2) return false;
    if (!current.entered || current.source === undefined) return true;
    this.drain(current.source);
    return current.source.ended || splicer.position < nowTick + msToTicks(this.deps.settings.slateBelowMs);
  }

  private drain(source: Source): void {
    // The last pictures to be decoded may belong before one that was sent: they are not over yet.
    for (let unit = source.shift(); unit !== undefined; unit = source.shift()) this.splicer.write(unit);
  }

  private advance(): void {
    const wasOn = this.current.entered;
    this.current.finish();
    const expected = this.next;
    this.next = undefined;
    if (expected !== undefined && this.isStill(expected)) {
      this.current = expected;
    } else {
      expected?.stop();
      this.current = this.programmeAt(this.splicer.position);
    }
    this.joints++;
    this.nextCause = 'item';
    this.jointTick = wasOn && !this.current.abandoned ? this.splicer.position : undefined;
  }

  /** Sends units of the programme up to `target`. Returns whether anything has moved. */
  private sendProgramme(target: number): boolean {
    const { current, splicer } = this;
    const { source } = current;
    if (source === undefined || current.abandoned) return false;
    if (!current.entered && !this.enter(current)) return this.noticeEnd(current);
    const before = splicer.position;
    for (let unit = source.peek(); unit !== undefined && splicer.position < target; unit = source.peek()) {
      if (this.isBehindHole(unit)) {
        const picture = source.peekPicture();
        // Media that are broken amid. It is entered anew where they go on.
        if (picture === undefined || this.isBehindHole(picture)) {
          current.entered = false;
          return splicer.position > before;
        }
        // Only the sound is elsewhere: the picture goes on without it.
        source.shift();
        continue;
      }
      source.shift();
      const within = splicer.write(unit);
      if (!within && unit.stream === 'video') break;
    }
    return splicer.position > before || this.noticeEnd(current);
  }

  private isBehindHole({ stream, pts }: AccessUnit): boolean {
    return pts + this.current.shift > this.splicer.position + holeTicks[stream];
  }

  /** Goes over to the programme, where one of its key frames has its place. */
  private enter(programme: Programme): boolean {
    if (!this.sending) {
      // Nothing has been sent yet, so the stream can begin wherever the programme does.
      const first = programme.entry(undefined);
      if (first === undefined) return false;
      this.splicer.startAt(first);
    } else {
      const entry = programme.entry(this.splicer.position);
      if (entry === undefined || entry > this.splicer.position + 1.5 * this.frameTicks) return false;
    }
    this.goOver(programme);
    return true;
  }

  private goOver(programme: Programme): void {
    if (!this.sending || this.slateSource !== undefined) this.hasLead = false;
    this.slateSource = undefined;
    this.sending = true;
    if (this.jointTick !== undefined) {
      this.deps.observer.joint(ticksToMs(Math.max(0, this.splicer.position - this.jointTick)));
    }
    this.jointTick = undefined;
    this.splicer.begin({ shift: programme.shift, end: programme.endTick });
    programme.markEntered();
  }

  /** A source that has ended before its item: false when it is not so. */
  private noticeEnd(programme: Programme): boolean {
    const { source } = programme;
    if (source === undefined || !(source.ended || source.pictureOver)) return false;
    // A picture or two that the media lacks at its end are no reason to start again.
    const missing = programme.endTick - this.splicer.position;
    if (programme.entered && missing < 4 * this.frameTicks) {
      this.splicer.holdUntil(programme.endTick);
      return true;
    }
    if (programme.endIsKnown) programme.failAtEnd();
    return false;
  }

  /** Sends the slate where it is due. Returns whether it was. */
  private sendSlate(nowTick: number, target: number): boolean {
    const until = Math.min(this.slateUntil(nowTick, target), this.current.endTick);
    const { splicer } = this;
    if (splicer.position >= until - this.frameTicks / 2) return false;
    const slate = this.slateNow();
    if (this.slateSource?.slate !== slate) this.slateSource = this.beginSlate(slate);
    while (splicer.position < until - this.frameTicks / 2) {
      const unit = this.slateSource.shift();
      if (!splicer.write(unit) && unit.stream === 'video') throw new Error('the slate does not go on');
    }
    return true;
  }

  /** The slate that says why it is shown, where that is worth a sentence. */
  private slateNow(): Slate {
    const caption = captionOf(this.current.trouble);
    return (caption === undefined ? undefined : this.deps.captionedSlate(caption)) ?? this.deps.slate;
  }

  /** How far the slate may go now. */
  private slateUntil(nowTick: number, target: number): number {
    const { current, splicer } = this;
    if (current.abandoned) return target;
    if (!this.sending) {
      return performance.now() - this.anchor.mono < this.deps.settings.slateAfterMs
        ? splicer.position
        : Math.max(nowTick, splicer.position) + slateStepTicks;
    }
    // The place where the programme can be entered is known: the slate leads up to it.
    const entry = current.entered ? undefined : current.entry(splicer.position);
    const ahead = this.slateSource === undefined && !this.hasLead ? 0 : this.deps.settings.slateBelowMs;
    const floor = nowTick + msToTicks(ahead);
    // One that should be on by now, and is not, must not keep the slate away.
    if (entry !== undefined && entry > splicer.position + this.frameTicks / 2) return Math.min(entry, target);
    return splicer.position < floor ? floor + slateStepTicks : splicer.position;
  }

  private beginSlate(slate: Slate): SlateSource {
    const { spec } = this.deps.channel.profile;
    this.sending = true;
    this.current.entered = false;
    this.splicer.begin({ shift: this.splicer.position, end: Number.POSITIVE_INFINITY });
    return new SlateSource(slate, {
      frameTicks: this.frameTicks,
      audioRate: spec.audio.sampleRate,
    });
  }

  /** Where an encoder that is started now should begin. */
  private restartTick(nowTick: number): number {
    const earliest = nowTick + msToTicks(this.deps.settings.slateAfterMs);
    return this.snap(Math.max(this.splicer.position, earliest, this.current.startTick));
  }

  private prepareNext(nowTick: number): void {
    const { current } = this;
    const untilEnd = current.endTick - Math.max(nowTick, this.splicer.position);
    if (untilEnd > msToTicks(this.deps.settings.prepareMs)) return;
    this.next ??= this.programmeAt(current.endTick);
    this.next.maintain(Math.max(this.next.startTick, current.endTick));
    if (this.next.endIsKnown) this.next.failAtEnd();
  }

  private dropNext(): void {
    this.next?.stop();
    this.next = undefined;
  }

  private isStill(programme: Programme): boolean {
    const { item } = programme;
    const planned = this.deps.itemAt(item.startsAt);
    return (
      planned !== undefined &&
      planned.startsAt === item.startsAt &&
      planned.endsAt === item.endsAt &&
      planned.media?.id === item.media?.id &&
      planned.inMs === item.inMs
    );
  }

  private programmeAt(tick: number): Programme {
    const at = this.instantAt(tick + this.frameTicks / 2);
    const item = this.deps.itemAt(at) ?? unplanned(at);
    return new Programme(item, {
      profile: this.deps.channel.profile.spec,
      pool: this.deps.pool,
      gate: this.deps.gate,
      cause: this.nextCause,
      settings: {
        retryMs: this.deps.settings.retryMs,
        retryLaterMs: this.deps.settings.retryLaterMs,
        watchdogMs: this.deps.settings.watchdogMs,
        startTimeoutMs: this.deps.settings.startTimeoutMs,
        threads: this.deps.threads,
      },
      label: `channel ${this.deps.channel.number}`,
      log: this.deps.log,
      startTick: this.snap(this.tickAt(item.startsAt)),
      endTick: this.snap(this.tickAt(item.endsAt)),
      frameTicks: this.frameTicks,
      // Amid a stream, the second that is due is worth more than the work that copying saves.
      mayCopy: !this.sending || this.tickAt(item.startsAt) >= tick - this.frameTicks,
      onReadable: () => this.awaited() && this.pump(),
      onRun: this.deps.onRun,
    });
  }

  /** Whether bytes that have just come are waited for, and need not wait for the clock. */
  private awaited(): boolean {
    return !this.current.entered;
  }

  private publish(): void {
    const chunk = this.muxer.take();
    if (chunk === undefined) return;
    this.lastOutputMono = performance.now();
    this.ring.push(chunk, this.splicer.position);
    const withPicture = this.onAir === 'programme';
    for (const viewer of this.viewers) {
      if (viewer.waiting) this.admit(viewer);
      else viewer.send();
      if (withPicture) viewer.notePicture();
    }
  }

  private admit(viewer: Viewer): void {
    const entry = this.ring.entryFor(this.tickAt(this.now()) + entryAheadTicks);
    if (entry === undefined) return;
    viewer.enter(entry);
    if (this.onAir === 'programme') viewer.notePicture();
  }

  private linger(): void {
    this.lingerTimer = setTimeout(() => this.deps.onIdle(), this.deps.settings.lingerMs);
  }

  /** The wall clock as this channel counts it: by a clock that is never set. */
  private now(): number {
    return this.anchor.at + (performance.now() - this.anchor.mono);
  }

  private tickAt(at: number): number {
    return this.anchor.tick + (at - this.anchor.at) * 90;
  }

  private instantAt(tick: number): number {
    return this.anchor.at + ticksToMs(tick - this.anchor.tick);
  }

  /** The nearest whole frame. */
  private snap(tick: number): number {
    const start = this.deps.settings.clockStart;
    return start + Math.round(Math.round((tick - start) / this.frameTicks) * this.frameTicks);
  }
}

function unplanned(at: number): TimelineItem {
  return { id: 0, kind: 'offline', startsAt: Math.floor(at), endsAt: Math.floor(at) + unplannedMs };
}
