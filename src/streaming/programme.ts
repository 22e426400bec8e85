import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { type EncodeRequest, encodeArguments, isCopyable, progressArguments } from '../ffmpeg/arguments.ts';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import { msToTicks, ticksToMs } from '../mpegts/clock.ts';
import { Demuxer } from '../mpegts/demuxer.ts';
import type { TimelineItem } from '../playout/timeline.ts';
import type { EncoderProcess } from './encoder-process.ts';
import type { EncoderRun } from './encoder-runs.ts';
import { EncoderSource } from './encoder-source.ts';
import type { RestartCause } from './observer.ts';
import { type Lease, type ProcessPoolManager, SpawnRefusedError } from './process-pool.ts';
import type { ChannelGate } from './restart-gate.ts';
import { SpeedWatch } from './speed-watch.ts';
import { type FailureKind, lockedOut, type Trouble } from './trouble.ts';

export interface ProgrammeSettings {
  retryMs: readonly number[];
  retryLaterMs: number;
  watchdogMs: number;
  startTimeoutMs: number;
  threads: number;
}

/** Why an encoder is started: for the item as it is due, or in the place of another one. */
export type StartCause = Exclude<RestartCause, 'trial' | 'health'> | 'item';

/** A source whose output has been this long in the air has shown that it works. */
const provenMs = 10_000;
const poolRetryMs = 1_000;
/** A process that has closed its output is given so long to end. */
const exitMs = 1_000;
/** A copied source may be entered so far from the second that is due. */
const copyEntryTicks = 2 * 90_000;

/**
 * One item while it is on, or about to be: its encoder, and what happens when that fails. It says where its
 * units belong; the channel decides when they are sent.
 */
export class Programme {
  /** Presentation time of the item's first picture and of the first one that is no longer its own. */
  readonly startTick: number;
  endTick: number;
  source: EncoderSource | undefined;
  /** The source's units are being sent. */
  entered = false;
  /** Why the slate is shown instead. */
  trouble: Trouble | undefined;
  /** It is not tried any more. */
  abandoned = false;
  private copy = false;
  private placed: number | undefined;
  private mayCopy: boolean;
  private from = 0;
  private lease: Lease | undefined;
  private starting = false;
  private failures = 0;
  private retryAt = 0;
  private enteredAt: number | undefined;
  private launchedAt = 0;
  private cause: StartCause;
  /** It has its breaker's one trial, and owes an answer. */
  private onTrial = false;
  private readonly speed = new SpeedWatch();
  private readonly stopped = new AbortController();

  constructor(
    readonly item: TimelineItem,
    private readonly deps: {
      profile: ProfileSpec;
      pool: ProcessPoolManager;
      gate: ChannelGate;
      cause: StartCause;
      settings: ProgrammeSettings;
      label: string;
      log: Logger;
      startTick: number;
      endTick: number;
      frameTicks: number;
      /** It may be entered where its key frames are. */
      mayCopy: boolean;
      /** How much louder it is aired, in dB. */
      gainDb: number;
      onReadable: () => void;
      onRun: (run: EncoderRun) => void;
    },
  ) {
    this.startTick = deps.startTick;
    this.endTick = deps.endTick;
    this.cause = deps.cause;
    this.mayCopy = deps.mayCopy && item.media !== undefined && isCopyable(item.media.probe, deps.profile);
    if (item.kind === 'offline') {
      this.abandoned = true;
      this.trouble = { kind: 'nothing-scheduled', text: 'nothing is scheduled' };
    } else if (item.media === undefined) {
      this.abandoned = true;
      this.trouble = { kind: 'missing', text: 'the media is no longer in the library' };
    }
  }

  /** Of the encoder that runs; one that has done its work has none. */
  get pid(): number | undefined {
    const process = this.source?.process;
    return process?.exit === undefined ? process?.pid : undefined;
  }

  /** An encoder runs or has been asked for. */
  get active(): boolean {
    return this.starting || this.source !== undefined;
  }

  /** How long the present encoder has been at work, in milliseconds. */
  get encoderAgeMs(): number {
    return this.pid === undefined ? 0 : performance.now() - this.launchedAt;
  }

  /** The encoder is too slow for its work, and how slow: 0.8 is four fifths of what it should be. */
  get slowness(): number | undefined {
    return this.speed.slow;
  }

