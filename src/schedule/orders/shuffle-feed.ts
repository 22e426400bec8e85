import type { FeedCursor } from '../cursors.ts';
import type { Stock } from '../stock.ts';
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
  taken?: number;
}

/**
 * Every entry once a cycle, in a permutation that differs from cycle to cycle. What is added or removed leaves the
 * others in their order, and the place of an entry is known even when it is gone.
 */
export class ShuffleFeed implements Feed {
  readonly #id: FeedId;
  readonly #stock: Stock;
  readonly #seed: number;
  /** Of this cycle and of the one before, to which a step back may lead. */
  #permutations: Permutation[] = [];
  #state: State = { cycle: 1, held: undefined, position: 0, last: undefined };
  #marked = this.#state;

  constructor(id: FeedId, stock: Stock, seed: number, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#stock = stock;
    this.#seed = seed;
    if (cursor?.order !== 'shuffle') return;
    const { cycle, held, position, after, whole = after, part = 1 } = cursor;
    const last = this.#cycle(cycle, held).placeOfRef(after, whole, part);
    this.#state = { cycle, held, position, last };
    this.#marked = this.#state;
  }

  take(maxMs: number): Pick | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    const { cycle, held, last } = this.#state;
    const index = this.#cycle(cycle, held).next(last, maxMs);
    if (index !== undefined) return this.#taken(index, this.#state);
    const next = this.#nextCycle(maxMs);
    return this.#taken(next.index, { ...next, position: 0 });
  }

  mark(): void {
    this.#marked = this.#state;
  }

  undo(): void {
    this.#state = this.#marked;
  }

  keep(): void {}

  cursors(): FeedCursor[] {
    const { cycle, held, position, taken } = this.#state;
    if (taken === undefined) return [];
    const ref = this.#stock.ref(taken);
    const whole = this.#stock.whole(taken);
    return [
      {
        ...this.#id,
        order: 'shuffle',
        cycle,
        position,
        after: ref,
        ...(whole === ref ? {} : { whole, part: this.#stock.part(taken) }),
        ...(held === undefined ? {} : { held }),
      },
    ];
  }

  #taken(index: number, { cycle, held, position }: Omit<State, 'last'>): Pick {
    const last = this.#cycle(cycle, held).placeOf(index);
    this.#state = { cycle, held, position: position + 1, last, taken: index };
    return {
      media: this.#stock.media[index]!,
      lengthMs: this.#stock.lengthsMs[index]!,
      why: { order: 'shuffle', cycle, position: position + 1 },
    };
  }

  /** A cycle does not begin with the last of the one before, if it can begin otherwise. */
  #nextCycle(maxMs: number): { index: number; cycle: number; held: string | undefined } {
    const cycle = this.#state.cycle + 1;
    const { last } = this.#state;
    const permutation = this.#cycle(cycle, undefined);
    const first = permutation.next(undefined, maxMs)!;
    let index: number | undefined = first;
    while (index !== undefined && this.#stock.media[index]!.id === last?.id) {
      index = permutation.next(permutation.placeOf(index), maxMs);
    }
    if (index === undefined || index === first) return { index: first, cycle, held: undefined };
    return { index, cycle, held: last!.id };
  }

  #cycle(cycle: number, held: string | undefined): Permutation {
    const known = this.#permutations.find((each) => each.cycle === cycle && each.held === held);
    if (known !== undefined) return known;
    const seed = JSON.stringify([this.#seed, this.#id.slot, this.#id.role, cycle]);
    const made = new Permutation(this.#stock, seed, cycle, held);
    this.#permutations = [made, ...this.#permutations.slice(0, 2)];
    return made;
  }
}
