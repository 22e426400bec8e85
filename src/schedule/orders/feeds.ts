import type { FeedCursor } from '../cursors.ts';
import type { Stock } from '../stock.ts';
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
import { KnownCollection } from './known-collection.ts';
import { ListFeed } from './list-feed.ts';
import { type Member, Members, PlaylistFeed } from './playlist-feed.ts';
import { RandomFeed } from './random-feed.ts';
import { memberRequest } from './requests.ts';
import { RotateFeed } from './rotate-feed.ts';
import { ShuffleFeed } from './shuffle-feed.ts';
import { Wanted } from './wanted.ts';

/**
 * The feeds of all slots, each made when it is needed. Slots of one id in the lists of several days are one slot
 * and go on from one another, as long as they play the same in the same order.
 */
export class Feeds {
  readonly #input: Pick<PlanInput, 'collections' | 'seed' | 'schedule'>;
  /** What an earlier plan has left, by feed. */
  readonly #earlier: ReadonlyMap<string, FeedCursor>;
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
  stock(play: string, order: Order): Stock {
    return this.#known(play).stock(order, false);
  }

  /** Undefined when there is nothing to play. */
  feed(request: FeedRequest): Feed | undefined {
    const collection = this.#collection(request.play);
    const key = keyOf(isPlaylist(collection) ? { ...request, order: 'playlist' } : request);
    const made = this.#feeds.get(key);
    if (made !== undefined) return made;
    const feed = isPlaylist(collection)
      ? this.#playlistFeed(request, collection, this.#earlier.get(key))
      : this.#stockFeed(request);
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
    return this.#input.collections.get(name) ?? nothing;
  }

  #known(play: string): KnownCollection {
    const collection = this.#collection(play);
    return KnownCollection.of(isPlaylist(collection) ? nothing : collection);
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

  #stockFeed(request: FeedRequest): Feed | undefined {
    const { play, order } = request;
    const known = this.#known(play);
    const together = keepsParts(request);
    const stock = known.stock(order, together);
    if (stock.size === 0) return undefined;
    const id = idOf(request);
    const cursor = this.#cursorOf(request, stock);
    switch (order) {
      case 'chronological':
      case 'season-episode':
      case 'custom':
        return new ListFeed(id, order, stock, known.sequence(order), cursor);
      case 'shuffle':
        return new ShuffleFeed(id, stock, this.#input.seed, cursor);
      case 'random':
        return new RandomFeed(id, stock, this.#input.seed, cursor);
      case 'rotate':
        return new RotateFeed(id, stock, known.shows(together), cursor);
    }
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

const nothing: readonly PlanMedia[] = [];