  /** Takes a slot and starts the encoder at `tick`, if the gate lets it. Throws SpawnRefusedError. */
  start(tick: number): void {
    if (this.abandoned || this.active) return;
    const frames = Math.round((this.endTick - tick) / this.deps.frameTicks);
    if (frames < 2) {
      this.abandoned = true;
      return;
    }
    const lease = this.deps.pool.admit(this.deps.label);
    const answer = this.deps.gate.ask(this.cause);
    if (!answer.granted) {
      lease.release();
      this.retryAt = performance.now() + answer.waitMs;
      if (answer.reason === 'breaker-open') this.trouble = lockedOut(this.deps.gate.lastTrouble);
      return;
    }
    this.onTrial = answer.cause === 'trial';
    this.lease = lease;
    this.from = tick;
    this.copy = this.mayCopy;
    this.starting = true;
    void this.launch(lease, this.request(tick, frames));
  }

  /** To be called often: starts again what is due to be, and ends what hangs. */
  maintain(tick: number): void {
    const now = performance.now();
    if (!this.active && !this.abandoned && now >= this.retryAt) this.tryStart(tick, now);
    if (this.proven) this.tellWorked();
    const { source } = this;
    if (source === undefined || source.ended) return;
    if (source.complete) this.speed.reset();
    else this.speed.look({ at: now, outTimeMs: source.process.outTimeMs, held: source.held });
    const silentMs = now - source.lastByteAt;
    const limit = source.started ? this.deps.settings.watchdogMs : this.deps.settings.startTimeoutMs;
    if (!source.held && !source.complete && silentMs > limit) {
      this.fail('hangs', `the encoder gave nothing for ${Math.round(silentMs / 100) / 10} s`);
    }
  }

  /** What has to be added to the source's times. */
  get shift(): number {
    if (this.placed === undefined && this.source?.firstPts !== undefined) {
      this.placed = this.align(this.source.firstPts);
    }
    return this.placed ?? 0;
  }

  /** The tick at which the source can be entered, at or after `position`; undefined while there is none. */
  entry(position: number | undefined): number | undefined {
    const { source } = this;
    if (source === undefined) return undefined;
    const earliest = position === undefined ? Number.NEGATIVE_INFINITY : position - this.deps.frameTicks / 2;
    const first = source.enterAt((unit) => unit.pts + this.shift >= earliest);
    if (first === undefined) return undefined;
    const tick = first.pts + this.shift;
    const distance = position === undefined ? this.from - tick : tick - position;
    if (this.copy && distance > copyEntryTicks) {
      this.deps.log.debug({ ms: ticksToMs(distance) }, 'no key frame near: this airing is encoded');
      this.mayCopy = false;
      this.halt();
      return undefined;
    }
    return tick;
  }

  /**
   * Where the pictures end that a working encoder left behind when it died: undefined while it lives, and
   * for one that had not worked for long, which is a case for `fail`.
   */
  diedAt(): number | undefined {
    const { source } = this;
    const exit = source?.process.exit;
    if (!this.entered || !this.proven || source?.lastPts === undefined || !source.complete) return undefined;
    if (exit === undefined || exit.kind === 'finished') return undefined;
    const tick = source.lastPts + this.shift + this.deps.frameTicks;
    return tick < this.endTick - this.deps.frameTicks / 2 ? Math.round(tick) : undefined;
  }

  markEntered(): void {
    this.entered = true;
    this.trouble = undefined;
    this.enteredAt ??= performance.now();
  }

  /** The source has stopped before the item's end, or does not work: tried again soon, and then seldom. */
  fail(kind: FailureKind, reason: string): void {
    if (this.abandoned) return;
    const now = performance.now();
    const { proven } = this;
    if (proven) this.failures = 0;
    const { retryMs, retryLaterMs } = this.deps.settings;
    const soonMs = proven ? 0 : retryMs[this.failures];
    const delayMs = soonMs ?? retryLaterMs;
    this.trouble = { kind: soonMs === undefined ? 'unplayable' : 'retrying', text: reason, failure: kind };
    if (!proven) {
      this.failures++;
      // A fault of the server's own says nothing about the media.
      if (kind !== 'internal') this.deps.gate.failed(this.trouble);
    }
    if (this.onTrial && kind === 'internal') this.deps.gate.trialGivenUp();
    this.onTrial = false;
    this.cause = proven ? 'takeover' : 'retry';
    this.halt();
    this.enteredAt = undefined;
    // A copy that fails may still be readable to a decoder.
    this.mayCopy = false;
    this.retryAt = now + this.deps.gate.jittered(delayMs);
    // A disk that went away may be back long before a film is over.
    const isFirst = soonMs === undefined && this.failures === retryMs.length + 1;
    const text =
      soonMs === undefined ? 'the item does not play; it is tried now and then' : 'the item is started again';
    this.deps.log[isFirst ? 'warn' : 'info']({ item: this.item.id, reason, delayMs }, text);
  }

