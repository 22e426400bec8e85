import type { Stock } from '../stock.ts';
import { FirstWithin } from './first-within.ts';

/** So many entries are looked at one by one before a tree is built that finds one which fits. */
const fewSteps = 32;
/** Stretches that are no longer are sorted at once. */
const shortStretch = 32;
/** When this part of all entries has been asked for, the others are sorted too. */
const sortedPart = 1 / 16;

/**
 * Entries of a stock in an order. Of many, a plan plays a few: so they are sorted only where somebody looks
 * (a quicksort that leaves alone what nobody asks for), and all slots that play a collection share the work.
 */
export class Sequence {
  readonly size: number;
  /** Of the shortest entry. */
  readonly leastMs: number;
  readonly #stock: Stock;
  /** Undefined where entries stay as they are listed. */
  readonly #order: ((a: number, b: number) => number) | undefined;
  /** Undefined when it is all entries, as they are listed. */
  readonly #indexes: Uint32Array | undefined;
  /** Where stretches begin. What is in one comes before what is in the next. */
  #begins: number[] = [0];
  #isSorted: boolean[];
  #asked = 0;
  #lengths: FirstWithin | undefined;

  /** @param members which entries; all of them unless given */
  constructor(stock: Stock, order?: (a: number, b: number) => number, members?: Uint32Array) {
    this.#stock = stock;
    this.#order = order;
    this.size = members?.length ?? stock.size;
    const leastOf = (least: number, index: number) => Math.min(least, stock.lengthsMs[index]!);
    this.leastMs = members?.reduce(leastOf, Number.POSITIVE_INFINITY) ?? stock.leastMs;
    this.#indexes = order === undefined ? members : (members ?? new Uint32Array(stock.media.keys()));
    this.#isSorted = [order === undefined];
  }

  /** The entry at a position. */
  at(position: number): number {
    this.#sortAround(position);
    return this.#indexes?.[position] ?? position;
  }

  /** Any entry for which something holds. */
  find(holds: (index: number) => boolean): number | undefined {
    return this.#indexes?.find(holds);
  }

  /** The first position, not before `from`, of an entry that lasts no longer than `maxMs`. */
  next(from: number, maxMs: number): number | undefined {
    const { lengthsMs, mostMs } = this.#stock;
    if (mostMs <= maxMs) return from < this.size ? from : undefined;
    const near = Math.min(this.size, from + fewSteps);
    for (let position = from; position < near; position++) {
      if (lengthsMs[this.at(position)]! <= maxMs) return position;
    }
    if (near === this.size) return undefined;
    if (this.#lengths === undefined) {
      this.#sortAll();
      this.#lengths = new FirstWithin(
        Float64Array.from({ length: this.size }, (_, position) => lengthsMs[this.at(position)]!),
      );
    }
    return this.#lengths.next(near, maxMs);
  }

  /**
   * The position of the first entry for which something holds; the size when there is none. It has to hold for all
   * entries behind that one too.
   */
  first(holds: (index: number) => boolean): number {
    // The first entry of a stretch is any of it, as long as that is not sorted.
    let low = 0;
    let high = this.#begins.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#indexes![this.#begins[middle]!]!)) high = middle;
      else low = middle + 1;
    }
    for (const stretch of [low, low - 1]) {
      if (stretch < 0 || stretch >= this.#begins.length || this.size === 0) continue;
      const found = this.#isSorted[stretch]
        ? this.#firstSorted(stretch, holds)
        : this.#divide(stretch, (index) => !holds(index));
      if (found > this.#begins[stretch]!) return found;
    }
    return 0;
  }

  /** Sorts until it is known which entry stands at a position. */
  #sortAround(position: number): void {
    if (this.#isSorted.length === 1 && this.#isSorted[0]) return;
    for (;;) {
      const stretch = this.#stretchOf(position);
      if (this.#isSorted[stretch]) return;
      this.#asked += 1;
      if (this.#asked > this.size * sortedPart) {
        this.#sortAll();
        return;
      }
      const from = this.#begins[stretch]!;
      const to = this.#begins[stretch + 1] ?? this.size;
      if (to - from <= shortStretch) {
        this.#indexes!.subarray(from, to).sort(this.#order);
        this.#isSorted[stretch] = true;
        return;
      }
      const order = this.#order!;
      const pivot = this.#pivotOf(from, to);
      this.#divide(stretch, (index) => order(index, pivot) < 0);
    }
  }

  #sortAll(): void {
    if (this.#order === undefined) return;
    for (const [stretch, from] of this.#begins.entries()) {
      if (this.#isSorted[stretch]) continue;
      this.#indexes!.subarray(from, this.#begins[stretch + 1] ?? this.size).sort(this.#order);
    }
    this.#begins = [0];
    this.#isSorted = [true];
  }

  #stretchOf(position: number): number {
    let low = 0;
    let high = this.#begins.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#begins[middle]! <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Puts the entries of a stretch for which something holds in front of the others, and says where these begin. */
  #divide(stretch: number, holds: (index: number) => boolean): number {
    const indexes = this.#indexes!;
    const from = this.#begins[stretch]!;
    const to = this.#begins[stretch + 1] ?? this.size;
    let front = from;
    for (let position = from; position < to; position++) {
      const index = indexes[position]!;
      if (!holds(index)) continue;
      indexes[position] = indexes[front]!;
      indexes[front++] = index;
    }
    if (front > from && front < to) {
      this.#begins.splice(stretch + 1, 0, front);
      this.#isSorted.splice(stretch + 1, 0, false);
    }
    return front;
  }

  #firstSorted(stretch: number, holds: (index: number) => boolean): number {
    let low = this.#begins[stretch]!;
    let high = this.#begins[stretch + 1] ?? this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#indexes![middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** An entry that is neither among the first nor among the last of a stretch, most likely: never the first one. */
  #pivotOf(from: number, to: number): number {
    const order = this.#order!;
    const step = (to - from - 1) / 8;
    const sample = Uint32Array.from({ length: 9 }, (_, i) => this.#indexes![from + Math.floor(i * step)]!);
    return sample.sort(order)[4]!;
  }
}
