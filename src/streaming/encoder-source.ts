import type { AccessUnit } from '../mpegts/access-unit.ts';
import type { Demuxer } from '../mpegts/demuxer.ts';
import type { EncoderProcess } from './encoder-process.ts';
import type { Source } from './source.ts';

/** So much may lie ready; beyond it the pipe is left alone, and its back-pressure holds the encoder. */
const pictureLimit = 60;
const unitLimit = 600;

/**
 * The output of one encoder as access units. It reads only a little ahead of what is asked for.
 * `onReadable` is called when units or the end have come.
 */
export class EncoderSource implements Source {
  private units: AccessUnit[] = [];
  private head = 0;
  private pictures = 0;
  private over = false;
  private paused = false;
  /** Whether any byte has come, and when the last one did, in monotonic milliseconds. */
  started = false;
  lastByteAt: number;
  /** The times of the first picture of all, and of the latest that has come. */
  firstPts: number | undefined;
  lastPts: number | undefined;

  constructor(
    private readonly deps: {
      process: EncoderProcess;
      demuxer: Demuxer;
      now: () => number;
      onReadable: () => void;
    },
  ) {
    this.lastByteAt = deps.now();
    const { stdout } = deps.process;
    stdout.on('data', (bytes: Buffer) => {
      this.started = true;
      this.lastByteAt = deps.now();
      this.add(deps.demuxer.push(bytes));
      deps.onReadable();
    });
    stdout.once('end', () => {
      this.add(deps.demuxer.flush());
      this.finish();
    });
    stdout.once('close', () => this.finish());
  }

  get process(): EncoderProcess {
    return this.deps.process;
  }

  /** Nothing more will come. */
  get complete(): boolean {
    return this.over;
  }

  /** Nothing more will come, and nothing is left. */
  get ended(): boolean {
    return this.over && this.peek() === undefined;
  }

  /** The encoder waits because nobody needs more yet. */
  get held(): boolean {
    return this.paused;
  }

  /** Only sound is left, and no picture follows: the encoder has ended, or there is much of it. */
  get pictureOver(): boolean {
    const left = this.units.length - this.head;
    return this.pictures === 0 && left > (this.over ? 0 : unitLimit / 2);
  }

  peek(): AccessUnit | undefined {
    return this.units[this.head];
  }

  /** The next picture that has come. */
  peekPicture(): AccessUnit | undefined {
    for (let index = this.head; index < this.units.length; index++) {
      if (this.units[index]?.stream === 'video') return this.units[index];
    }
    return undefined;
  }

  shift(): AccessUnit | undefined {
    const unit = this.units[this.head];
    if (unit === undefined) return undefined;
    this.head++;
    if (unit.stream === 'video') this.pictures--;
    if (this.head > 256) {
      this.units = this.units.slice(this.head);
      this.head = 0;
    }
    this.regulate();
    return unit;
  }

  /** Drops everything before the first key picture that `wanted` accepts; returns it, if it is there. */
  enterAt(wanted: (unit: AccessUnit) => boolean): AccessUnit | undefined {
    const at = this.units.findIndex(
      (unit, index) => index >= this.head && unit.stream === 'video' && unit.key && wanted(unit),
    );
    if (at >= 0) {
      // Sound that belongs to the picture may come before it in the stream: it is sorted out by time.
      const sound = this.units.slice(this.head, at).filter((unit) => unit.stream === 'audio');
      this.units = [...sound, ...this.units.slice(at)];
      this.head = 0;
      this.pictures = this.units.filter((unit) => unit.stream === 'video').length;
      return this.units[sound.length];
    }
    // None of these pictures can be used any more; the sound before them neither.
    if (this.pictures >= pictureLimit) {
      this.units = this.units
        .slice(this.head)
        .filter((unit) => unit.stream === 'audio')
        .slice(-200);
      this.head = 0;
      this.pictures = 0;
    }
    this.regulate();
    return undefined;
  }

  private add(units: AccessUnit[]): void {
    for (const unit of units) {
      this.units.push(unit);
      if (unit.stream !== 'video') continue;
      this.firstPts ??= unit.pts;
      this.lastPts = Math.max(this.lastPts ?? unit.pts, unit.pts);
      this.pictures++;
    }
    this.regulate();
  }

  private regulate(): void {
    const full = this.pictures >= pictureLimit || this.units.length - this.head >= unitLimit;
    const low = this.pictures < pictureLimit / 2 && this.units.length - this.head < unitLimit / 2;
    if (full && !this.paused) {
      this.paused = true;
      this.deps.process.stdout.pause();
    } else if (low && this.paused) {
      this.paused = false;
      this.lastByteAt = this.deps.now();
      this.deps.process.stdout.resume();
    }
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.deps.onReadable();
  }
}
