import type { FeedCursor } from '../cursors.ts';
import type { PlaylistMember } from '../types.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import { FirstWithin } from './first-within.ts';

/** A member of a playlist that has something to play. */
export interface Member {
  /** Names it in a cursor. */
  key: string;
  member: PlaylistMember;
  /** How many it plays in a turn. */
  count: number;
  /** The length of what is shortest in it. */
  leastMs: number;
}

/** The members of a playlist that have something to play. All slots that play it share this. */
export class Members {
  readonly all: readonly Member[];
  readonly indexes: ReadonlyMap<string, number>;
  /** The length of what is shortest in any of them. */
  readonly leastMs: number;
  readonly #lengths: FirstWithin;

  constructor(all: readonly Member[]) {
    this.all = all;
    this.indexes = new Map(all.map(({ key }, index) => [key, index]));
    const lengths = all.map(({ leastMs }) => leastMs);
    this.leastMs = Math.min(...lengths);
    this.#lengths = new FirstWithin(lengths);
  }

  /** The first one, going round from an index, that has something which lasts no longer than `maxMs`. */
  next(from: number, maxMs: number): number | undefined {
    return this.#lengths.next(from, maxMs) ?? this.#lengths.next(0, maxMs);
  }
}

interface State {
  index: number;
  played: number;
  taken: boolean;
}

/** How many members may vanish together with the one whose turn it is before the place in the list is lost. */
const neighbours = 8;

/** The members of a playlist take turns; each goes on where it was. */
export class PlaylistFeed implements Feed {
  readonly #id: FeedId;
  readonly #members: Members;
  readonly #feedOf: (member: PlaylistMember) => Feed;
  #state: State = { index: 0, played: 0, taken: false };
  #marked = this.#state;
  /** What has been taken from since the mark, if there is one. */
  #touched: Set<Feed> | undefined;

  /** @param feedOf the feed of a member, which is made when it is needed */
  constructor(
    id: FeedId,
    members: Members,
    feedOf: (member: PlaylistMember) => Feed,
    cursor: FeedCursor | undefined,
  ) {
    this.#id = id;
    this.#members = members;
    this.#feedOf = feedOf;
    if (cursor?.order !== 'playlist') return;
    const { indexes } = members;
    const same = indexes.get(cursor.member);
    const follower = cursor.following.find((key) => indexes.has(key));
    const index = same ?? (follower === undefined ? 0 : indexes.get(follower)!);
    this.#state = { index, played: same === undefined ? 0 : cursor.played, taken: false };
    this.#marked = this.#state;
  }

  take(maxMs: number): Pick | undefined {
    const { index: current, played } = this.#state;
    const { all } = this.#members;
    const isOver = played >= all[current]!.count;
    const index = this.#members.next(isOver ? (current + 1) % all.length : current, maxMs);
    if (index === undefined) return undefined;
    const { member } = all[index]!;
    const feed = this.#feedOf(member);
    if (this.#touched !== undefined && !this.#touched.has(feed)) {
      this.#touched.add(feed);
      feed.mark();
    }
    const { media, lengthMs, why } = feed.take(maxMs)!;
    this.#state = { index, played: index === current && !isOver ? played + 1 : 1, taken: true };
    return { media, lengthMs, why: { ...why, member: member.play } };
  }

  mark(): void {
    this.#marked = this.#state;
    this.#touched = new Set();
  }

  undo(): void {
    for (const feed of this.#touched ?? []) feed.undo();
    this.#state = this.#marked;
    this.#touched = undefined;
  }

  keep(): void {
    for (const feed of this.#touched ?? []) feed.keep();
    this.#touched = undefined;
  }

  cursors(): FeedCursor[] {
    const { index, played, taken } = this.#state;
    if (!taken) return [];
    const { all } = this.#members;
    const following: string[] = [];
    for (let step = 1; step < all.length && step <= neighbours; step++) {
      following.push(all[(index + step) % all.length]!.key);
    }
    return [{ ...this.#id, order: 'playlist', member: all[index]!.key, played, following }];
  }
}
