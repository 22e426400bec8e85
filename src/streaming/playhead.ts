import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { AccessUnit } from '../mpegts/access-unit.ts';
import { msToTicks, ticksPerSecond, ticksToMs } from '../mpegts/clock.ts';
import { type Chunk, Muxer } from '../mpegts/muxer.ts';
import { Splicer } from '../mpegts/splicer.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import type { TimelineItem } from '../playout/timeline.ts';
import { ChannelClock } from './channel-clock.ts';
import type { EncoderRun } from './encoder-runs.ts';
import type { EncoderSource } from './encoder-source.ts';
import type { StreamingObserver } from './observer.ts';
import type { ProcessPoolManager } from './process-pool.ts';
import { Programme, type StartCause } from './programme.ts';
import type { ChannelGate } from './restart-gate.ts';
import type { Slate } from './slate.ts';
import { SlateSource } from './slate-source.ts';
import { SteadyGain } from './steady-gain.ts';
import { captionOf, type Trouble } from './trouble.ts';

export interface PlayheadDeps {
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
  onRun: (run: EncoderRun) => void;
  /** Epoch milliseconds. */
  startedAt: number;
  /** What is waited for has come, and need not wait for the next turn. */
  onReadable: () => void;
}

export type OnAir = 'starting' | 'programme' | 'slate';

/** The slate is sent so far beyond its own threshold at a time, to begin with whole pictures to decode. */
const slateStepTicks = msToTicks(250);
/** A place without a plan is looked at again after so long. */
const unplannedMs = 5_000;
/** An encoder is not replaced for its age when it has less than this left to do. */
const worthReplacingMs = 60_000;
/** Where a source has nothing for longer than this, it has a hole. Sound may be ahead of the picture a little. */
const holeTicks = { video: msToTicks(500), audio: msToTicks(1_000) };

/**
 * Where a channel's stream is: what is on, what comes next, and how one is joined to the other, with the slate
 * wherever there is no programme. What comes late is left out, what is missing is filled, and by every turn the
 * stream has been written up to the present at least.
 */
export class Playhead {
  readonly clock: ChannelClock;
  /** How often one item has followed another. */
  joints = 0;
  private readonly startedMono = performance.now();
  private readonly frameTicks: number;
  private readonly muxer: Muxer;
  private readonly splicer: Splicer;
  private readonly gain: SteadyGain;
  private current: Programme;
  private next: Programme | undefined;
  private slateSource: SlateSource | undefined;
  private sending = false;
  /** The programme that is on has built up its lead; until then it need not be ahead of the clock. */
  private hasLead = false;
  /** Why the next encoder is started, when it is not simply because its item is due. */
  private nextCause: StartCause = 'item';
  /** Where the programme ended that was on before, until the next one is. */
  private jointTick: number | undefined;

  /** Throws SpawnRefusedError when what is on needs an encoder and there is none. */
  constructor(private readonly deps: PlayheadDeps) {
    const { settings, channel, startedAt } = deps;
    const { video, audio } = channel.profile.spec;
    const { frameRate } = video;
    this.frameTicks = (ticksPerSecond * frameRate.den) / frameRate.num;
    this.clock = new ChannelClock({
      at: startedAt,
      start: settings.clockStart,
      frameTicks: this.frameTicks,
    });
    this.muxer = new Muxer({ provider: 'aircheck', name: channel.name });
    this.splicer = new Splicer({
      muxer: this.muxer,
      clockStart: settings.clockStart,
      frameRate,
      audioRate: audio.sampleRate,
      silence: deps.slate.silence,
    });
    this.gain = new SteadyGain(channel.profile.spec);
    this.splicer.startAt(this.clock.snap(this.clock.tickAt(startedAt + settings.slateAfterMs)));
    this.current = this.programmeAt(this.splicer.position);
    this.current.start(this.splicer.position);
  }

  get onAir(): OnAir {
    if (!this.sending) return 'starting';
    return this.slateSource === undefined ? 'programme' : 'slate';
  }

