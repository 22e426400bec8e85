import type { ReadySlot } from './slots.ts';
import type { EpochMs } from './types.ts';
import type { ZoneClock } from './zone-clock.ts';

/** When slots with a fixed start begin. */
export class FixedStarts {
  readonly #clock: ZoneClock;
  /** The answers that were given last: they hold as long as they lie ahead. */
  readonly #known = new Map<ReadySlot, { from: EpochMs; at: EpochMs }>();

  constructor(clock: ZoneClock) {
    this.#clock = clock;
  }

  /** The next time that the wall clock shows the start, `from` included. Only for a slot that has one. */
  next(slot: ReadySlot, from: EpochMs): EpochMs {
    const known = this.#known.get(slot);
    if (known !== undefined && known.from <= from && from <= known.at) return known.at;
    const at = this.#next(slot.startMs!, from);
    this.#known.set(slot, { from, at });
    return at;
  }

  /** When a slot begins whose turn comes at an instant: then, or at its fixed start. */
  due(slot: ReadySlot, from: EpochMs): EpochMs {
    if (slot.startMs === undefined) return from;
    if (slot.slot.late !== 'now') return this.next(slot, from);
    const today = this.#clock.timeOn(this.#clock.dayOf(from), slot.startMs);
    return today === undefined ? from : Math.max(today, from);
  }

  #next(startMs: number, from: EpochMs): EpochMs {
    // The day before too: a start that is skipped at its end comes at the beginning of this day.
    for (let day = this.#clock.dayOf(from) - 1; ; day++) {
      const at = this.#clock.timeOn(day, startMs);
      if (at !== undefined && at >= from) return at;
    }
  }
}
