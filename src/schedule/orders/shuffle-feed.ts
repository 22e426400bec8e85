import type { FeedCursor } from '../cursors.ts';
import { digest } from '../hash.ts';
import { type Entry, parseRef, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import { Permutation, type Place } from './permutation.ts';

interface State {
  cycle: number;
  /** See ShuffleCursor. */
  held: string | undefined;
  /** How many have been played in this cycle. */
  position: number;
  /** What was played last. */
  last: Place | undefined;
  /** The same, if it was played since this feed was made. */
  taken?: Entry;
}

/**
 * Every entry once a cycle, in a permutation that differs from cycle to cycle. What is added or removed leaves the
 * others in their order, and the place of an entry is known even when it is gone.
 */
export class ShuffleFeed implements Feed {
  state: State;
  readonly #id: FeedId;
  readonly #stock: Stock;
  readonly #seed: number;
  #permutation: Permutation | undefined;

  constructor(id: FeedId, stock: Stock, seed: number, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#stock = stock;
    this.#seed = seed;
    this.state = { cycle: 1, held: undefined, position: 0, last: undefined };
    if (cursor?.order !== 'shuffle') return;
    const { cycle, held, position, after, whole = after, part = 1 } = cursor;
    const gone = { ref: after, part, media: parseRef(after).id, digested: digest(whole) };
    this.state = { cycle, held, position, last: this.#cycle(cycle, held).placeOf(gone) };
  }

  take(maxMs: number): Pick | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    const entry = this.#next(maxMs) ?? this.#nextOfNewCycle(maxMs);
    const { cycle, held } = this.state;
    const position = this.state.position + 1;
    this.state = { cycle, held, position, last: this.#placeOf(entry, cycle, held), taken: entry };
    const { media, lengthMs } = entry;
    return { media, lengthMs, why: { order: 'shuffle', cycle, position } };
  }

  cursors(): FeedCursor[] {
    const { cycle, held, position, taken } = this.state;
    if (taken === undefined) return [];
    const { ref, whole, part } = taken;
    return [
      {
        ...this.#id,
        order: 'shuffle',
        cycle,
        position,
        after: ref,
        ...(whole === ref ? {} : { whole, part }),
        ...(held === undefined ? {} : { held }),
      },
    ];
  }

  #next(maxMs: number): Entry | undefined {
    const { cycle, held, last } = this.state;
    return this.#cycle(cycle, held).next(last, maxMs);
  }

  /** A cycle does not begin with the last of the one before, if it can begin otherwise. */
  #nextOfNewCycle(maxMs: number): Entry {
    const { last } = this.state;
    const cycle = this.state.cycle + 1;
    const ended = last && parseRef(last.ref).id;
    const held = ended !== undefined && this.#cycle(cycle, undefined).opensWith(ended) ? ended : undefined;
    this.state = { ...this.state, cycle, held, position: 0, last: undefined };
    const first = this.#cycle(cycle, held).next(undefined, maxMs)!;
    if (first.media.id !== ended) return first;
    const second = this.#cycle(cycle, held).next(this.#placeOf(first, cycle, held), maxMs);
    return second === undefined || second.media.id === ended ? first : second;
  }

  #placeOf(entry: Entry, cycle: number, held: string | undefined): Place {
    const { ref, part, media } = entry;
    return this.#cycle(cycle, held).placeOf({ ref, part, media: media.id, digested: entry.digested() });
  }

  #cycle(cycle: number, held: string | undefined): Permutation {
    if (this.#permutation?.cycle !== cycle || this.#permutation.held !== held) {
      const seed = JSON.stringify([this.#seed, this.#id.slot, this.#id.role, cycle]);
      this.#permutation = new Permutation(this.#stock, seed, cycle, held);
    }
    return this.#permutation;
  }
}
