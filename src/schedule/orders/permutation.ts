import type { PlaceCursor } from '../cursors.ts';
import { type Digest, digest, mix, mixes, mixTop, mixTopUnit } from '../hash.ts';
import { compareTexts, parseRef, type Stock } from '../stock.ts';

/** Where an entry stands, whether it is still there or gone. */
export interface Place {
  rank: number;
  /** What it is a part of, if it is, and the how-manieth. */
  whole?: string;
  part: number;
  id: string;
  nth: number;
}

export function comparePlaces(a: Place, b: Place): number {
  return a.rank - b.rank || a.part - b.part || compareTexts(a.id, b.id) || a.nth - b.nth;
}

/** About so many entries are looked up at first; each time twice as many as before. */
const firstLook = 64;

/**
 * The entries of a stock in the order of a hash of each; the parts of a whole share one and stand behind one
 * another. Not all are sorted, of which there may be many, but only those that come next.
 */
export class Permutation {
  readonly epoch: number;
  /** The media that stands at the end, wherever its hash would put it. */
  readonly held: string | undefined;
  readonly #stock: Stock;
  readonly #seed: Digest;
  readonly #ranks: Ranks;
  /** Of all entries, and of the shortest, by how many. */
  readonly #runs = new Map<number, Run>();

  constructor(stock: Stock, seed: Digest, epoch: number, held: string | undefined) {
    this.#stock = stock;
    this.#seed = seed;
    this.epoch = epoch;
    this.held = held;
    this.#ranks = new Ranks(stock, seed, held);
  }

  /** The first entry behind a place that lasts no longer than `maxMs`. */
  next(behind: Place | undefined, maxMs: number): number | undefined {
    return this.#runFor(maxMs).next(behind, maxMs);
  }

  placeOf(index: number): Place {
    const { id } = this.#stock.media[index]!;
    const place = {
      rank: this.#ranks.of(index),
      part: this.#stock.part(index),
      id,
      nth: this.#stock.nth(index),
    };
    return this.#stock.isPart(index) ? { ...place, whole: this.#stock.whole(index) } : place;
  }

  /** Of an entry that may be gone. */
  placeOfCursor({ after, whole, part = 1 }: PlaceCursor): Place {
    const { id, nth } = parseRef(after);
    const { low, high } = digest(whole ?? after);
    const rank = mix(low, high, this.#seed) + (id === this.held ? mixes : 0);
    return { rank, part, id, nth, ...(whole === undefined ? {} : { whole }) };
  }

  /** Whether less than half of all entries last no longer than `maxMs`. */
  fewFit(maxMs: number): boolean {
    return this.#among(maxMs) < this.#stock.size;
  }

  /** Where few entries fit, the others are left out. */
  #runFor(maxMs: number): Run {
    const among = this.#among(maxMs);
    let run = this.#runs.get(among);
    if (run === undefined) {
      const few = among < this.#stock.size;
      const members = few ? this.#stock.byLength.indexes.subarray(0, among) : undefined;
      run = new Run(this.#stock, members, this.#ranks);
      this.#runs.set(among, run);
    }
    return run;
  }

  /** How many of the shortest entries are looked at: not much more than fit, and all if many do. */
  #among(maxMs: number): number {
    const { size, mostMs } = this.#stock;
    if (maxMs >= mostMs) return size;
    const count = this.#stock.byLength.countWithin(maxMs);
    return 2 * count > size ? size : 2 ** Math.ceil(Math.log2(count));
  }
}

/** The entries of a stock, ranked by their hashes; what is held back comes behind all others. */
class Ranks {
  readonly #stock: Stock;
  readonly #seed: Digest;
  readonly #held: string | undefined;

  constructor(stock: Stock, seed: Digest, held: string | undefined) {
    this.#stock = stock;
    this.#seed = seed;
    this.#held = held;
  }

