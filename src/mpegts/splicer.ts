import type { AccessUnit } from './access-unit.ts';
import { samplesPerFrame } from './adts.ts';
import { ticksPerSecond } from './clock.ts';
import type { Muxer } from './muxer.ts';

/** How the times of a source become times of the channel. */
export interface Placement {
  /** Added to the source's presentation times. */
  shift: number;
  /** Nothing of the source is shown from here on. */
  end: number;
}

/** Pictures that a copied source may keep back to reorder them; a constant, so that joints need not move. */
export const reorderFrames = 4;

/** From one decoding time to the next. */
const longestStepFrames = 2;

/** Sound may come so much later than its picture in a source; then the hole is filled, while the clock still allows it. */
const soundMayLag = ticksPerSecond / 2;

/** Times of sound may waver by so many frames, as they do in containers that count milliseconds. */
const waver = 0.9;

/**
 * Joins sources into one endless programme whose clock never jumps. Video keeps the place that it is given;
 * sound is set on a grid of whole AAC frames that runs through all joints, so it is at most half a frame
 * (11 ms) off its picture, and never more from item to item. What is missing of it is filled with silence.
 *
 * All times are 64-bit counts of 90 kHz ticks; only the muxer knows of 33 bits.
 */
export class Splicer {
  /** Presentation time of the next picture to be sent. */
  position: number;
  private readonly frameTicks: number;
  private readonly slotTicks: number;
  private readonly origin: number;
  private nextSlot = 0;
  private placement: Placement = { shift: 0, end: Number.NEGATIVE_INFINITY };
  /** Set by the first picture of a source. */
  private decodeShift: number | undefined;
  private lastDts = Number.NEGATIVE_INFINITY;
  private entered = 0;
  /** The source's sound has begun, and follows itself. */
  private sounding = false;

  /** @param options.silence one ADTS frame of silence in the channel's format */
  constructor(
    private readonly options: {
      muxer: Muxer;
      clockStart: number;
      frameRate: { num: number; den: number };
      audioRate: number;
      silence: Buffer;
    },
  ) {
    this.frameTicks = (ticksPerSecond * options.frameRate.den) / options.frameRate.num;
    this.slotTicks = (samplesPerFrame * ticksPerSecond) / options.audioRate;
    this.origin = options.clockStart;
    this.position = options.clockStart;
  }

  /** Sets where the first picture belongs. Only before anything was sent: later, nothing is left out. */
  startAt(position: number): void {
    this.position = position;
    this.nextSlot = Math.ceil((position - this.origin) / this.slotTicks);
  }

  /** Leaves the last picture standing until `position`, where a few are missing. */
  holdUntil(position: number): void {
    this.position = Math.max(this.position, position);
  }

  /** Begins a source. What the last one left without sound is filled. */
  begin(placement: Placement): void {
    this.placement = placement;
    this.decodeShift = undefined;
    this.sounding = false;
    this.fillSilence(this.position);
  }

  /** Moves the end of the source that is on. */
  endAt(end: number): void {
    this.placement = { ...this.placement, end };
  }

  /** Sends a unit of the source that is on. Returns false when the unit lies beyond the source's end. */
  write(unit: AccessUnit): boolean {
    const pts = unit.pts + this.placement.shift;
    const tolerance = unit.stream === 'video' ? this.frameTicks / 2 : 0;
    if (pts >= this.placement.end - tolerance) return false;
    if (unit.stream === 'video') this.video(unit, pts);
    else this.audio(unit, pts);
    return true;
  }

  private video(unit: AccessUnit, pts: number): void {
    if (this.decodeShift === undefined) {
      if (!unit.key) return;
      this.decodeShift = pts - Math.round(reorderFrames * this.frameTicks) - unit.dts;
      this.entered = pts;
    }
    // Pictures before the key frame that a source was entered at refer to what was not sent.
    if (pts < this.entered) return;
    const dts = this.decodingTime(unit.dts + this.decodeShift);
    this.options.muxer.write({ ...unit, pts, dts });
    this.lastDts = dts;
    this.position = Math.max(this.position, pts + this.frameTicks);
    if (this.position - this.slotTime(this.nextSlot) > soundMayLag) {
      this.fillSilence(this.position - soundMayLag);
    }
  }

  /**
   * Decoding goes on evenly: where a source was cut amid reordered pictures, it has used up a decoding time of the next
   * one; where pictures are missing and the last one stands still, the next ones are decoded early. Both catch up.
   */
  private decodingTime(wanted: number): number {
    if (this.lastDts === Number.NEGATIVE_INFINITY) return wanted;
    const earliest = Math.ceil(this.lastDts + this.frameTicks / 2);
    const latest = Math.floor(this.lastDts + longestStepFrames * this.frameTicks);
    return Math.max(earliest, Math.min(wanted, latest));
  }

  private audio(unit: AccessUnit, pts: number): void {
    const ahead = (pts - this.origin) / this.slotTicks - this.nextSlot;
    if (ahead < (this.sounding ? -waver : -0.5)) return;
    if (ahead > (this.sounding ? waver : 0.5)) this.fillSilence(pts - this.slotTicks / 2);
    this.sound(unit.payload);
    this.sounding = true;
  }

  /** Silence in all slots that begin before `until`. */
  private fillSilence(until: number): void {
    while (this.slotTime(this.nextSlot) < until) this.sound(this.options.silence);
  }

  private sound(payload: Buffer): void {
    const time = this.slotTime(this.nextSlot);
    this.options.muxer.write({ stream: 'audio', pts: time, dts: time, key: true, payload });
    this.nextSlot++;
  }

  private slotTime(slot: number): number {
    return this.origin + Math.round(slot * this.slotTicks);
  }
}
