import type { FeedCursor } from '../cursors.ts';
import { withParts } from '../parts.ts';
import { canAir, Stock, stockOf } from '../stock.ts';
import type { Order, PlanCollection, PlanMedia, Playlist, PlaylistMember } from '../types.ts';
import type { Feed, FeedId } from './feed.ts';
import { ListFeed } from './list-feed.ts';
import { type Member, PlaylistFeed } from './playlist-feed.ts';
import { RandomFeed } from './random-feed.ts';
import { RotateFeed } from './rotate-feed.ts';
import { ShuffleFeed } from './shuffle-feed.ts';

/** What a slot plays, itself or as filler. */
export interface FeedRequest extends FeedId {
  order: Order;
  parts?: PlaylistMember['parts'] | undefined;
}

/**
 * The feeds of all slots, each made when it is needed. Slots of one id in the lists of several days are one slot
 * and go on from one another, as long as they play the same in the same order.
 */
export class Feeds {
  readonly #collections: ReadonlyMap<string, PlanCollection>;
  readonly #seed: number;
  readonly #earlier: ReadonlyMap<string, FeedCursor>;
  readonly #stocks = new Map<string, Stock>();
  readonly #able = new Map<string, boolean>();
  readonly #feeds = new Map<string, Feed>();
  /** The keys of all feeds that may be needed, by slot and role. */
  readonly #wanted = new Map<string, Set<string>>();

  constructor(
    collections: ReadonlyMap<string, PlanCollection>,
    seed: number,
    earlier: readonly FeedCursor[],
  ) {
    this.#collections = collections;
    this.#seed = seed;
    this.#earlier = new Map(earlier.map((cursor) => [keyOf(cursor), cursor]));
  }

  /** Says that a feed may be needed. Its cursor is kept, even if nothing is taken from it. */
  want(request: FeedRequest): void {
    const holder = holderOf(request);
    const wanted = this.#wanted.get(holder) ?? new Set();
    this.#wanted.set(holder, wanted);
    const collection = this.#collections.get(request.play);
    if (collection === undefined || !isPlaylist(collection)) wanted.add(keyOf(request));
    else {
      wanted.add(keyOf({ ...request, order: 'playlist' }));
      for (const member of collection.playlist) wanted.add(keyOf({ ...request, ...member }));
    }
  }

  /** Whether there is anything to play that lasts no longer than `maxMs`. */
  able({ play, order }: Pick<FeedRequest, 'play' | 'order'>, maxMs: number): boolean {
    const key = JSON.stringify([play, order, maxMs]);
    let able = this.#able.get(key);
    if (able === undefined) {
      const collection = this.#collections.get(play) ?? [];
      able = isPlaylist(collection)
        ? collection.playlist.some((member) => this.able(member, maxMs))
        : collection.some((media) => canAir(media) && suits(media, order) && media.durationMs <= maxMs);
      this.#able.set(key, able);
    }
    return able;
  }

  /** Undefined when there is nothing to play. */
  feed(request: FeedRequest): Feed | undefined {
    const collection = this.#collections.get(request.play) ?? [];
    if (isPlaylist(collection)) return this.#playlist(request, collection);
    const key = keyOf(request);
    const made = this.#feeds.get(key);
    if (made !== undefined) return made;
    const stock = this.#stock(request, collection);
    if (stock.entries.length === 0) return undefined;
    const feed = feedOf(request, stock, this.#seed, this.#cursorOf(request, stock));
    this.#feeds.set(key, feed);
    return feed;
  }

  /** What all feeds need to go on. */
  cursors(): FeedCursor[] {
    const found = new Map<string, FeedCursor>();
    for (const feed of this.#feeds.values()) {
      for (const cursor of feed.cursors()) found.set(keyOf(cursor), cursor);
    }
    for (const [key, cursor] of this.#earlier) {
      const wanted = this.#wanted.get(holderOf(cursor));
      if (found.has(key) || wanted === undefined) continue;
      // What a slot has played before its collection was changed may still say where it goes on.
      const orphan =
        !wanted.has(key) && [...wanted].some((other) => !found.has(other) && !this.#earlier.has(other));
      if (wanted.has(key) || orphan) found.set(key, cursor);
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cursor]) => cursor);
  }

