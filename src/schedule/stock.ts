import { type Digest, digest } from './hash.ts';
import { LengthOrder } from './length-order.ts';
import { type Places, partsOf } from './parts.ts';
import type { Order, PlanMedia } from './types.ts';

/** What is shorter cannot be aired. It also bounds how many items a day can have. */
export const shortestMs = 1_000;

/** So many entries are counted one by one before all are. */
const fewCounts = 100;

/**
 * What of a collection can be placed. Its entries are numbered as they are listed: there may be a hundred thousand
 * of them, of which a plan needs a few, so that whatever is known of an entry is worked out when it is needed.
 *
 * A collection may list a media more than once. An entry is therefore named by its media's id and by how many
 * entries of the same media come before it, together its `ref`.
 */
export class Stock {
  readonly media: readonly PlanMedia[];
  /** Of each entry, in whole milliseconds. */
  readonly lengthsMs: Float64Array;
  /** Of the shortest entry; infinite when there is none. */
  readonly leastMs: number;
  /** Of the longest entry. */
  readonly mostMs: number;
  /** The parts of multi-part episodes, where they have to stay together. */
  readonly #places: Places | undefined;
  readonly #nths = new Map<number, number>();
  #digests: Digests | undefined;
  #byLength: LengthOrder | undefined;

  private constructor(media: readonly PlanMedia[], lengthsMs: Float64Array, places: Places | undefined) {
    this.media = media;
    this.lengthsMs = lengthsMs;
    this.leastMs = lengthsMs.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY);
    this.mostMs = lengthsMs.reduce((most, ms) => Math.max(most, ms), 0);
    this.#places = places;
  }

  /** @param fits what of the collection can be placed, besides being long enough */
  static of(collection: readonly PlanMedia[], fits: (media: PlanMedia) => boolean): Stock {
    const all = collection.every((media) => canAir(media) && fits(media));
    const media = all ? collection : collection.filter((each) => canAir(each) && fits(each));
    return new Stock(
      media,
      Float64Array.from(media, ({ durationMs }) => Math.floor(durationMs)),
      undefined,
    );
  }

  /** The same, where the parts of an episode belong together. */
  withParts(): Stock {
    const nth = (index: number) => {
      this.#digests ??= this.#digestAll();
      return this.nth(index);
    };
    return new Stock(this.media, this.lengthsMs, partsOf(this.media, nth));
  }

  get size(): number {
    return this.media.length;
  }

  get hasParts(): boolean {
    return this.#places !== undefined && this.#places.size > 0;
  }

  /** How many entries of the same media come before it. */
  nth(index: number): number {
    if (this.#digests !== undefined) return this.#nths.get(index) ?? 0;
    let nth = this.#nths.get(index);
    if (nth === undefined) {
      if (this.#nths.size >= fewCounts) {
        this.#digests = this.#digestAll();
        return this.nth(index);
      }
      const { id } = this.media[index]!;
      nth = 0;
      for (let before = 0; before < index; before++) if (this.media[before]!.id === id) nth += 1;
      this.#nths.set(index, nth);
    }
    return nth;
  }

  /** Names an entry in a cursor. */
  ref(index: number): string {
    return refOf(this.media[index]!.id, this.nth(index));
  }

  /** The entry that a cursor names, if it is still there. */
  indexOf(ref: string): number | undefined {
    const { id, nth } = parseRef(ref);
    let count = 0;
    for (let index = 0; index < this.media.length; index++) {
      if (this.media[index]!.id === id && count++ === nth) return index;
    }
    return undefined;
  }

  isPart(index: number): boolean {
    return this.#places?.has(index) ?? false;
  }

  /** What an entry is a part of. What stands alone is a whole of its own. */
  whole(index: number): string {
    return this.#places?.get(index)?.whole ?? this.ref(index);
  }

  /** The how-manieth part it is, from 1. */
  part(index: number): number {
    return this.#places?.get(index)?.part ?? 1;
  }

  /** Digests of the wholes. */
  get digests(): Digests {
    this.#digests ??= this.#digestAll();
    return this.#digests;
  }

  /** Shortest first. */
  get byLength(): LengthOrder {
    this.#byLength ??= new LengthOrder(this.lengthsMs);
    return this.#byLength;
  }

  /** Counts the entries of each media on the way, by their digests: a map of all ids would take twice as long. */
  #digestAll(): Digests {
    const { media } = this;
    const digests = new Digests(media.length);
    for (let index = 0; index < media.length; index++)
      digests.set(index, digest(media[index]!.id, firstOfMedia));
    const count = new Map<number, number>();
    const nths = new Map<number, number>();
    for (const [index, first] of digests.firstAlike((a, b) => media[a]!.id === media[b]!.id).entries()) {
      if (first === index) continue;
      const nth = (count.get(first) ?? 0) + 1;
      count.set(first, nth);
      nths.set(index, nth);
    }
    this.#nths.clear();
    for (const [index, nth] of nths) {
      this.#nths.set(index, nth);
      digests.set(index, digest(refOf(media[index]!.id, nth)));
    }
    for (const [index, { whole }] of this.#places ?? []) digests.set(index, digest(whole));
    return digests;
  }
}

/** Whether a media has a length, and enough of it. */
export function canAir({ durationMs }: PlanMedia): boolean {
  return Number.isFinite(durationMs) && durationMs >= shortestMs;
}

/** Season 0, the specials, have no place in the numbers of a show. */
export function suits({ season }: PlanMedia, order: Order): boolean {
  return order !== 'season-episode' || season !== 0;
}

export function refOf(id: string, nth: number): string {
  return `${nth}:${id}`;
}

/** What a cursor's `ref` says of an entry that may be gone by now. */
export function parseRef(ref: string): { id: string; nth: number } {
  const colon = ref.indexOf(':');
  return { id: ref.slice(colon + 1), nth: Number(ref.slice(0, colon)) };
}

/** By code unit and not by locale: a plan must not depend on the machine. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const firstOfMedia = digest(refOf('', 0));

/** The digests of entries, in columns. */
class Digests {
  readonly lows: Int32Array;
  readonly highs: Int32Array;

  constructor(size: number) {
    this.lows = new Int32Array(size);
    this.highs = new Int32Array(size);
  }

  set(index: number, { low, high }: Digest): void {
    this.lows[index] = low;
    this.highs[index] = high;
  }

  /** For each entry the first one that is the same: a table with open addressing. */
  firstAlike(isSame: (a: number, b: number) => boolean): Int32Array {
    const { lows, highs } = this;
    const firsts = new Int32Array(lows.length);
    const mask = 2 ** Math.ceil(Math.log2(2 * lows.length + 2)) - 1;
    const table = new Int32Array(mask + 1).fill(-1);
    for (let index = 0; index < lows.length; index++) {
      let slot = lows[index]! & mask;
      for (; table[slot]! >= 0; slot = (slot + 1) & mask) {
        const other = table[slot]!;
        if (lows[other] === lows[index] && highs[other] === highs[index] && isSame(other, index)) break;
      }
      if (table[slot]! < 0) table[slot] = index;
      firsts[index] = table[slot]!;
    }
    return firsts;
  }
}