  /** The source is over, and it is known how its encoder ended. */
  get endIsKnown(): boolean {
    const { source } = this;
    if (source === undefined || !(source.ended || source.pictureOver)) return false;
    // The end of the output comes a moment before the end of the process.
    return (
      !source.complete || source.process.exit !== undefined || performance.now() - source.lastByteAt > exitMs
    );
  }

  /** Fails because the source is over although the item is not. */
  failAtEnd(): void {
    const exit = this.source?.process.exit;
    if (exit === undefined || exit.kind === 'finished') {
      const what = this.source?.pictureOver
        ? 'the picture ends before the file does'
        : 'the media ended early';
      this.fail('ends-early', what);
    } else if (exit.kind === 'killed') this.fail('killed', `the encoder was killed (${exit.signal})`);
    else this.fail('unreadable', `the encoder failed: ${exit.stderr.split('\n').at(-1) ?? ''}`);
  }

  /** Ends the programme at its end: what is on the air now has worked. */
  finish(): void {
    if (this.entered) this.tellWorked();
    this.stop();
  }

  /** Ends the encoder. The programme must not be used any more. */
  stop(): void {
    this.stopped.abort(new Error('the item is over'));
    this.abandoned = true;
    if (this.onTrial) this.deps.gate.trialGivenUp();
    this.onTrial = false;
    this.halt();
  }

  private tellWorked(): void {
    if (!this.onTrial) return;
    this.onTrial = false;
    this.deps.gate.worked();
  }

  private get proven(): boolean {
    return this.enteredAt !== undefined && performance.now() - this.enteredAt > provenMs;
  }

  private tryStart(tick: number, now: number): void {
    try {
      this.start(tick);
    } catch (error) {
      if (!(error instanceof SpawnRefusedError)) throw error;
      this.trouble = { kind: 'no-encoder', text: error.message };
      this.retryAt = now + this.deps.gate.jittered(poolRetryMs);
    }
  }

  private request(tick: number, frames: number): EncodeRequest {
    const { item, deps } = this;
    const media = item.media as NonNullable<TimelineItem['media']>;
    return {
      path: media.absolutePath,
      probe: media.probe,
      profile: deps.profile,
      fromMs: (item.inMs ?? 0) + ticksToMs(tick - this.startTick),
      frames,
      copy: this.copy,
      gainDb: deps.gainDb,
      manyEntries: tick > this.startTick,
      threads: deps.settings.threads,
    };
  }

  private async launch(lease: Lease, request: EncodeRequest): Promise<void> {
    const args = [...progressArguments, ...encodeArguments(request)];
    try {
      const process = await lease.spawn(args, this.stopped.signal);
      this.record(process, args);
      if (this.lease !== lease) return;
      this.placed = undefined;
      this.launchedAt = performance.now();
      this.speed.reset();
      this.source = new EncoderSource({
        process,
        demuxer: new Demuxer(
          this.deps.profile.audio.sampleRate,
          request.copy ? msToTicks(request.fromMs) : 0,
        ),
        now: () => performance.now(),
        onReadable: this.deps.onReadable,
      });
    } catch (error) {
      if (this.lease === lease && !this.stopped.signal.aborted) this.fail('no-start', messageOf(error));
    } finally {
      if (this.lease === lease) this.starting = false;
    }
  }

  private record(process: EncoderProcess, args: readonly string[]): void {
    const { item } = this;
    const media = item.media as NonNullable<TimelineItem['media']>;
    const run: EncoderRun = {
      itemId: item.id,
      mediaId: media.id,
      path: media.absolutePath,
      args,
      pid: process.pid,
      startedAt: process.startedAt,
      stderr: '',
    };
    this.deps.onRun(run);
    void process.exited.then((exit) =>
      Object.assign(run, { endedAt: Date.now(), exit, stderr: process.stderrTail }),
    );
  }

  /** What has to be added to the source's times, given its first picture's. */
  private align(firstPts: number): number {
    if (!this.copy) return this.from - firstPts;
    // A copy keeps the media's own times; its first picture stands for the item's beginning.
    const own = this.startTick - msToTicks(this.item.inMs ?? 0);
    const early = firstPts + own - this.startTick;
    return this.from === this.startTick && Math.abs(early) < 22_500 ? this.startTick - firstPts : own;
  }

  private halt(): void {
    this.lease?.release();
    this.lease = undefined;
    this.source = undefined;
    this.starting = false;
    this.entered = false;
  }
}
