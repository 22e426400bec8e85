import type { CustomCursor, FeedCursor, SortedCursor } from '../cursors.ts';
import { parseRef, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import type { Sequence } from './sequence.ts';
import { chronological, isBehind, keyOf, seasonEpisode } from './sorting.ts';

interface State {
  cycle: number;
  /** Position of what plays next; the size when the cycle is over. */
  next: number;
  /** How many have been played in this cycle. */
  position: number;
  /** Position of what was played last, since this feed was made. */
  taken?: number;
}

type ListCursor = SortedCursor | CustomCursor;

/** How many of its neighbours on either side may vanish with the last played entry before its place is lost. */
const neighbours = 8;
/** Where what it was sorted by is remembered too, the neighbours are only needed when that has been changed. */
const sortedNeighbours = 2;

/** Plays a list from its beginning to its end, again and again: chronological, season-episode and custom. */
export class ListFeed implements Feed {
  readonly #id: FeedId;
  readonly #order: ListCursor['order'];
  readonly #stock: Stock;
  readonly #sequence: Sequence;
  #state: State;
  #marked: State;

  constructor(
    id: FeedId,
    order: ListCursor['order'],
    stock: Stock,
    sequence: Sequence,
    cursor: FeedCursor | undefined,
  ) {
    this.#id = id;
    this.#order = order;
    this.#stock = stock;
    this.#sequence = sequence;
    this.#state =
      cursor?.order === order
        ? { cycle: cursor.cycle, position: cursor.position, next: this.#nextAfter(cursor as ListCursor) }
        : { cycle: 1, position: 0, next: 0 };
    this.#marked = this.#state;
  }

  take(maxMs: number): Pick | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    let { cycle, position } = this.#state;
    let taken = this.#sequence.next(this.#state.next, maxMs);
    if (taken === undefined) {
      cycle += 1;
      position = 0;
      taken = this.#sequence.next(0, maxMs)!;
    }
    position += 1;
    this.#state = { cycle, next: taken + 1, position, taken };
    const index = this.#sequence.at(taken);
    const { media, lengthsMs } = this.#stock;
    return {
      media: media[index]!,
      lengthMs: lengthsMs[index]!,
      why: { order: this.#order, cycle, position },
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
    const { cycle, position, taken } = this.#state;
    if (taken === undefined) return [];
    const index = this.#sequence.at(taken);
    const base = { ...this.#id, cycle, position, after: this.#stock.ref(index) };
    if (this.#order === 'custom') {
      const preceding = this.#refs(taken - neighbours, taken).reverse();
      const following = this.#refs(taken + 1, taken + 1 + neighbours);
      return [{ ...base, order: 'custom', preceding, following }];
    }
    const following = this.#refs(taken + 1, taken + 1 + sortedNeighbours);
    return [{ ...base, order: this.#order, key: keyOf(this.#stock.media[index]!), following }];
  }

  #refs(from: number, to: number): string[] {
    const refs: string[] = [];
    for (let position = Math.max(0, from); position < Math.min(to, this.#sequence.size); position++) {
      refs.push(this.#stock.ref(this.#sequence.at(position)));
    }
    return refs;
  }

  #nextAfter(cursor: ListCursor): number {
    return cursor.order === 'custom' ? this.#nextListed(cursor) : this.#nextSorted(cursor);
  }

  #nextListed({ after, preceding, following }: CustomCursor): number {
    const last = this.#stock.indexOf(after);
    if (last !== undefined) return last + 1;
    const follower = this.#firstLeft(following);
    if (follower !== undefined) return follower;
    const predecessor = this.#firstLeft(preceding);
    return predecessor === undefined ? 0 : predecessor + 1;
  }

  /**
   * The first that sorts behind where the last one stood. If that one sorts otherwise by now, what it was sorted by
   * has been changed, and perhaps that of all others too: then what followed it is next, wherever that is.
   */
  #nextSorted({ after, key, following = [] }: SortedCursor): number {
    const place = this.#positionBehind(after, key);
    if (place > 0 && this.#stock.ref(this.#sequence.at(place - 1)) === after) return place;
    if (this.#stock.indexOf(after) === undefined) return place;
    const follower = this.#firstLeft(following);
    if (follower === undefined) return place;
    return this.#positionBehind(this.#stock.ref(follower), keyOf(this.#stock.media[follower]!)) - 1;
  }

  #positionBehind(ref: string, key: SortedCursor['key']): number {
    const compare = this.#order === 'chronological' ? chronological : seasonEpisode;
    return this.#sequence.first(isBehind(this.#stock, compare, { ...parseRef(ref), key }));
  }

  #firstLeft(refs: readonly string[]): number | undefined {
    for (const ref of refs) {
      const index = this.#stock.indexOf(ref);
      if (index !== undefined) return index;
    }
    return undefined;
  }
}
