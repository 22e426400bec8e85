/** Finds the next of many numbers that is small enough, in a time that hardly grows with their count. */
export class FirstWithin {
  /** A tree in an array: behind the root the two least of its halves, and so on; the numbers themselves last. */
  readonly #least: Float64Array;
  readonly #leaves: number;
  readonly #size: number;

  constructor(numbers: ArrayLike<number>) {
    this.#size = numbers.length;
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, numbers.length)));
    this.#least = new Float64Array(2 * this.#leaves).fill(Number.POSITIVE_INFINITY);
    this.#least.set(numbers, this.#leaves);
    for (let node = this.#leaves - 1; node > 0; node--) {
      this.#least[node] = Math.min(this.#least[2 * node]!, this.#least[2 * node + 1]!);
    }
  }

  /** The first index, not before `from`, of a number that is no more than `most`. */
  next(from: number, most: number): number | undefined {
    if (from >= this.#size) return undefined;
    let node = this.#leaves + from;
    // Upwards until a half that begins here or later has one, then down to the first in it.
    while (!(this.#least[node]! <= most)) {
      while (node % 2 === 1) node = (node - 1) / 2;
      if (node === 0) return undefined;
      node += 1;
    }
    while (node < this.#leaves) node = this.#least[2 * node]! <= most ? 2 * node : 2 * node + 1;
    return node - this.#leaves < this.#size ? node - this.#leaves : undefined;
  }
}
