import type { FeedCursor } from '../cursors.ts';
import { Stock, suits } from '../stock.ts';
import {
  isPlaylist,
  type Order,
  type PlanCollection,
  type PlanInput,
  type PlanMedia,
  type Playlist,
  type PlaylistMember,
} from '../types.ts';
import { type Feed, type FeedRequest, holderOf, idOf, keepsParts, keyOf } from './feed.ts';
import { ListFeed } from './list-feed.ts';
import { type Member, Members, PlaylistFeed } from './playlist-feed.ts';
import { RandomFeed } from './random-feed.ts';
import { memberRequest } from './requests.ts';
import { RotateFeed } from './rotate-feed.ts';
import { Sequence } from './sequence.ts';
import { type Show, showsOf } from './shows.ts';
import { ShuffleFeed } from './shuffle-feed.ts';
import { chronological, entryOrder, seasonEpisode } from './sorting.ts';
import { Wanted } from './wanted.ts';

/**
 * The feeds of all slots, each made when it is needed. Slots of one id in the lists of several days are one slot
 * and go on from one another, as long as they play the same in the same order. What is known of a collection is
 * shared by all that play it.
 */
export class Feeds {
  readonly #input: Pick<PlanInput, 'collections' | 'seed' | 'schedule'>;
  /** What an earlier plan has left, by feed. */
  readonly #earlier: ReadonlyMap<string, FeedCursor>;
  readonly #stocks = new Map<string, Stock>();
  readonly #sequences = new Map<string, Sequence>();
  readonly #shows = new Map<Stock, readonly Show[]>();
  readonly #members = new Map<string, Members>();
  readonly #feeds = new Map<string, Feed>();
  readonly #wanted: Wanted;

  constructor(input: Pick<PlanInput, 'collections' | 'seed' | 'schedule'>, earlier: readonly FeedCursor[]) {
    this.#input = input;
    this.#earlier = new Map(earlier.map((cursor) => [keyOf(cursor), cursor]));
    this.#wanted = new Wanted(input, earlier);
  }

  /** The length of the shortest that there is to play; infinite when there is nothing. */
  leastMs({ play, order }: { play: string; order: Order }): number {
    const collection = this.#collection(play);
    return isPlaylist(collection)
      ? this.#membersOf(play, collection).leastMs
      : this.stock(play, order).leastMs;
  }

  /** What can be placed of a collection that is no playlist. */
  stock(play: string, order: Order, together = false): Stock {
    const key = JSON.stringify([play, order === 'season-episode', together]);
    let stock = this.#stocks.get(key);
    if (stock === undefined) {
      stock = together
        ? this.stock(play, order).withParts()
        : Stock.of(this.#collection(play) as readonly PlanMedia[], (media) => suits(media, order));
      this.#stocks.set(key, stock);
    }
    return stock;
  }

  /** Undefined when there is nothing to play. */
  feed(request: FeedRequest): Feed | undefined {
    const { play, order } = request;
    const collection = this.#collection(play);
    const key = keyOf(isPlaylist(collection) ? { ...request, order: 'playlist' } : request);
    const made = this.#feeds.get(key);
    if (made !== undefined) return made;
    const feed = isPlaylist(collection)
      ? this.#playlistFeed(request, collection, this.#earlier.get(key))
      : this.#stockFeed(request, this.stock(play, order, keepsParts(request)));
    if (feed !== undefined) this.#feeds.set(key, feed);
    return feed;
  }

  /** What all feeds need to go on. */
  cursors(): FeedCursor[] {
    const found = new Map<string, FeedCursor>();
    for (const [key, feed] of this.#feeds) for (const cursor of feed.cursors()) found.set(key, cursor);
    const isKnown = (key: string) => found.has(key) || this.#earlier.has(key);
    const isKept = this.#wanted.keeps(isKnown);
    for (const [key, cursor] of this.#earlier) if (!found.has(key) && isKept(cursor)) found.set(key, cursor);
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cursor]) => cursor);
  }

  #collection(name: string): PlanCollection {
    return this.#input.collections.get(name) ?? [];
  }

  #playlistFeed(request: FeedRequest, playlist: Playlist, cursor: FeedCursor | undefined): Feed | undefined {
    const members = this.#membersOf(request.play, playlist);
    if (members.all.length === 0) return undefined;
    const feedOf = (member: PlaylistMember) => this.feed(memberRequest(request, member))!;
    const { slot, role, play } = request;
    return new PlaylistFeed({ slot, role, play }, members, feedOf, cursor);
  }

  #membersOf(name: string, { playlist }: Playlist): Members {
    let members = this.#members.get(name);
    if (members === undefined) {
      const count = new Map<string, number>();
      const all = playlist.map((member): Member => {
        const { play, order } = member;
        const nth = count.get(JSON.stringify([play, order])) ?? 0;
        count.set(JSON.stringify([play, order]), nth + 1);
        // A playlist cannot contain another, so one of its members that is none has nothing to play.
        const { size, leastMs } = isPlaylist(this.#collection(play))
          ? { size: 0, leastMs: Number.POSITIVE_INFINITY }
          : this.stock(play, order);
        const key = JSON.stringify([play, order, nth]);
        return { key, member, count: member.count === 'all' ? size : member.count, leastMs };
      });
      members = new Members(all.filter(({ leastMs }) => leastMs < Number.POSITIVE_INFINITY));
      this.#members.set(name, members);
    }
    return members;
  }

  #stockFeed(request: FeedRequest, stock: Stock): Feed | undefined {
    if (stock.size === 0) return undefined;
    const id = idOf(request);
    const cursor = this.#cursorOf(request, stock);
    const { order } = request;
    switch (order) {
      case 'chronological':
      case 'season-episode':
      case 'custom':
        return new ListFeed(id, order, stock, this.#sequence(request.play, order, stock), cursor);
      case 'shuffle':
        return new ShuffleFeed(id, stock, this.#input.seed, cursor);
      case 'random':
        return new RandomFeed(id, stock, this.#input.seed, cursor);
      case 'rotate':
        return new RotateFeed(id, stock, this.#showsOf(stock), cursor);
    }
  }

  #sequence(play: string, order: 'chronological' | 'season-episode' | 'custom', stock: Stock): Sequence {
    const key = JSON.stringify([play, order]);
    let sequence = this.#sequences.get(key);
    if (sequence === undefined) {
      const compare = { chronological, 'season-episode': seasonEpisode, custom: undefined }[order];
      sequence = new Sequence(stock, compare && entryOrder(stock, compare));
      this.#sequences.set(key, sequence);
    }
    return sequence;
  }

  #showsOf(stock: Stock): readonly Show[] {
    let shows = this.#shows.get(stock);
    if (shows === undefined) {
      shows = showsOf(stock);
      this.#shows.set(stock, shows);
    }
    return shows;
  }

  /** A slot that was given another collection begins anew, unless that one has what was played last. */
  #cursorOf(request: FeedRequest, stock: Stock): FeedCursor | undefined {
    const same = this.#earlier.get(keyOf(request));
    if (same !== undefined) return same;
    return this.#wanted
      .earlierOf(holderOf(request))
      .find(
        (cursor) =>
          cursor.order === request.order &&
          !this.#wanted.wants(cursor) &&
          stock.indexOf(cursor.after) !== undefined,
      );
  }
}
