import { InvalidError } from '../errors.ts';
import { type CursorState, parseCursors } from './cursors.ts';
import { fill, layProgramme } from './filler.ts';
import { fillerEntry, type GuideState, offlineEntry, programmeEntry, readGuide } from './guide.ts';
import { attempt, type Pick } from './orders/feed.ts';
import { Feeds } from './orders/feeds.ts';
import { distinct, findProblems, neverFits } from './problems.ts';
import { Sheet } from './sheet.ts';
import { Timetable } from './timetable.ts';
import {
  type Cursors,
  collectionsOf,
  type EpochMs,
  isPlaylist,
  type PlanInput,
  type PlanOutput,
  type PlanProblem,
} from './types.ts';
import { ZoneClock } from './zone-clock.ts';

/**
 * Lays a schedule out over a window of time. The same input gives the same output, and the input is left as it
 * was. The next plan begins where the last item stops, even if it is asked for from a little before; a window that
 * is over before it begins gives no items.
 *
 * Throws InvalidError when a slot or a playlist plays a collection that is not there.
 */
export function plan(input: PlanInput): PlanOutput {
  refuseMissingCollections(input);
  return new Planning(input).run();
}

/** A fixed start comes back every day, and a day has no more than 25 hours. */
const longestFloodMs = 25 * 3_600_000;

/** One run of the planner. All that it knows at a boundary of items is in the cursors. */
class Planning {
  readonly #input: PlanInput;
  readonly #clock: ZoneClock;
  readonly #feeds: Feeds;
  readonly #timetable: Timetable;
  readonly #sheet: Sheet;
  readonly #problems = new Map<string, PlanProblem>();
  #guide: GuideState;
  /** When what was placed last began. */
  #since: EpochMs | undefined;

