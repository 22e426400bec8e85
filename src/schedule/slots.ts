import { clockTimeMs, durationMs } from './iso.ts';
import type { Feed } from './orders/feed.ts';
import type { Feeds } from './orders/feeds.ts';
import { contentOf, fillerOf } from './orders/requests.ts';
import type { FillerKind, Slot } from './types.ts';

/** One kind of filler of a slot, ready to be played. */
export interface Roll {
  /** Nothing when its collection is empty. */
  feed: Feed | undefined;
  count: number;
  /** In place of a count: as much as fits into this. */
  durationMs?: number;
  everyMs?: number;
  padMs?: number;
}

type Beside = Record<'pre' | 'mid' | 'post', Roll | undefined>;

/** A slot, ready to be played. */
export class ReadySlot {
  readonly slot: Slot;
  readonly index: number;
  /** Whether it has anything to play. One that has not is passed over. */
  readonly able: boolean;
  /** Its fixed start, in milliseconds since local midnight. */
  readonly startMs: number | undefined;
  /** How long a turn lasts, in mode duration. */
  readonly durationMs: number | undefined;
  /** How many media a turn has. */
  readonly turnLength: number;
  /** Whether what is left of its time is filled. */
  readonly fillsRest: boolean;
  readonly #feeds: Feeds;
  readonly #rolls = new Map<FillerKind, Roll>();
  #content: Feed | undefined;
  #involved: readonly Feed[] | undefined;
  #beside: Beside | undefined;

  constructor(slot: Slot, index: number, feeds: Feeds) {
    this.slot = slot;
    this.index = index;
    this.#feeds = feeds;
    this.startMs = slot.start === undefined ? undefined : clockTimeMs(slot.start);
    this.durationMs = slot.mode === 'duration' ? durationMs(slot.duration) : undefined;
    this.turnLength = turnLength(slot);
    const leastMs = feeds.leastMs(slot);
    this.able = Number.isFinite(leastMs) && leastMs <= this.mostMs;
    const { tail, fallback } = slot.filler ?? {};
    const filled = slot.rest ?? (tail === undefined && fallback === undefined ? 'offline' : 'filler');
    this.fillsRest = filled !== 'offline';
  }

  /** What lasts longer is never placed. */
  get mostMs(): number {
    return this.durationMs ?? Number.POSITIVE_INFINITY;
  }

  /** What it plays. Only for a slot that is able. */
  get content(): Feed {
    this.#content ??= this.#feeds.feed(contentOf(this.slot));
    if (this.#content === undefined) throw new Error(`slot "${this.slot.id}" has nothing to play`);
    return this.#content;
  }

  /** Its filler of a kind, if it has any. */
  roll(kind: FillerKind): Roll | undefined {
    if (this.slot.filler?.[kind] === undefined) return undefined;
    let roll = this.#rolls.get(kind);
    if (roll === undefined) {
      roll = this.#makeRoll(kind);
      this.#rolls.set(kind, roll);
    }
    return roll;
  }

  /** The filler that stands around and in each programme. */
  get beside(): Beside {
    this.#beside ??= { pre: this.roll('pre'), mid: this.roll('mid'), post: this.roll('post') };
    return this.#beside;
  }

  /** The feeds that a programme of this slot takes from before it is known whether it has a place. */
  involved(): readonly Feed[] {
    this.#involved ??= [this.content, ...Object.values(this.beside).flatMap((roll) => roll?.feed ?? [])];
    return this.#involved;
  }

  #makeRoll(kind: FillerKind): Roll {
    const request = fillerOf(this.slot, kind);
    const { count, duration, every, pad } = { ...this.slot.filler?.[kind] } as RollKeys;
    return {
      feed: request && this.#feeds.feed(request),
      count: count ?? 1,
      ...(duration === undefined ? {} : { durationMs: durationMs(duration) }),
      ...(every === undefined ? {} : { everyMs: durationMs(every) }),
      ...(pad === undefined ? {} : { padMs: durationMs(pad) }),
    };
  }
}

/** The slots of a day, in order. */
export class SlotList {
  readonly slots: readonly ReadySlot[];
  /** Whether any of them has something to play. */
  readonly able: boolean;
  readonly #indexes: ReadonlyMap<string, number>;
  /** For each slot the next one that has something to play, itself included, and the next of them with a start. */
  readonly #nextAble: readonly (ReadySlot | undefined)[];
  readonly #nextFixed: readonly (ReadySlot | undefined)[];
  readonly #lastAble: readonly (ReadySlot | undefined)[];

  constructor(slots: readonly Slot[], feeds: Feeds) {
    this.slots = slots.map((slot, index) => new ReadySlot(slot, index, feeds));
    this.able = this.slots.some(({ able }) => able);
    this.#indexes = new Map(slots.map(({ id }, index) => [id, index]));
    const backwards = this.slots.toReversed();
    this.#lastAble = nearest(this.slots, ({ able }) => able);
    this.#nextAble = nearest(backwards, ({ able }) => able).reverse();
    this.#nextFixed = nearest(backwards, ({ able, startMs }) => able && startMs !== undefined).reverse();
  }

  indexOf(id: string): number | undefined {
    return this.#indexes.get(id);
  }

  /** The first slot, going round from an index, that has something to play. There must be one. */
  ableFrom(index: number): ReadySlot {
    return this.#nextAble[index % this.slots.length]!;
  }

  /** The last slot, going round backwards from before an index, that has something to play. There must be one. */
  ableBefore(index: number): ReadySlot {
    return this.#lastAble[(index - 1 + this.slots.length) % this.slots.length]!;
  }

  /** The first slot after this one, or itself, that has a fixed start and something to play. */
  fixedAfter(index: number): ReadySlot | undefined {
    return this.#nextFixed[(index + 1) % this.slots.length];
  }
}

/** For each slot the last one that matches, itself included, going round. */
function nearest(
  slots: readonly ReadySlot[],
  matches: (slot: ReadySlot) => boolean,
): (ReadySlot | undefined)[] {
  let last = slots.findLast(matches);
  return slots.map((slot) => {
    if (matches(slot)) last = slot;
    return last;
  });
}

type RollKeys = { [Key in 'duration' | 'every' | 'pad']?: string } & { count?: number };

/** Floods and durations end otherwise. */
function turnLength(slot: Slot): number {
  switch (slot.mode) {
    case 'one':
      return 1;
    case 'multiple':
      return slot.count;
    case 'flood':
    case 'duration':
      return Number.POSITIVE_INFINITY;
  }
}
