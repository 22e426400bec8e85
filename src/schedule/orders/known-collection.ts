import { Stock, suits } from '../stock.ts';
import type { Order, PlanMedia } from '../types.ts';
import { Sequence } from './sequence.ts';
import { type Show, showsOf } from './shows.ts';
import { chronological, entryOrder, seasonEpisode } from './sorting.ts';

type ListOrder = 'chronological' | 'season-episode' | 'custom';

/**
 * What has been worked out of a collection. All that play it share this, in one plan and in the next: one channel is
 * planned after the other, and of a hundred thousand media it takes longer to look at each once than to plan a day.
 */
export class KnownCollection {
  readonly #collection: readonly PlanMedia[];
  readonly #stocks = new Map<string, Stock>();
  readonly #sequences = new Map<ListOrder, Sequence>();
  readonly #shows = new Map<boolean, readonly Show[]>();

  private constructor(collection: readonly PlanMedia[]) {
    this.#collection = collection;
  }

  /** Of a list that nobody changes. */
  static of(collection: readonly PlanMedia[]): KnownCollection {
    let found = known.get(collection);
    if (found === undefined) {
      found = new KnownCollection(collection);
      known.set(collection, found);
    }
    return found;
  }

  /** What can be placed of it. */
  stock(order: Order, together: boolean): Stock {
    const key = JSON.stringify([order === 'season-episode', together]);
    let stock = this.#stocks.get(key);
    if (stock === undefined) {
      stock = together
        ? this.stock(order, false).withParts()
        : Stock.of(this.#collection, (media) => suits(media, order));
      this.#stocks.set(key, stock);
    }
    return stock;
  }

  /** The same in an order. */
  sequence(order: ListOrder): Sequence {
    let sequence = this.#sequences.get(order);
    if (sequence === undefined) {
      const stock = this.stock(order, false);
      const compare = { chronological, 'season-episode': seasonEpisode, custom: undefined }[order];
      sequence = new Sequence(stock, compare && entryOrder(stock, compare));
      this.#sequences.set(order, sequence);
    }
    return sequence;
  }

  /** The shows of it. */
  shows(together: boolean): readonly Show[] {
    let shows = this.#shows.get(together);
    if (shows === undefined) {
      shows = showsOf(this.stock('rotate', together));
      this.#shows.set(together, shows);
    }
    return shows;
  }
}

const known = new WeakMap<readonly PlanMedia[], KnownCollection>();
