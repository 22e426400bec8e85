import { clockTimeMs, durationMs } from './iso.ts';
import type { Feed } from './orders/feed.ts';
import type { FeedRequest, Feeds } from './orders/feeds.ts';
import { type FillerKind, fillerKinds, type Slot } from './types.ts';

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

  constructor(slot: Slot, index: number, feeds: Feeds) {
    this.slot = slot;
    this.index = index;
    this.#feeds = feeds;
    this.startMs = slot.start === undefined ? undefined : clockTimeMs(slot.start);
    this.durationMs = slot.mode === 'duration' ? durationMs(slot.duration) : undefined;
    this.turnLength = turnLength(slot);
    this.able = feeds.able(slot, this.mostMs);
    const { tail, fallback } = slot.filler ?? {};
    const filled = slot.rest ?? (tail === undefined && fallback === undefined ? 'offline' : 'filler');
    this.fillsRest = filled !== 'offline';
    feeds.want(this.#request());
    for (const kind of fillerKinds) {
      const request = this.#rollRequest(kind);
      if (request !== undefined) feeds.want(request);
    }
  }

  /** What lasts longer is never placed. */
  get mostMs(): number {
    return this.durationMs ?? Number.POSITIVE_INFINITY;
  }

  /** What it plays. Only for a slot that is able. */
  get content(): Feed {
    this.#content ??= this.#feeds.feed(this.#request());
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

  /** The feeds that a programme of this slot takes from. */
  involved(): readonly Feed[] {
    this.#involved ??= [this.content, ...fillerKinds.flatMap((kind) => this.roll(kind)?.feed ?? [])];
    return this.#involved;
  }

  #request(): FeedRequest {
    const { id, play, order, parts } = this.slot;
    return { slot: id, role: 'content', play, order, parts };
  }

  #rollRequest(kind: FillerKind): FeedRequest | undefined {
    const { from, order = 'shuffle' } = this.slot.filler?.[kind] ?? {};
    return from === undefined ? undefined : { slot: this.slot.id, role: kind, play: from, order };
  }

  #makeRoll(kind: FillerKind): Roll {
    const request = this.#rollRequest(kind);
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

  constructor(slots: readonly Slot[], feeds: Feeds) {
    this.slots = slots.map((slot, index) => new ReadySlot(slot, index, feeds));
    this.able = this.slots.some(({ able }) => able);
    this.#indexes = new Map(slots.map(({ id }, index) => [id, index]));
  }

  indexOf(id: string): number | undefined {
    return this.#indexes.get(id);
  }

  /** The first slot, going round from an index, that has something to play. There must be one. */
  ableFrom(index: number): ReadySlot {
    return this.#find(index, ({ able }) => able)!;
  }

  /** The last slot, going round backwards from before an index, that has something to play. There must be one. */
  ableBefore(index: number): ReadySlot {
    const { length } = this.slots;
    let before = (index - 1 + length) % length;
    while (!this.slots[before]!.able) before = (before - 1 + length) % length;
    return this.slots[before]!;
  }

  /** The first slot after this one, or itself, that has a fixed start and something to play. */
  fixedAfter(index: number): ReadySlot | undefined {
    return this.#find(index + 1, ({ able, startMs }) => able && startMs !== undefined);
  }

  #find(from: number, matches: (slot: ReadySlot) => boolean): ReadySlot | undefined {
    const { length } = this.slots;
    for (let step = 0; step < length; step++) {
      const slot = this.slots[(from + step) % length]!;
      if (matches(slot)) return slot;
    }
    return undefined;
  }
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
