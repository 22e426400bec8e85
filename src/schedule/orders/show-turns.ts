import { LengthOrder } from '../length-order.ts';

/** When each of many shows has its next turn. Earlier cycles come first, and in a cycle what is due earlier. */
export class ShowTurns {
  /** The cycle of its next turn, and where in that cycle it is, from 0 to 1; by show. */
  readonly #cycles: Int32Array;
  readonly #dues: Float64Array;
  readonly #byLength: LengthOrder;
  /** Where in the order of length a show is. */
  readonly #places: Uint32Array;
  /** A tree in an array: behind the root which of two shows is the next one, and so on; the shows themselves last. */
  readonly #next: Int32Array;
  readonly #leaves: number;

  /**
   * @param leastMs the length of what is shortest in each show
   * @param turns of each show
   */
  constructor(leastMs: Float64Array, turns: readonly { cycle: number; due: number }[]) {
    this.#cycles = Int32Array.from(turns, ({ cycle }) => cycle);
    this.#dues = Float64Array.from(turns, ({ due }) => due);
    this.#byLength = new LengthOrder(leastMs);
    this.#places = new Uint32Array(leastMs.length);
    for (const [place, show] of this.#byLength.indexes.entries()) this.#places[show] = place;
    this.#leaves = 2 ** Math.ceil(Math.log2(leastMs.length));
    this.#next = new Int32Array(2 * this.#leaves).fill(-1);
    this.#next.set(this.#byLength.indexes, this.#leaves);
    for (let node = this.#leaves - 1; node > 0; node--) this.#decide(node);
  }

  of(show: number): { cycle: number; due: number } {
    return { cycle: this.#cycles[show]!, due: this.#dues[show]! };
  }

  set(show: number, { cycle, due }: { cycle: number; due: number }): void {
    this.#cycles[show] = cycle;
    this.#dues[show] = due;
    for (let node = (this.#leaves + this.#places[show]!) >>> 1; node > 0; node >>>= 1) this.#decide(node);
  }

  /** The show that has the next turn, of those that have something no longer than `maxMs`. There must be one. */
  next(maxMs: number): number {
    let from = this.#leaves;
    let to = this.#leaves + this.#byLength.countWithin(maxMs);
    let found = -1;
    for (; from < to; from >>>= 1, to >>>= 1) {
      if (from % 2 === 1) found = this.#earlier(found, this.#next[from++]!);
      if (to % 2 === 1) found = this.#earlier(found, this.#next[--to]!);
    }
    return found;
  }

  #decide(node: number): void {
    this.#next[node] = this.#earlier(this.#next[2 * node]!, this.#next[2 * node + 1]!);
  }

  /** The first of two shows; -1 is none. */
  #earlier(a: number, b: number): number {
    if (a < 0 || b < 0) return Math.max(a, b);
    const order = this.#cycles[a]! - this.#cycles[b]! || this.#dues[a]! - this.#dues[b]! || a - b;
    return order < 0 ? a : b;
  }
}
