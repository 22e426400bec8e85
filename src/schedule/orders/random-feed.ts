import type { FeedCursor } from '../cursors.ts';
import { type Digest, digest, mix } from '../hash.ts';
import { LengthOrder } from '../length-order.ts';
import { parseRef, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';

interface State {
  draws: number;
  /** What was played last. */
  last?: string;
  /** The same, if it was played since this feed was made. */
  taken?: number;
}

/** Draws by a hash of seed, slot and the number of the draw, and nothing twice running if there is a choice. */
export class RandomFeed implements Feed {
  readonly #id: FeedId;
  readonly #seed: Digest;
  readonly #stock: Stock;
  /** What is drawn as long as any of it fits: single media, and first parts. */
  readonly #firsts: Urn;
  readonly #all: Urn;
  /** What has to follow an entry. */
  readonly #following: ReadonlyMap<number, number>;
  #state: State = { draws: 0 };
  #marked = this.#state;

  constructor(id: FeedId, stock: Stock, seed: number, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#seed = digest(JSON.stringify([seed, id.slot, id.role]));
    this.#stock = stock;
    this.#all = new Urn(stock);
    this.#following = stock.hasParts ? followingParts(stock) : new Map();
    const later = new Set(this.#following.values());
    this.#firsts =
      later.size === 0
        ? this.#all
        : new Urn(
            stock,
            Uint32Array.from(stock.media.keys()).filter((index) => !later.has(index)),
          );
    if (cursor?.order !== 'random') return;
    this.#state = { draws: cursor.draws, last: cursor.after };
    this.#marked = this.#state;
  }

  take(maxMs: number): Pick | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    const { draws } = this.#state;
    const index = this.#next(maxMs)!;
    this.#state = { draws: draws + 1, taken: index };
    const { media, lengthsMs } = this.#stock;
    return {
      media: media[index]!,
      lengthMs: lengthsMs[index]!,
      why: { order: 'random', position: draws + 1 },
    };
  }

  mark(): void {
    this.#marked = this.#state;
  }

  undo(): void {
    this.#state = this.#marked;
  }

  keep(): void {}

  cursors(): FeedCursor[] {
    const { draws, taken } = this.#state;
    if (taken === undefined) return [];
    return [{ ...this.#id, order: 'random', draws, after: this.#stock.ref(taken) }];
  }

  #next(maxMs: number): number | undefined {
    const { draws, taken, last } = this.#state;
    const before =
      taken ?? (last === undefined || this.#following.size === 0 ? undefined : this.#stock.indexOf(last));
    const following = before === undefined ? undefined : this.#following.get(before);
    if (following !== undefined && this.#stock.lengthsMs[following]! <= maxMs) return following;
    const id = taken === undefined ? last && parseRef(last).id : this.#stock.media[taken]!.id;
    const drawn = (urn: Urn) => urn.draw(maxMs, id, (n) => mix(draws, n, this.#seed));
    return drawn(this.#firsts) ?? drawn(this.#all);
  }
}

/** Which part follows which. */
function followingParts(stock: Stock): Map<number, number> {
  const wholes = new Map<string, number[]>();
  for (let index = 0; index < stock.size; index++) {
    if (!stock.isPart(index)) continue;
    const whole = stock.whole(index);
    const parts = wholes.get(whole);
    if (parts === undefined) wholes.set(whole, [index]);
    else parts.push(index);
  }
  const following = new Map<number, number>();
  for (const parts of wholes.values()) {
    parts.sort((a, b) => stock.part(a) - stock.part(b));
    for (const [nth, index] of parts.slice(1).entries()) following.set(parts[nth]!, index);
  }
  return following;
}

/** Draws that give the same media again are repeated so often; then the next other one is taken. */
const attempts = 8;

/** Entries from which one is drawn. */
class Urn {
  readonly #stock: Stock;
  readonly #members: Uint32Array | undefined;
  readonly #leastMs: number;
  #byLength: LengthOrder | undefined;
  /** Where the next entry of another media stands, among all members and among these by their length. */
  readonly #others = new Map<boolean, Uint32Array>();

  constructor(stock: Stock, members?: Uint32Array) {
    this.#stock = stock;
    this.#members = members;
    this.#leastMs =
      members?.reduce((least, index) => Math.min(least, stock.lengthsMs[index]!), Number.POSITIVE_INFINITY) ??
      stock.leastMs;
  }

  /**
   * One that lasts no longer than `maxMs`, and of another media than `id` if there is any.
   *
   * @param chance the how-manieth number that is drawn, from 0
   */
  draw(maxMs: number, id: string | undefined, chance: (n: number) => number): number | undefined {
    if (this.#leastMs > maxMs) return undefined;
    const byLength = this.#stock.mostMs > maxMs;
    const count = byLength ? this.#lengths.countWithin(maxMs) : (this.#members?.length ?? this.#stock.size);
    let place = 0;
    for (let attempt = 0; attempt < attempts; attempt++) {
      place = chance(attempt) % count;
      if (this.#idAt(place, byLength) !== id) return this.#at(place, byLength);
    }
    const other = this.#otherBehind(place, byLength);
    if (other < count) return this.#at(other, byLength);
    const first = this.#idAt(0, byLength) === id ? this.#otherBehind(0, byLength) : 0;
    return this.#at(first < count ? first : place, byLength);
  }

  #at(place: number, byLength: boolean): number {
    return byLength ? this.#lengths.indexes[place]! : (this.#members?.[place] ?? place);
  }

  #idAt(place: number, byLength: boolean): string {
    return this.#stock.media[this.#at(place, byLength)]!.id;
  }

  get #lengths(): LengthOrder {
    this.#byLength ??= this.#members
      ? new LengthOrder(this.#stock.lengthsMs, this.#members)
      : this.#stock.byLength;
    return this.#byLength;
  }

  #otherBehind(place: number, byLength: boolean): number {
    let others = this.#others.get(byLength);
    if (others === undefined) {
      const size = this.#members?.length ?? this.#stock.size;
      others = new Uint32Array(size).fill(size);
      for (let i = size - 2; i >= 0; i--) {
        others[i] = this.#idAt(i, byLength) === this.#idAt(i + 1, byLength) ? others[i + 1]! : i + 1;
      }
      this.#others.set(byLength, others);
    }
    return others[place]!;
  }
}