  of(index: number): number {
    const { digests, media } = this.#stock;
    const hash = mix(digests.lows[index]!, digests.highs[index]!, this.#seed);
    return this.#held !== undefined && media[index]!.id === this.#held ? hash + mixes : hash;
  }

  /** Of all entries, or some, those whose ranks are in [from, to), in no order. */
  within(from: number, to: number, members?: Uint32Array): Ranked[] {
    const { lows, highs } = this.#stock.digests;
    const seed = this.#seed;
    const found: Ranked[] = [];
    // Of few it is known by the upper half of their hashes alone that they may be among them.
    const least = to === Number.POSITIVE_INFINITY ? 0 : Math.floor(from / mixTopUnit);
    const most = Math.floor(to / mixTopUnit);
    const size = members?.length ?? this.#stock.size;
    for (let i = 0; i < size; i++) {
      const index = members === undefined ? i : members[i]!;
      const top = mixTop(lows[index]!, highs[index]!, seed);
      if (top < least || top > most) continue;
      const rank = this.of(index);
      if (rank >= from && rank < to) found.push({ index, rank });
    }
    return found;
  }
}

interface Ranked {
  index: number;
  rank: number;
}

/** Some entries in the order of their ranks, as far as they have been looked at. */
class Run {
  readonly #stock: Stock;
  readonly #members: Uint32Array | undefined;
  readonly #ranks: Ranks;
  /** The entries whose ranks are in [from, to), in order. */
  #known: Ranked[] = [];
  #from = 0;
  #to = 0;
  #width: number;
  /** Where the last answer stands: most often the next one is right behind it. */
  #last = 0;

  constructor(stock: Stock, members: Uint32Array | undefined, ranks: Ranks) {
    this.#stock = stock;
    this.#members = members;
    this.#ranks = ranks;
    this.#width = (mixes / (members?.length ?? stock.size)) * firstLook;
  }

  next(behind: Place | undefined, maxMs: number): number | undefined {
    const from = behind?.rank ?? 0;
    if (from < this.#from || from >= this.#to) this.#look(from);
    for (;;) {
      for (let i = this.#firstBehind(behind); i < this.#known.length; i++) {
        const { index } = this.#known[i]!;
        if (this.#stock.lengthsMs[index]! > maxMs) continue;
        this.#last = i;
        return index;
      }
      if (this.#to === Number.POSITIVE_INFINITY) return undefined;
      this.#look(this.#to);
    }
  }

  /** Looks up and sorts the entries whose ranks come next. */
  #look(behind: number): void {
    // What is asked for that much is looked up once and for all.
    const all = this.#width >= mixes / 4;
    this.#from = all ? 0 : behind;
    this.#to = all || behind + this.#width >= mixes ? Number.POSITIVE_INFINITY : behind + this.#width;
    this.#width *= 2;
    const known = this.#ranks.within(this.#from, this.#to, this.#members);
    this.#known = known.sort((a, b) => a.rank - b.rank || this.#compareAlike(a.index, b.index));
  }

  #firstBehind(behind: Place | undefined): number {
    if (behind === undefined) return 0;
    const last = this.#known[this.#last];
    if (last?.rank === behind.rank && this.#compareTo(last.index, behind) === 0) return this.#last + 1;
    let low = 0;
    let high = this.#known.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { index, rank } = this.#known[middle]!;
      if ((rank - behind.rank || this.#compareTo(index, behind)) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #compareAlike(a: number, b: number): number {
    const { media } = this.#stock;
    return this.#compareTo(a, { part: this.#stock.part(b), id: media[b]!.id, nth: this.#stock.nth(b) });
  }

  /** Of entries of one rank. */
  #compareTo(index: number, { part, id, nth }: Pick<Place, 'part' | 'id' | 'nth'>): number {
    return (
      this.#stock.part(index) - part ||
      compareTexts(this.#stock.media[index]!.id, id) ||
      this.#stock.nth(index) - nth
    );
  }
}
