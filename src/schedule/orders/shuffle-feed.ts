import type { FeedCursor, PlaceCursor } from '../cursors.ts';
import { type Digest, digest } from '../hash.ts';
import { refOf, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick as Played } from './feed.ts';
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
  taken: number | undefined;
}

interface Found {
  index: number;
  place: Place;
  wrapped: boolean;
}

/** What plays next, and how far the cycle has been played then. */
type Step = Pick<State, 'at' | 'wrapped' | 'ahead'> & { index: number };

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
  readonly #seed: Digest;
  /** This one, and the one before, to which a step back may lead. */
  #permutations: Permutation[] = [];
  #state = begun({ cycle: 1, epoch: 1, held: undefined, at: undefined, last: undefined });
  #marked = this.#state;

  constructor(id: FeedId, stock: Stock, seed: number, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#stock = stock;
    // The text goes on with the epoch.
    this.#seed = digest(JSON.stringify([seed, id.slot, id.role]).slice(0, -1));
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
      taken: undefined,
    };
    this.#marked = this.#state;
  }

  take(maxMs: number): Played | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    const step = this.#find(this.#state, maxMs);
    return step === undefined ? this.#play(this.#nextCycle(maxMs)) : this.#play({ state: this.#state, step });
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

  #play({ state, step }: { state: State; step: Step }): Played {
    const { index, at, wrapped, ahead } = step;
    const { cycle, epoch, held, origin } = state;
    const position = state.position + 1;
    const media = this.#stock.media[index]!;
    // Written out and not spread, here and below: copying objects takes longer than all the rest.
    this.#state = { cycle, position, epoch, held, at, origin, wrapped, ahead, last: media.id, taken: index };
    return { media, lengthMs: this.#stock.lengthsMs[index]!, why: { order: 'shuffle', cycle, position } };
  }

  /** What plays next in this cycle, and is not of a certain media, if anything fits. */
  #find(state: State, maxMs: number, not?: string): Step | undefined {
    const found = this.#next(state, maxMs, not);
    if (found === undefined) return undefined;
    const { index, place, wrapped } = found;
    const { at, origin, ahead } = state;
    if (ahead.length < mostAhead && !this.#isDue(state, index, maxMs)) {
      return { index, at, wrapped: state.wrapped, ahead: [...ahead, place] };
    }
    const isAhead = (other: Place) =>
      comparePlaces(other, place) > 0 ||
      (!wrapped && origin !== undefined && comparePlaces(other, origin) <= 0);
    return { index, at: place, wrapped, ahead: ahead.length === 0 ? ahead : ahead.filter(isAhead) };
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

  /**
   * Goes round from here when something is still due, and otherwise on to another permutation. That does not begin
   * with the last of the one before, if it can begin otherwise.
   */
  #nextCycle(maxMs: number): { state: State; step: Step } {
    const { epoch, held, at, last } = this.#state;
    const cycle = this.#state.cycle + 1;
    if (this.#id.role !== 'content' && this.#next(this.#state, Number.POSITIVE_INFINITY) !== undefined) {
      const state = begun({ cycle, epoch, held, at, last });
      return { state, step: this.#find(state, maxMs, last) ?? this.#find(state, maxMs)! };
    }
    const fresh = begun({ cycle, epoch: epoch + 1, held: undefined, at: undefined, last });
    const first = this.#next(fresh, maxMs)!;
    const isSame = this.#stock.media[first.index]!.id === last;
    const canHold = isSame && this.#next(fresh, maxMs, last) !== undefined;
    const state = canHold ? begun({ ...fresh, held: last }) : fresh;
    return { state, step: this.#find(state, maxMs)! };
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
    // One entry stands alone in all permutations.
    const [first] = this.#permutations;
    if (first !== undefined && this.#stock.size === 1) return first;
    const known = this.#permutations.find((each) => each.epoch === epoch && each.held === held);
    if (known !== undefined) return known;
    const made = new Permutation(this.#stock, digest(`,${epoch}]`, this.#seed), epoch, held);
    this.#permutations = [made, ...this.#permutations.slice(0, 2)];
    return made;
  }
}

/** A cycle of which nothing has been played. */
function begun({
  cycle,
  epoch,
  held,
  at,
  last,
}: Pick<State, 'cycle' | 'epoch' | 'held' | 'at' | 'last'>): State {
  return {
    cycle,
    position: 0,
    epoch,
    held,
    at,
    origin: at,
    wrapped: false,
    ahead: [],
    last,
    taken: undefined,
  };
}

function cursorOf({ id, nth, whole, part }: Place): PlaceCursor {
  return { after: refOf(id, nth), ...(whole === undefined ? {} : { whole, part }) };
}
