import type { CustomCursor, FeedCursor, SortedCursor } from '../cursors.ts';
import { type Entry, parseRef, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import { chronological, indexBehind, keyOf, seasonEpisode, sorted } from './sorting.ts';

interface State {
  cycle: number;
  /** Index of what plays next; beyond the end when the cycle is over. */
  next: number;
  /** How many have been played in this cycle. */
  position: number;
  /** What was played last, since this feed was made. */
  taken?: Entry;
}

type ListCursor = SortedCursor | CustomCursor;

/** How many of its neighbours on either side may vanish with the last played entry before its place is lost. */
const neighbours = 8;

/** Plays a list from its beginning to its end, again and again: chronological, season-episode and custom. */
export class ListFeed implements Feed {
  state: State;
  readonly #id: FeedId;
  readonly #order: ListCursor['order'];
  readonly #entries: readonly Entry[];
  readonly #leastMs: number;

  constructor(id: FeedId, order: ListCursor['order'], stock: Stock, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#order = order;
    this.#entries = order === 'custom' ? stock.entries : sorted(stock.entries, fieldsOf(order));
    this.#leastMs = stock.leastMs;
    this.state =
      cursor?.order === order
        ? { cycle: cursor.cycle, position: cursor.position, next: this.#indexAfter(cursor as ListCursor) }
        : { cycle: 1, position: 0, next: 0 };
  }

  take(maxMs: number): Pick | undefined {
    if (this.#leastMs > maxMs) return undefined;
    let { cycle, next, position } = this.state;
    for (;;) {
      if (next >= this.#entries.length) {
        cycle += 1;
        next = 0;
        position = 0;
      }
      const entry = this.#entries[next++]!;
      if (entry.lengthMs > maxMs) continue;
      position += 1;
      this.state = { cycle, next, position, taken: entry };
      const { media, lengthMs } = entry;
      return { media, lengthMs, why: { order: this.#order, cycle, position } };
    }
  }

  cursors(): FeedCursor[] {
    const { cycle, next, position, taken } = this.state;
    if (taken === undefined) return [];
    const base = { ...this.#id, cycle, position, after: taken.ref };
    if (this.#order !== 'custom') return [{ ...base, order: this.#order, key: keyOf(taken.media) }];
    const preceding = refs(this.#entries.slice(Math.max(0, next - 1 - neighbours), next - 1)).reverse();
    const following = refs(this.#entries.slice(next, next + neighbours));
    return [{ ...base, order: 'custom', preceding, following }];
  }

  #indexAfter(cursor: ListCursor): number {
    const last = this.#entries.findIndex((entry) => entry.ref === cursor.after);
    if (last >= 0) return last + 1;
    if (cursor.order === 'custom') return indexAmongNeighbours(this.#entries, cursor);
    return indexBehind(this.#entries, fieldsOf(cursor.order), { ...parseRef(cursor.after), key: cursor.key });
  }
}

function fieldsOf(order: SortedCursor['order']) {
  return order === 'chronological' ? chronological : seasonEpisode;
}

function indexAmongNeighbours(entries: readonly Entry[], cursor: CustomCursor): number {
  const indexes = new Map(entries.map((entry, index) => [entry.ref, index]));
  const follower = cursor.following.find((ref) => indexes.has(ref));
  if (follower !== undefined) return indexes.get(follower)!;
  const predecessor = cursor.preceding.find((ref) => indexes.has(ref));
  return predecessor === undefined ? 0 : indexes.get(predecessor)! + 1;
}

function refs(entries: readonly Entry[]): string[] {
  return entries.map((entry) => entry.ref);
}