  get item(): TimelineItem {
    return this.current.item;
  }

  /** Why the slate is shown, or would be. */
  get trouble(): Trouble | undefined {
    return this.current.trouble;
  }

  /** The encoder is too slow for its work, and how slow: 0.8 is four fifths of what it should be. */
  get slowness(): number | undefined {
    return this.current.slowness;
  }

  get pids(): number[] {
    return [this.current.pid, this.next?.pid].flatMap((pid) => pid ?? []);
  }

  get holdsEncoder(): boolean {
    return this.current.active || this.next?.active === true;
  }

  /** Presentation time of the next picture to be sent. */
  get position(): number {
    return this.splicer.position;
  }

  /** How far the stream is ahead of the wall clock, in milliseconds. */
  get leadMs(): number {
    return ticksToMs(this.splicer.position - this.clock.nowTick);
  }

  /** What has been written since this was last asked. */
  take(): Chunk | undefined {
    return this.muxer.take();
  }

  /** Writes what is due. */
  turn(): void {
    const { nowTick } = this.clock;
    const { settings } = this.deps;
    const target = nowTick + msToTicks(settings.leadMs);
    this.noticeDeath();
    this.noticeAge(nowTick);
    while (this.splicer.position < target) {
      if (this.isOver(nowTick)) this.advance();
      else if (!this.sendProgramme(target) && !this.sendSlate(nowTick, target)) break;
    }
    const { position } = this.splicer;
    if (position >= nowTick + msToTicks(settings.slateBelowMs) + slateStepTicks) this.hasLead = true;
    this.current.maintain(this.restartTick(nowTick));
    this.prepareNext(nowTick);
  }

  /** A mistake of the server's own: it must not keep the channel from what comes. */
  stumble(reason: string): void {
    this.current.fail('internal', reason);
  }

  /** What was made ready may no longer be what comes. */
  timelineChanged(): void {
    if (this.next !== undefined && !this.isStill(this.next)) this.dropNext();
    if (this.isStill(this.current)) return;
    this.current.endTick = Math.min(this.current.endTick, this.splicer.position);
    // The slate, if that is what is sent, goes on.
    if (this.current.entered) this.splicer.endAt(this.splicer.position);
  }

  /** Begins anew with what is on now by the wall clock; the stream's clock goes on. */
  restart(): void {
    const leadMs = Math.min(Math.max(0, this.leadMs), this.deps.settings.leadMs);
    this.dropNext();
    this.clock.set(this.splicer.position, leadMs);
    this.slateSource = undefined;
    this.hasLead = false;
    // What is on is over by now; the turn goes on with what is on instead.
    this.current.stop();
    this.current.entered = false;
    this.current.endTick = this.splicer.position;
  }

  /** Ends the encoders. */
  stop(): void {
    this.current.stop();
    this.dropNext();
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
    const end = this.clock.snap(Math.max(nowTick, this.splicer.position) + msToTicks(prepareMs));
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

  private drain(source: EncoderSource): void {
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
      return performance.now() - this.startedMono < this.deps.settings.slateAfterMs
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
    return this.clock.snap(Math.max(this.splicer.position, earliest, this.current.startTick));
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
    const at = this.clock.instantAt(tick + this.frameTicks / 2);
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
      startTick: this.clock.snap(this.clock.tickAt(item.startsAt)),
      endTick: this.clock.snap(this.clock.tickAt(item.endsAt)),
      frameTicks: this.frameTicks,
      // Amid a stream, the second that is due is worth more than the work that copying saves.
      mayCopy: !this.sending || this.clock.tickAt(item.startsAt) >= tick - this.frameTicks,
      gainDb: this.gain.of(item),
      onReadable: () => {
        // Once it is on, the clock says when it is sent.
        if (!this.current.entered) this.deps.onReadable();
      },
      onRun: this.deps.onRun,
    });
  }
}

function unplanned(at: number): TimelineItem {
  return { id: 0, kind: 'offline', startsAt: Math.floor(at), endsAt: Math.floor(at) + unplannedMs };
}
