import type { FeedCursor } from '../cursors.ts';
import { isPlaylist, type PlanInput } from '../types.ts';
import { type FeedRequest, holderOf, keepsParts, keyOf } from './feed.ts';
import { memberRequest, requestsOf } from './requests.ts';

/** Which feeds a schedule may need, so that their cursors are kept while nothing is taken from them. */
export class Wanted {
  readonly #input: Pick<PlanInput, 'collections' | 'schedule'>;
  readonly #earlier: ReadonlyMap<string, readonly FeedCursor[]>;
  /** What the slots ask for, by slot and role. */
  #requests: Map<string, FeedRequest[]> | undefined;
  readonly #members = new Map<string, ReadonlySet<string>>();

  constructor(input: Pick<PlanInput, 'collections' | 'schedule'>, earlier: readonly FeedCursor[]) {
    this.#input = input;
    this.#earlier = groupByHolder(earlier);
  }

  /** The cursors of one slot and role that an earlier plan has left. */
  earlierOf(holder: string): readonly FeedCursor[] {
    return this.#earlier.get(holder) ?? [];
  }

  /** Whether the feed of a cursor may still be needed. */
  wants(cursor: FeedCursor): boolean {
    const { play, order } = cursor;
    const together = keepsParts(cursor);
    return this.#requestsOf(holderOf(cursor)).some((request) => {
      const members = this.#membersOf(request.play);
      if (members === undefined) {
        return request.play === play && request.order === order && keepsParts(request) === together;
      }
      return order === 'playlist' ? request.play === play : members.has(memberKey(cursor));
    });
  }

  /**
   * Whether a cursor is kept: if it is still wanted, or if the slot has begun to play something else and has not
   * come to all of that yet. What it has played before may say where it goes on.
   */
  keeps(isKnown: (key: string) => boolean): (cursor: FeedCursor) => boolean {
    const lacking = new Map<string, boolean>();
    return (cursor) => {
      if (this.wants(cursor)) return true;
      const holder = holderOf(cursor);
      let lacks = lacking.get(holder);
      if (lacks === undefined) {
        lacks = this.#requestsOf(holder).some((request) => this.#lacks(request, isKnown));
        lacking.set(holder, lacks);
      }
      return lacks;
    };
  }

  #lacks(request: FeedRequest, isKnown: (key: string) => boolean): boolean {
    const collection = this.#input.collections.get(request.play);
    if (collection === undefined || !isPlaylist(collection)) return !isKnown(keyOf(request));
    if (!isKnown(keyOf({ ...request, order: 'playlist' }))) return true;
    return collection.playlist.some((member) => !isKnown(keyOf(memberRequest(request, member))));
  }

  #requestsOf(holder: string): readonly FeedRequest[] {
    this.#requests ??= groupByHolder(
      [this.#input.schedule, ...(this.#input.schedule.days ?? [])].flatMap(({ slots }) =>
        slots.flatMap(requestsOf),
      ),
    );
    return this.#requests.get(holder) ?? [];
  }

  /** What a playlist plays; undefined for a collection that is none. */
  #membersOf(name: string): ReadonlySet<string> | undefined {
    const collection = this.#input.collections.get(name);
    if (collection === undefined || !isPlaylist(collection)) return undefined;
    let members = this.#members.get(name);
    if (members === undefined) {
      members = new Set(collection.playlist.map(memberKey));
      this.#members.set(name, members);
    }
    return members;
  }
}

function groupByHolder<T extends { slot: string; role: string }>(all: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const holder = holderOf(each);
    const group = groups.get(holder);
    if (group === undefined) groups.set(holder, [each]);
    else group.push(each);
  }
  return groups;
}

function memberKey(member: { play: string; order: string; parts?: string }): string {
  return JSON.stringify([member.play, member.order, keepsParts(member)]);
}
