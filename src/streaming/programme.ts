import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { type EncodeRequest, encodeArguments, isCopyable } from '../ffmpeg/arguments.ts';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import { msToTicks, ticksToMs } from '../mpegts/clock.ts';
import { Demuxer } from '../mpegts/demuxer.ts';
import type { TimelineItem } from '../playout/timeline.ts';
import { EncoderSource } from './encoder-source.ts';
import type { Lease, ProcessPoolManager } from './process-pool.ts';
import { PoolFullError } from './process-pool.ts';

export interface ProgrammeSettings {
  retryMs: readonly number[];
  watchdogMs: number;
  startTimeoutMs: number;
  threads: number;
}

/** A source whose output has been this long in the air has shown that it works. */
const provenMs = 10_000;
const poolRetryMs = 1_000;
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
  trouble: string | undefined;
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
  private readonly stopped = new AbortController();

  constructor(
    readonly item: TimelineItem,
    private readonly deps: {
      profile: ProfileSpec;
      pool: ProcessPoolManager;
      settings: ProgrammeSettings;
      label: string;
      log: Logger;
      startTick: number;
      endTick: number;
      frameTicks: number;
      /** It may be entered where its key frames are. */
      mayCopy: boolean;
      onReadable: () => void;
    },
  ) {
    this.startTick = deps.startTick;
    this.endTick = deps.endTick;
    this.mayCopy = deps.mayCopy && item.media !== undefined && isCopyable(item.media.probe, deps.profile);
    if (item.kind === 'offline') {
      this.abandoned = true;
      this.trouble = 'nothing is scheduled';
    } else if (item.media === undefined) {
      this.abandoned = true;
      this.trouble = 'the media is no longer in the library';
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

  /** Takes a slot and starts the encoder at `tick`. Throws PoolFullError. */
  start(tick: number): void {
    if (this.abandoned || this.active) return;
    const frames = Math.round((this.endTick - tick) / this.deps.frameTicks);
    if (frames < 2) {
      this.abandoned = true;
      return;
    }
    const lease = this.deps.pool.admit(this.deps.label);
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
    const { source } = this;
    if (source === undefined || source.ended) return;
    const silentMs = now - source.lastByteAt;
    const limit = source.started ? this.deps.settings.watchdogMs : this.deps.settings.startTimeoutMs;
    if (!source.held && !source.complete && silentMs > limit) {
      this.fail(`the encoder gave nothing for ${Math.round(silentMs / 100) / 10} s`);
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

  /** The source has stopped before the item's end, or does not work: tried again later, or given up. */
  fail(reason: string): void {
    const now = performance.now();
    const { proven } = this;
    if (proven) this.failures = 0;
    const delay = proven ? 0 : this.deps.settings.retryMs[this.failures];
    if (!proven) this.failures++;
    this.halt();
    this.trouble = reason;
    this.enteredAt = undefined;
    // A copy that fails may still be readable to a decoder.
    this.mayCopy = false;
    if (delay === undefined) {
      this.abandoned = true;
      this.deps.log.warn(
        { item: this.item.id, reason },
        'the item is given up; the slate stays until its end',
      );
      return;
    }
    this.retryAt = now + delay;
    this.deps.log.info({ item: this.item.id, reason, delayMs: delay }, 'the item is started again');
  }

  /** Why the source ended, for a person. */
  endReason(): string {
    const exit = this.source?.process.exit;
    if (this.source?.pictureOver) return 'the picture ends before the file does';
    if (exit === undefined || exit.kind === 'finished') return 'the media ended early';
    if (exit.kind === 'killed') return `the encoder was killed (${exit.signal})`;
    return `the encoder failed: ${exit.stderr.split('\n').at(-1) ?? ''}`;
  }

  /** Ends the encoder. The programme must not be used any more. */
  stop(): void {
    this.stopped.abort(new Error('the item is over'));
    this.abandoned = true;
    this.halt();
  }

  private get proven(): boolean {
    return this.enteredAt !== undefined && performance.now() - this.enteredAt > provenMs;
  }

  private tryStart(tick: number, now: number): void {
    try {
      this.start(tick);
    } catch (error) {
      if (!(error instanceof PoolFullError)) throw error;
      this.trouble = error.message;
      this.retryAt = now + poolRetryMs;
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
      manyEntries: tick > this.startTick,
      threads: deps.settings.threads,
    };
  }

  private async launch(lease: Lease, request: EncodeRequest): Promise<void> {
    try {
      const process = await lease.spawn(encodeArguments(request), this.stopped.signal);
      if (this.lease !== lease) return;
      this.placed = undefined;
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
      if (this.lease === lease && !this.stopped.signal.aborted) this.fail(messageOf(error));
    } finally {
      if (this.lease === lease) this.starting = false;
    }
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
