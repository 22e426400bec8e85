import { IANAZone } from 'luxon';
import type { EpochMs } from './types.ts';

const dayMs = 86_400_000;
/** No zone is further from UTC than this. */
const farthestMs = 15 * 3_600_000;

/** A day of the calendar, counted from 1970-01-01. */
export type DayNumber = number;

interface Stretch {
  begins: EpochMs;
  ends: EpochMs;
  /** Of the wall clock from UTC, in milliseconds. */
  offset: number;
}

/**
 * The wall clock of a zone. What it shows is written like an instant, in milliseconds since 1970-01-01T00:00 on
 * that clock. It goes back and forth when daylight saving time ends and begins.
 *
 * Everything here follows from one definition: a time on the wall is the first instant at which the clock shows
 * it or more. For a time that is skipped this is the first instant after the gap; for one that comes twice, the
 * first.
 */
export class ZoneClock {
  readonly #zone: IANAZone;
  /** Offsets from UTC at the beginning of UTC days. */
  readonly #offsets = new Map<DayNumber, number>();
  /** When the offset changes within a UTC day. */
  readonly #changes = new Map<DayNumber, EpochMs>();
  /** The stretch that was looked at last. */
  #recent: Stretch = { begins: 0, ends: 0, offset: 0 };

  /** @param zone IANA name of a zone */
  constructor(zone: string) {
    this.#zone = IANAZone.create(zone);
  }

  /** What the clock shows. */
  wall(at: EpochMs): number {
    return at + this.#stretchAt(at).offset;
  }

  /** The first instant, not before `from`, at which the clock shows `wall` or more. */
  first(wall: number, from: EpochMs = wall - farthestMs): EpochMs {
    for (let at = from; ; ) {
      const { ends, offset } = this.#stretchAt(at);
      const shows = Math.max(at, wall - offset);
      if (shows < ends) return shows;
      at = ends;
    }
  }

  startOf(day: DayNumber): EpochMs {
    return this.first(day * dayMs);
  }

  /** The day that has begun last. */
  dayOf(at: EpochMs): DayNumber {
    let day = Math.floor(this.wall(at) / dayMs);
    // Where the clock goes back over midnight, the new day has begun all the same.
    while (this.startOf(day + 1) <= at) day += 1;
    return day;
  }

  /** A time of a day, in milliseconds since midnight; undefined when the zone has left that day out. */
  timeOn(day: DayNumber, timeMs: number): EpochMs | undefined {
    return this.startOf(day) < this.startOf(day + 1) ? this.first(day * dayMs + timeMs) : undefined;
  }

  /** The next instant at which the time of day is a multiple of `stepMs`; the same instant if it is one now. */
  nextMultiple(at: EpochMs, stepMs: number): EpochMs {
    for (let instant = at; ; ) {
      const { ends, offset } = this.#stretchAt(instant);
      const timeOfDay = (((instant + offset) % dayMs) + dayMs) % dayMs;
      const over = timeOfDay % stepMs;
      if (over === 0) return instant;
      const next = instant + Math.min(stepMs - over, dayMs - timeOfDay);
      if (next < ends) return next;
      // Where the clock is changed it may show a multiple before it would have come to the next one.
      instant = ends;
    }
  }

  #stretchAt(at: EpochMs): Stretch {
    if (at < this.#recent.begins || at >= this.#recent.ends) this.#recent = this.#readStretch(at);
    return this.#recent;
  }

  /** The part of a UTC day around an instant that has one offset. A day has one change of it at most. */
  #readStretch(at: EpochMs): Stretch {
    const day = Math.floor(at / dayMs);
    const begins = day * dayMs;
    const ends = begins + dayMs;
    const before = this.#offset(day);
    const after = this.#offset(day + 1);
    if (before === after) return { begins, ends, offset: before };
    const change = this.#change(day);
    return at < change ? { begins, ends: change, offset: before } : { begins: change, ends, offset: after };
  }

  #offset(day: DayNumber): number {
    let offset = this.#offsets.get(day);
    if (offset === undefined) {
      offset = this.#readOffset(day * dayMs);
      this.#offsets.set(day, offset);
    }
    return offset;
  }

  #change(day: DayNumber): EpochMs {
    let change = this.#changes.get(day);
    if (change === undefined) {
      const before = this.#offset(day);
      let low = day * dayMs;
      let high = low + dayMs;
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (this.#readOffset(middle) === before) low = middle;
        else high = middle;
      }
      change = high;
      this.#changes.set(day, change);
    }
    return change;
  }

  #readOffset(at: EpochMs): number {
    return Math.round(this.#zone.offset(at) * 60_000);
  }
}
