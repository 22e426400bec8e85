import type { FeedCursor } from '../cursors.ts';
import type { PlaylistMember } from '../types.ts';
import type { Feed, FeedId, Pick } from './feed.ts';

export interface Member {
  /** Names it in a cursor. */
  key: string;
  member: PlaylistMember;
  /** How many it plays in a turn. */
  count: number;
  feed: Feed;
}

interface State {
  index: number;
  played: number;
  /** Where the members are. */
  feeds: readonly object[];
  taken: boolean;
}

/** How many members may vanish together with the one whose turn it is before the place in the list is lost. */
const neighbours = 8;

/** The members of a playlist take turns; each goes on where it was. */
export class PlaylistFeed implements Feed {
  readonly #id: FeedId;
  readonly #members: readonly Member[];
  #index = 0;
  #played = 0;
  #taken = false;

  /** @param members those that have something to play, and at least one */
  constructor(id: FeedId, members: readonly Member[], cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#members = members;
    if (cursor?.order !== 'playlist') return;
    const indexes = new Map(members.map(({ key }, index) => [key, index]));
    const same = indexes.get(cursor.member);
    const follower = cursor.following.find((key) => indexes.has(key));
    this.#index = same ?? (follower === undefined ? 0 : indexes.get(follower)!);
    this.#played = same === undefined ? 0 : cursor.played;
  }

  get state(): State {
    return {
      index: this.#index,
      played: this.#played,
      feeds: this.#members.map(({ feed }) => feed.state),
      taken: this.#taken,
    };
  }

  set state({ index, played, feeds, taken }: State) {
    this.#index = index;
    this.#played = played;
    this.#taken = taken;
    for (const [i, { feed }] of this.#members.entries()) feed.state = feeds[i]!;
  }

  take(maxMs: number): Pick | undefined {
    const { length } = this.#members;
    const begin = this.#played < this.#members[this.#index]!.count ? 0 : 1;
    for (let step = begin; step <= length; step++) {
      const index = (this.#index + step) % length;
      const { feed, member } = this.#members[index]!;
      const pick = feed.take(maxMs);
      if (pick === undefined) continue;
      this.#played = step === 0 ? this.#played + 1 : 1;
      this.#index = index;
      this.#taken = true;
      return { ...pick, why: { ...pick.why, member: member.play } };
    }
    return undefined;
  }

  cursors(): FeedCursor[] {
    if (!this.#taken) return [];
    const keys = this.#members.map(({ key }) => key);
    const index = this.#index;
    const following = [...keys.slice(index + 1), ...keys.slice(0, index)].slice(0, neighbours);
    const own = { member: keys[index]!, played: this.#played, following };
    return [
      { ...this.#id, order: 'playlist', ...own },
      ...[...new Set(this.#members.map(({ feed }) => feed))].flatMap((feed) => feed.cursors()),
    ];
  }
}
