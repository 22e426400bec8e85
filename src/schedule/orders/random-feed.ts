import type { FeedCursor } from '../cursors.ts';
import { type Digest, digest, mix } from '../hash.ts';
import { type Entry, groupBy, parseRef, Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';

interface State {
  draws: number;
  /** The entry that was played last. */
  last?: string;
}

/** Draws that give the same media again are repeated so often; then the next one by length is taken. */
const attempts = 8;

/** Draws by a hash of seed, slot and the number of the draw, and nothing twice running if there is a choice. */
export class RandomFeed implements Feed {
  state: State;
  readonly #id: FeedId;
  readonly #seed: Digest;
  readonly #stock: Stock;
  /** What is drawn as long as any of it fits: single media, and first parts. */
  readonly #first: Stock;
  /** What has to follow an entry. */
  readonly #next = new Map<string, Entry>();
  readonly #begun: State;

  constructor(id: FeedId, stock: Stock, seed: number, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#seed = digest(JSON.stringify([seed, id.slot, id.role]));
    const wholes = groupBy(stock.entries, ({ whole }) => whole);
    const firsts: Entry[] = [];
    for (const parts of wholes.values()) {
      const [first, ...rest] = parts.sort((a, b) => a.part - b.part);
      firsts.push(first!);
      for (const [index, part] of rest.entries()) this.#next.set(parts[index]!.ref, part);
    }
    this.#stock = stock;
    this.#first = new Stock(firsts);
    this.#begun = cursor?.order === 'random' ? { draws: cursor.draws, last: cursor.after } : { draws: 0 };
    this.state = this.#begun;
  }

  take(maxMs: number): Pick | undefined {
    const { draws, last } = this.state;
    const following = last === undefined ? undefined : this.#next.get(last);
    const entry =
      following !== undefined && following.lengthMs <= maxMs
        ? following
        : (this.#draw(this.#first, maxMs) ?? this.#draw(this.#stock, maxMs));
    if (entry === undefined) return undefined;
    this.state = { draws: draws + 1, last: entry.ref };
    return { media: entry.media, lengthMs: entry.lengthMs, why: { order: 'random' } };
  }

  cursors(): FeedCursor[] {
    const { draws, last } = this.state;
    if (last === undefined || this.state === this.#begun) return [];
    return [{ ...this.#id, order: 'random', draws, after: last }];
  }

  #draw(stock: Stock, maxMs: number): Entry | undefined {
    const { draws, last } = this.state;
    const { byLength } = stock;
    const count = stock.countWithin(maxMs);
    if (count === 0) return undefined;
    const id = last === undefined ? undefined : parseRef(last).id;
    let index = 0;
    for (let attempt = 0; attempt < attempts; attempt++) {
      index = mix(this.#seed, { low: draws, high: attempt }) % count;
      if (byLength[index]!.media.id !== id) return byLength[index];
    }
    for (let step = 1; step < count; step++) {
      const entry = byLength[(index + step) % count]!;
      if (entry.media.id !== id) return entry;
    }
    return byLength[index];
  }
}
