/** Entries by their length, shortest first; as listed where they are of one length. */
export class LengthOrder {
  readonly indexes: Uint32Array;
  readonly #lengthsMs: Float64Array;

  /** @param lengthsMs of all entries, whole milliseconds; only `members` of them are taken, if given */
  constructor(lengthsMs: Float64Array, members?: Uint32Array) {
    this.#lengthsMs = lengthsMs;
    const count = lengthsMs.length;
    // Both in one number, as long as that is exact: numbers alone are sorted ten times as fast.
    const longest = lengthsMs.reduce((most, ms) => Math.max(most, ms), 0);
    const indexes = members ?? Uint32Array.from({ length: count }, (_, index) => index);
    this.indexes =
      longest * count < Number.MAX_SAFE_INTEGER - count
        ? Uint32Array.from(
            Float64Array.from(indexes, (index) => lengthsMs[index]! * count + index).sort(),
            (both) => both % count,
          )
        : indexes.toSorted((a, b) => lengthsMs[a]! - lengthsMs[b]! || a - b);
  }

  /** How many last no longer than `maxMs`; they are the first. */
  countWithin(maxMs: number): number {
    let low = 0;
    let high = this.indexes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lengthsMs[this.indexes[middle]!]! <= maxMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
