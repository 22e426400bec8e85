import { performance } from 'node:perf_hooks';
import { ticksToMs } from '../mpegts/clock.ts';

/**
 * The clock of a channel's stream. Every instant has one tick and keeps it, so the channel cannot drift. It goes by
 * a clock that is never set: when the system's is, the two differ until the channel begins anew.
 */
export class ChannelClock {
  /** One instant by the wall clock, by the clock that is never set, and by the stream's. */
  private anchor: { at: number; mono: number; tick: number };
  private readonly start: number;

  /** @param options.start the tick of now */
  constructor(private readonly options: { at: number; start: number; frameTicks: number }) {
    this.start = options.start;
    this.anchor = { at: options.at, mono: performance.now(), tick: options.start };
  }

  /** Epoch milliseconds. */
  get now(): number {
    return this.anchor.at + (performance.now() - this.anchor.mono);
  }

  get nowTick(): number {
    return this.tickAt(this.now);
  }

  /** How far it is from the wall clock, which somebody may have set, in milliseconds. */
  get errorMs(): number {
    return Math.abs(Date.now() - this.now);
  }

  tickAt(at: number): number {
    return this.anchor.tick + (at - this.anchor.at) * 90;
  }

  instantAt(tick: number): number {
    return this.anchor.at + ticksToMs(tick - this.anchor.tick);
  }

  /** The nearest whole frame. */
  snap(tick: number): number {
    const { frameTicks } = this.options;
    return this.start + Math.round(Math.round((tick - this.start) / frameTicks) * frameTicks);
  }

  /** From now on, `tick` is so many milliseconds ahead of the wall clock. */
  set(tick: number, aheadMs: number): void {
    this.anchor = { at: Date.now() + aheadMs, mono: performance.now() + aheadMs, tick };
  }
}