  constructor(input: PlanInput) {
    const cursors = parseCursors(input.cursors);
    const { since, until = Number.NEGATIVE_INFINITY } = cursors;
    const { from, zone, schedule } = input;
    // What was placed last may reach beyond the window that it was placed in.
    const amid = since !== undefined && since < from && from <= until;
    this.#input = input;
    this.#sheet = new Sheet(amid ? until : from);
    this.#clock = new ZoneClock(zone);
    this.#feeds = new Feeds(input, cursors.feeds);
    this.#guide = readGuide(cursors, this.#sheet.now === until);
    this.#timetable = new Timetable(schedule, this.#clock, this.#feeds, {
      at: this.#sheet.now,
      cursor: cursors.turn,
    });
    // After a step back in time a duration would last too long.
    if (from < until && !amid) delete this.#timetable.turn.until;
  }

  run(): PlanOutput {
    const { cursors, to, checkpointEveryMs = Number.POSITIVE_INFINITY } = this.#input;
    const sheet = this.#sheet;
    const problems = findProblems(
      this.#input,
      this.#feeds,
      this.#timetable.lists,
      this.#timetable.turn.index,
    );
    const checkpoints: { at: EpochMs; cursors: Cursors }[] = [];
    // Only where time has passed: between two turns there is more to know than the cursors say.
    const everyMs = Math.max(1, checkpointEveryMs);
    let due = sheet.now + everyMs;
    while (sheet.now < to) {
      this.#step();
      if (sheet.now < Math.min(due, to)) continue;
      checkpoints.push({ at: sheet.now, cursors: this.#cursors() });
      due = sheet.now + everyMs;
    }
    return {
      items: sheet.items,
      cursors: checkpoints.at(-1)?.cursors ?? cursors,
      problems: distinct([...problems, ...this.#problems.values()]),
      ...(this.#input.checkpointEveryMs === undefined ? {} : { checkpoints }),
    };
  }

  /** Places something, or gives the turn to another slot. */
  #step(): void {
    const { now } = this.#sheet;
    const timetable = this.#timetable;
    timetable.enterDay(now);
    const { turn } = timetable;
    if (!timetable.list.able) this.#offline(timetable.change);
    else if (turn.phase === 'on') {
      if (!this.#place()) turn.phase = 'over';
    } else {
      const { slot, at } = timetable.next(now);
      if (at > now) this.#rest(Math.min(at, timetable.change));
      else timetable.begin(slot);
    }
  }

  /** Places the next media of the current slot with its filler, unless the turn is over. */
  #place(): boolean {
    const { current, turn } = this.#timetable;
    const { now } = this.#sheet;
    const limit = this.#timetable.limit(now);
    if (!current.able || turn.played >= current.turnLength || limit <= now) return false;
    // Filler may be longer than what a whole duration leaves to it; then it is the filler that gives way.
    const canYield = current.durationMs !== undefined && turn.played === 0;
    if (!this.#lay(limit, false) && !(canYield && this.#lay(limit, true))) return false;
    turn.played += 1;
    if (current.durationMs !== undefined) turn.until = limit;
    this.#placed(now);
    return true;
  }

  /** Lays the next media of the current slot out. When it does not end by the limit, everything is as it was. */
  #lay(limit: EpochMs, yielding: boolean): boolean {
    const { current, turn } = this.#timetable;
    const sheet = this.#sheet;
    const { now } = sheet;
    const before = sheet.mark();
    let pick: Pick | undefined;
    const placed = attempt(current.involved(), () => {
      pick = current.content.take(current.mostMs)!;
      if (pick.lengthMs > limit - now) return false;
      const midnight = () => this.#clock.startOf(this.#clock.dayOf(now));
      const { state, entry } = programmeEntry(this.#guide, current.slot, turn.entry, now, midnight);
      const frame = { sheet, clock: this.#clock, slot: current, limit, guide: state.beside };
      if (!layProgramme(frame, pick, yielding)) return false;
      this.#guide = state;
      if (entry !== undefined) turn.entry = entry;
      return true;
    });
    if (placed) return true;
    sheet.rewind(before);
    if (current.slot.mode === 'flood' && turn.played === 0) this.#reportIfNever(pick!, limit);
    return false;
  }

  /** Places one item in the time that is left until an instant. */
  #rest(until: EpochMs): void {
    const slot = this.#timetable.filling();
    const sheet = this.#sheet;
    const { now } = sheet;
    const guide = fillerEntry(this.#guide, slot.slot);
    if (slot.fillsRest && fill({ sheet, slot, guide: guide.beside }, 'tail', slot.roll('tail'), until)) {
      this.#guide = guide;
      this.#placed(now);
    } else this.#offline(until, slot.slot.id);
  }

  /** What is offline ends with the window: it is no item that would have to be finished. */
  #offline(until: EpochMs, slot?: string): void {
    this.#sheet.offline(Math.min(until, this.#input.to), slot);
    this.#guide = offlineEntry(this.#guide);
    this.#placed(this.#sheet.now);
  }

  #placed(since: EpochMs): void {
    this.#since = since;
    this.#timetable.moveOn();
  }

  /** A flood that has all the time it ever gets, and still cannot place what comes next. */
  #reportIfNever({ media, lengthMs }: Pick, limit: EpochMs): void {
    const { current } = this.#timetable;
    const { now } = this.#sheet;
    if (!this.#timetable.onTime(now) && lengthMs <= longestFloodMs) return;
    const key = JSON.stringify([current.slot.id, media.id]);
    this.#problems.set(key, neverFits(current.slot, media.id, lengthMs, limit - now));
  }

  #cursors(): Cursors {
    const { last, ...guide } = this.#guide;
    return {
      form: 2,
      since: this.#since!,
      until: this.#sheet.now,
      turn: this.#timetable.cursor(this.#sheet.now),
      guide: last,
      ...guide,
      feeds: this.#feeds.cursors(),
    } satisfies CursorState;
  }
}

function refuseMissingCollections({ schedule, collections }: PlanInput): void {
  const wrong = collectionsOf(schedule).flatMap((name) => {
    const collection = collections.get(name);
    if (collection === undefined) return `there is no collection "${name}"`;
    if (!isPlaylist(collection)) return [];
    return collection.playlist.flatMap(({ play }) => {
      const member = collections.get(play);
      if (member === undefined) return `playlist "${name}": there is no collection "${play}"`;
      return isPlaylist(member) ? `playlist "${name}": "${play}" is a playlist too` : [];
    });
  });
  if (wrong.length > 0) throw new InvalidError(wrong.join('\n'), { operation: 'planning' });
}
