import { type Digest, digest, mix } from '../hash.ts';
import { compareRefs, type Entry, type Stock } from '../stock.ts';

/** Where an entry stands, whether it is still there or gone. */
export interface Place {
  rank: number;
  part: number;
  ref: string;
}

interface Ranked {
  entry: Entry;
  rank: number;
}

/** Hashes are below it; what is held back comes behind all others. */
const hashes = 2 ** 53;
/** About so many entries share a bucket. */
const bucketSize = 8;
/** The next of so few entries is looked for one by one, without putting all into buckets. */
const few = 128;

/**
 * The entries of a stock in the order of a hash of each; the parts of a whole share one and stand behind one
 * another. Nothing is sorted: the entries are put into as many buckets as there are ranges of hashes, and the next
 * one is looked for in the few that share its bucket.
 */
export class Permutation {
  readonly cycle: number;
  /** The media that stands at the end, wherever its hash would put it. */
  readonly held: string | undefined;
  readonly #stock: Stock;
  readonly #seed: Digest;
  #buckets: Ranked[][] | undefined;

  constructor(stock: Stock, seed: string, cycle: number, held: string | undefined) {
    this.#stock = stock;
    this.#seed = digest(seed);
    this.cycle = cycle;
    this.held = held;
  }

  /** The first entry behind a place that lasts no longer than `maxMs`. */
  next(behind: Place | undefined, maxMs: number): Entry | undefined {
    if (this.#buckets === undefined && maxMs !== Number.POSITIVE_INFINITY) {
      const count = this.#stock.countWithin(maxMs);
      if (count <= few) {
        return firstBehind(
          behind,
          maxMs,
          this.#stock.byLength.slice(0, count).map((entry) => this.#ranked(entry)),
        );
      }
    }
    this.#buckets ??= this.#fillBuckets();
    for (let i = behind === undefined ? 0 : this.#bucketOf(behind.rank); i < this.#buckets.length; i++) {
      const found = firstBehind(behind, maxMs, this.#buckets[i]!);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whether a media stands at the beginning. */
  opensWith(media: string): boolean {
    const first = firstBehind(
      undefined,
      Number.POSITIVE_INFINITY,
      this.#stock.ofMedia(media).map((entry) => this.#ranked(entry)),
    );
    if (first === undefined) return false;
    const { rank } = this.#ranked(first);
    return !this.#stock.entries.some((entry) => compare(this.#ranked(entry).rank, entry, rank, first) < 0);
  }

  /** @param digested of the whole that it is a part of */
  placeOf({
    ref,
    part,
    media,
    digested,
  }: {
    ref: string;
    part: number;
    media: string;
    digested: Digest;
  }): Place {
    return { ref, part, rank: this.#rank(media, digested) };
  }

  #fillBuckets(): Ranked[][] {
    const { entries } = this.#stock;
    const buckets = Array.from({ length: Math.ceil(entries.length / bucketSize) + 1 }, (): Ranked[] => []);
    this.#buckets = buckets;
    for (const entry of entries) {
      const ranked = this.#ranked(entry);
      buckets[this.#bucketOf(ranked.rank)]!.push(ranked);
    }
    return buckets;
  }

  /** The last bucket is for what is held back. */
  #bucketOf(rank: number): number {
    const last = this.#buckets!.length - 1;
    return rank < hashes ? Math.floor((rank / hashes) * last) : last;
  }

  #ranked(entry: Entry): Ranked {
    return { entry, rank: this.#rank(entry.media.id, entry.digested()) };
  }

  #rank(media: string, digested: Digest): number {
    const hash = mix(digested, this.#seed);
    return media === this.held ? hash + hashes : hash;
  }
}

function firstBehind(
  behind: Place | undefined,
  maxMs: number,
  candidates: readonly Ranked[],
): Entry | undefined {
  let found: Ranked | undefined;
  for (const candidate of candidates) {
    const { entry, rank } = candidate;
    if (entry.lengthMs > maxMs) continue;
    if (behind !== undefined && compare(rank, entry, behind.rank, behind) <= 0) continue;
    if (found === undefined || compare(rank, entry, found.rank, found.entry) < 0) found = candidate;
  }
  return found?.entry;
}

function compare(
  aRank: number,
  a: { part: number; ref: string },
  bRank: number,
  b: { part: number; ref: string },
): number {
  return aRank - bRank || a.part - b.part || compareRefs(a.ref, b.ref);
}
