import type { FeedCursor, PlaceCursor } from '../cursors.ts';
import { refOf, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import { comparePlaces, Permutation, type Place } from './permutation.ts';

interface State {
  cycle: number;
  /** How many have been played in this cycle. */
  position: number;
  /** The how-manieth permutation it is, and what of it is held back; see ShuffleCursor. */
  epoch: number;
  held: string | undefined;
  /** What has been played up to here, in the order of the permutation; undefined at its beginning. */
  at: Place | undefined;
  /** Where the cycle began, if not at the beginning, and whether it has gone over the end since. */
  origin: Place | undefined;
  wrapped: boolean;
  /** What has been played before its turn in this cycle, because what was due did not fit. */
  ahead: readonly Place[];
  /** The media that was played last. */
  last: string | undefined;
  /** The entry, if it was played since this feed was made. */
  taken?: number;
}

interface Found {
  index: number;
  place: Place;
  wrapped: boolean;
}

/** So much may be played ahead of its turn before what is due is passed over for this cycle. */
const mostAhead = 16;

/**
 * Every entry once a cycle, in a permutation that differs from cycle to cycle. What is added or removed leaves the
 * others in their order, and the place of an entry is known even when it is gone.
 *
 * Filler has to fit into what is left of a gap. What does not is passed over, but it stays due: otherwise long
 * filler would hardly ever be played. When only such is left of a cycle, the next one goes round from there.
 */
export class ShuffleFeed implements Feed {
  readonly #id: FeedId;
  readonly #stock: Stock;
  readonly #seed: number;
  /** This one, and the one before, to which a step back may lead. */
  #permutations: Permutation[] = [];
  #state: State = {
    cycle: 1,
    position: 0,
    epoch: 1,
    held: undefined,
    at: undefined,
    origin: undefined,
    wrapped: false,
    ahead: [],
    last: undefined,
  };
  #marked = this.#state;

  constructor(id: FeedId, stock: Stock, seed: number, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#stock = stock;
    this.#seed = seed;
    if (cursor?.order !== 'shuffle') return;
    const { cycle, position, epoch = cycle, held, at, origin, wrapped = false, ahead = [] } = cursor;
    const permutation = this.#permutation(epoch, held);
    const last = permutation.placeOfCursor(cursor);
    this.#state = {
      cycle,
      position,
      epoch,
      held,
      at: at === undefined ? last : at === null ? undefined : permutation.placeOfCursor(at),
      origin: origin && permutation.placeOfCursor(origin),
      wrapped,
      ahead: ahead.map((each) => permutation.placeOfCursor(each)),
      last: last.id,
    };
    this.#marked = this.#state;
  }

  take(maxMs: number): Pick | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    const found = this.#find(this.#state, maxMs) ?? this.#findInNextCycle(maxMs);
    const { index, state } = found;
    const position = state.position + 1;
    const media = this.#stock.media[index]!;
    this.#state = { ...state, position, last: media.id, taken: index };
    const why = { order: 'shuffle', cycle: state.cycle, position } as const;
    return { media, lengthMs: this.#stock.lengthsMs[index]!, why };
  }

  mark(): void {
    this.#marked = this.#state;
  }

  undo(): void {
    this.#state = this.#marked;
  }

  keep(): void {}

  cursors(): FeedCursor[] {
    const { cycle, position, epoch, held, at, origin, wrapped, ahead, taken } = this.#state;
    if (taken === undefined) return [];
    const last = this.#permutation(epoch, held).placeOf(taken);
    return [
      {
        ...this.#id,
        order: 'shuffle',
        cycle,
        position,
        ...cursorOf(last),
        ...(epoch === cycle ? {} : { epoch }),
        ...(held === undefined ? {} : { held }),
        ...(at !== undefined && comparePlaces(at, last) === 0 ? {} : { at: at ? cursorOf(at) : null }),
        ...(origin === undefined ? {} : { origin: cursorOf(origin) }),
        ...(wrapped ? { wrapped } : {}),
        ...(ahead.length === 0 ? {} : { ahead: ahead.map(cursorOf) }),
      },
    ];
  }

  /** What plays next in this cycle, if anything fits, and how it goes on from there. */
  #find(state: State, maxMs: number, not?: string): { index: number; state: State } | undefined {
    const found = this.#next(state, maxMs, not);
    if (found === undefined) return undefined;
    const { index, place, wrapped } = found;
    if (state.ahead.length < mostAhead && !this.#isDue(state, index, maxMs)) {
      return { index, state: { ...state, ahead: [...state.ahead, place] } };
    }
    const { origin } = state;
    const isAhead = (other: Place) =>
      comparePlaces(other, place) > 0 ||
      (!wrapped && origin !== undefined && comparePlaces(other, origin) <= 0);
    const ahead = state.ahead.length === 0 ? state.ahead : state.ahead.filter(isAhead);
    return { index, state: { ...state, at: place, wrapped, ahead } };
  }

  /**
   * Whether it is an entry's turn, or it is what fits instead. What a slot plays itself does not get more time
   * later on, so nothing stays due there. Where hardly anything fits, nobody looks at what is due.
   */
  #isDue(state: State, index: number, maxMs: number): boolean {
    if (this.#id.role === 'content' || maxMs >= this.#stock.mostMs) return true;
    if (this.#permutation(state.epoch, state.held).fewFit(maxMs)) return false;
    return this.#next(state, Number.POSITIVE_INFINITY)?.index === index;
  }

  /** A cycle does not begin with the last of the one before, if it can begin otherwise. */
  #findInNextCycle(maxMs: number): { index: number; state: State } {
    const { cycle, epoch, at, last } = this.#state;
    const isLeft =
      this.#id.role !== 'content' && this.#next(this.#state, Number.POSITIVE_INFINITY) !== undefined;
    const begun = { ...this.#state, cycle: cycle + 1, position: 0, wrapped: false, ahead: [] };
    if (isLeft) {
      const rest = { ...begun, origin: at };
      return this.#find(rest, maxMs, last) ?? this.#find(rest, maxMs)!;
    }
    const fresh = { ...begun, epoch: epoch + 1, held: undefined, at: undefined, origin: undefined };
    const first = this.#next(fresh, maxMs)!;
    const isSame = this.#stock.media[first.index]!.id === last;
    const held = isSame && this.#next(fresh, maxMs, last) !== undefined ? last : undefined;
    return this.#find({ ...fresh, held }, maxMs)!;
  }

  /** The next that fits and has not been played in this cycle, and is not of a certain media. */
  #next(state: State, maxMs: number, not?: string): Found | undefined {
    const { origin, ahead } = state;
    const permutation = this.#permutation(state.epoch, state.held);
    let { at, wrapped } = state;
    for (;;) {
      const index = permutation.next(at, maxMs);
      const place = index === undefined ? undefined : permutation.placeOf(index);
      if (place === undefined || (wrapped && comparePlaces(place, origin!) > 0)) {
        if (wrapped || origin === undefined) return undefined;
        wrapped = true;
        at = undefined;
        continue;
      }
      const isPlayed = ahead.some((other) => comparePlaces(other, place) === 0);
      if (!isPlayed && (not === undefined || place.id !== not)) return { index: index!, place, wrapped };
      at = place;
    }
  }

  #permutation(epoch: number, held: string | undefined): Permutation {
    const known = this.#permutations.find((each) => each.epoch === epoch && each.held === held);
    if (known !== undefined) return known;
    const seed = JSON.stringify([this.#seed, this.#id.slot, this.#id.role, epoch]);
    const made = new Permutation(this.#stock, seed, epoch, held);
    this.#permutations = [made, ...this.#permutations.slice(0, 2)];
    return made;
  }
}

function cursorOf({ id, nth, whole, part }: Place): PlaceCursor {
  return { after: refOf(id, nth), ...(whole === undefined ? {} : { whole, part }) };
}