  #playlist(request: FeedRequest, { playlist }: Playlist): Feed | undefined {
    const key = keyOf({ ...request, order: 'playlist' });
    const made = this.#feeds.get(key);
    if (made !== undefined) return made;
    const members = playlist.flatMap((member, index): Member[] => {
      const feed = this.feed({ ...request, ...member });
      if (feed === undefined) return [];
      const nth = playlist.slice(0, index).filter((other) => sameMember(other, member)).length;
      const count = member.count === 'all' ? this.#sizeOf(member) : member.count;
      return [{ key: JSON.stringify([member.play, member.order, nth]), member, count, feed }];
    });
    if (members.length === 0) return undefined;
    const feed = new PlaylistFeed(idOf(request), members, this.#earlier.get(key));
    this.#feeds.set(key, feed);
    return feed;
  }

  #sizeOf({ play, order }: PlaylistMember): number {
    return this.#stock({ play, order }, this.#collections.get(play) as readonly PlanMedia[]).entries.length;
  }

  #stock(
    { play, order, parts }: Omit<FeedRequest, 'slot' | 'role'>,
    collection: readonly PlanMedia[],
  ): Stock {
    const key = JSON.stringify([play, order === 'season-episode', parts === 'together']);
    let stock = this.#stocks.get(key);
    if (stock === undefined) {
      stock = stockOf(collection, (media) => suits(media, order));
      if (parts === 'together') stock = new Stock(withParts(stock.entries));
      this.#stocks.set(key, stock);
    }
    return stock;
  }

  /**
   * A slot that was given another collection begins anew, unless that one has what was played last.
   */
  #cursorOf(request: FeedRequest, stock: Stock): FeedCursor | undefined {
    const same = this.#earlier.get(keyOf(request));
    if (same !== undefined) return same;
    const wanted = this.#wanted.get(holderOf(request));
    for (const [key, cursor] of this.#earlier) {
      if (holderOf(cursor) !== holderOf(request) || wanted?.has(key)) continue;
      if (cursor.order !== request.order) continue;
      if (stock.entries.some(({ ref }) => ref === cursor.after)) return cursor;
    }
    return undefined;
  }
}

/** A playlist cannot contain another, so one of its members that is none has nothing to play. */
export function isPlaylist(collection: PlanCollection): collection is Playlist {
  return 'playlist' in collection;
}

/** Season 0, the specials, have no place in the numbers of a show. */
export function suits({ season }: PlanMedia, order: Order): boolean {
  return order !== 'season-episode' || season !== 0;
}

function feedOf(request: FeedRequest, stock: Stock, seed: number, cursor: FeedCursor | undefined): Feed {
  const id = idOf(request);
  switch (request.order) {
    case 'chronological':
    case 'season-episode':
    case 'custom':
      return new ListFeed(id, request.order, stock, cursor);
    case 'shuffle':
      return new ShuffleFeed(id, stock, seed, cursor);
    case 'random':
      return new RandomFeed(id, stock, seed, cursor);
    case 'rotate':
      return new RotateFeed(id, stock, cursor);
  }
}

function idOf({ slot, role, play }: FeedId): FeedId {
  return { slot, role, play };
}

function keyOf({ slot, role, play, order }: FeedId & { order: string }): string {
  return JSON.stringify([slot, role, play, order]);
}

function holderOf({ slot, role }: FeedId): string {
  return JSON.stringify([slot, role]);
}

function sameMember(a: PlaylistMember, b: PlaylistMember): boolean {
  return a.play === b.play && a.order === b.order;
}
