import type { TurnCursor } from './cursors.ts';
import { DayRules } from './days.ts';
import type { Feeds } from './orders/feeds.ts';
import { type ReadySlot, SlotList } from './slots.ts';
import { FixedStarts } from './starts.ts';
import { firstTurn, readTurn, type Turn, writeTurn } from './turns.ts';
import type { EpochMs, Schedule } from './types.ts';
import type { DayNumber, ZoneClock } from './zone-clock.ts';

const never = Number.POSITIVE_INFINITY;
/** So many lists that wait for a fixed start may follow one another without any of them coming to it. */
const mostChanges = 10;

/** Knows whose turn it is, until when, and whose turn comes next. */
export class Timetable {
  /** The default list, and behind it that of each rule for days. */
  readonly lists: readonly SlotList[];
  readonly #clock: ZoneClock;
  readonly #rules: DayRules;
  readonly #starts: FixedStarts;
  #list: SlotList;
  #turn: Turn;
  /** The day whose list is in force, where that matters, and when the next day begins. */
  #day: DayNumber | undefined;
  #dayEnds = Number.NEGATIVE_INFINITY;
  /** When another list comes into force. */
  #change = never;
  /** The fixed start that the next list waits for, by the change that brings the list. */
  #opening: { change: EpochMs; at: EpochMs } | undefined;
  /** Slots that have begun without any time having passed since. */
  readonly #begun = new Set<ReadySlot>();

  constructor(
    schedule: Schedule,
    clock: ZoneClock,
    feeds: Feeds,
    beginning: { at: EpochMs; cursor: TurnCursor | undefined },
  ) {
    this.#clock = clock;
    this.#rules = new DayRules(schedule);
    this.#starts = new FixedStarts(clock);
    this.lists = [schedule, ...(schedule.days ?? [])].map(({ slots }) => new SlotList(slots, feeds));
    const { at, cursor } = beginning;
    this.#day = this.#rules.any ? (cursor?.day ?? clock.dayOf(at)) : undefined;
    this.#list = this.#listOn(this.#day);
    this.#turn = readTurn(cursor, this.#list);
  }

  get turn(): Turn {
    return this.#turn;
  }

  /** The slots that are in force. */
  get list(): SlotList {
    return this.#list;
  }

  /** When other slots come into force. What is left to fill ends then. */
  get change(): EpochMs {
    return this.#change;
  }

  /** The slot whose turn it is. */
  get current(): ReadySlot {
    return this.#list.slots[this.#turn.index]!;
  }

  /** At midnight another list may come into force: then its first slot has the next turn. */
  enterDay(now: EpochMs): void {
    if (this.#day === undefined || now < this.#dayEnds) return;
    const day = this.#clock.dayOf(now);
    if (this.#rules.changedBetween(this.#day, day)) {
      this.#list = this.#listOn(day);
      this.#turn = firstTurn();
    }
    this.#day = day;
    this.#dayEnds = this.#clock.startOf(day + 1);
    this.#change = this.#changeAfter(day);
  }

  begin(slot: ReadySlot): void {
    this.#turn = { phase: 'on', index: slot.index, played: 0 };
    this.#begun.add(slot);
  }

  /** Time has passed. */
  moveOn(): void {
    if (this.#begun.size > 0) this.#begun.clear();
  }

  /** What the current slot places next has to end by then. */
  limit(now: EpochMs): EpochMs {
    const { durationMs, slot } = this.current;
    if (durationMs !== undefined) return this.#turn.until ?? now + durationMs;
    return slot.mode === 'flood' ? this.#floodEnd(now) : never;
  }

  /** Whose turn comes next, and when. Only while no turn is on. */
  next(now: EpochMs): { slot: ReadySlot; at: EpochMs } {
    const { phase, index, until = now } = this.#turn;
    if (phase === 'coming') {
      const slot = this.#list.ableFrom(index);
      return { slot, at: this.#starts.due(slot, now) };
    }
    const { slot: current, able } = this.current;
    if (current.mode === 'flood' && able) {
      // It has ended for the sake of a fixed start, in this list or the next: its time is no other slot's.
      const slot = this.#list.fixedAfter(index);
      return slot === undefined
        ? { slot: this.current, at: this.#change }
        : { slot, at: this.#startOf(slot, now) };
    }
    const slot = this.#list.ableFrom(index + 1);
    const lasts = current.mode === 'duration' && current.rest !== 'next';
    return { slot, at: this.#starts.due(slot, lasts ? Math.max(until, now) : now) };
  }

  /** Who fills the time until the next turn: the slot that has had its turn last, or stands before the first. */
  filling(): ReadySlot {
    const { phase, index } = this.#turn;
    return phase === 'coming' ? this.#list.ableBefore(index) : this.current;
  }

  /** Whether the current slot has begun at its own fixed start, right now. */
  onTime(now: EpochMs): boolean {
    const { startMs } = this.current;
    return startMs !== undefined && this.#starts.next(this.current, now) === now;
  }

  cursor(now: EpochMs): TurnCursor {
    this.enterDay(now);
    return writeTurn(this.#turn, this.#list, this.#day);
  }

  /**
   * The next fixed start of another slot, or of the same if there is no other. Where other slots come into force
   * before, it is that of the first of them; if that has none, the flood may go over midnight with what is on.
   */
  #floodEnd(now: EpochMs): EpochMs {
    const fixed = this.#list.fixedAfter(this.#turn.index);
    const start = fixed === undefined ? never : this.#startOf(fixed, now);
    if (start < this.#change || this.#change === never) return start;
    if (this.#opening?.change !== this.#change) {
      this.#opening = { change: this.#change, at: this.#openingAfter(this.#change) };
    }
    return this.#opening.at;
  }

  #openingAfter(change: EpochMs): EpochMs {
    let begins = change;
    for (let changes = 0; changes < mostChanges && begins !== never; changes++) {
      const day = this.#clock.dayOf(begins);
      const list = this.#listOn(day);
      const first = list.able ? list.ableFrom(0) : undefined;
      if (first?.startMs === undefined) return never;
      const start = this.#starts.next(first, begins);
      begins = this.#changeAfter(day);
      if (start < begins) return start;
    }
    return never;
  }

  /** Its next fixed start, but not the one at which it has just begun. */
  #startOf(slot: ReadySlot, now: EpochMs): EpochMs {
    return this.#starts.next(slot, this.#begun.has(slot) ? now + 1 : now);
  }

  #listOn(day: DayNumber | undefined): SlotList {
    return this.lists[day === undefined ? 0 : this.#rules.ruleOn(day) + 1]!;
  }

  #changeAfter(day: DayNumber): EpochMs {
    const change = this.#rules.nextChange(day);
    return change === undefined ? never : this.#clock.startOf(change);
  }
}
