import type { FeedCursor, RotateCursor, SortKey } from '../cursors.ts';
import { type Entry, groupBy, parseRef, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import { chronological, indexBehind, keyOf, sorted } from './sorting.ts';

interface Show {
  name: string | undefined;
  /** In their own order. */
  entries: readonly Entry[];
}

/** How far a show is. */
interface Progress {
  /** The show with the least has the next turn. A turn costs a show the more, the fewer entries it has. */
  due: number;
  /** Index of its next entry. */
  next: number;
  /** Its last played one, which may be gone. */
  last: Entry | Gone | undefined;
}

interface Gone {
  ref: string;
  key: SortKey;
}

interface State {
  cycle: number;
  position: number;
  /** By the index of the show. */
  shows: readonly Progress[];
  /** The show that was played last. */
  last: number | undefined;
  taken: boolean;
}

/**
 * Each show in its own chronological order, the shows interleaved evenly (stride scheduling): in a cycle every
 * entry plays once, and a show with twice as many has a turn twice as often. A show that is added joins in with
 * its first entry; another that gets more or loses some goes on behind what it has played last.
 */
export class RotateFeed implements Feed {
  state: State;
  readonly #id: FeedId;
  readonly #shows: readonly Show[];
  readonly #leastMs: number;
  readonly #size: number;

  constructor(id: FeedId, stock: Stock, cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#leastMs = stock.leastMs;
    this.#size = stock.entries.length;
    this.#shows = [...groupBy(sorted(stock.entries, ['show']), ({ media }) => media.show)].map(
      ([name, entries]) => ({ name, entries: sorted(entries, chronological) }),
    );
    this.state = cursor?.order === 'rotate' ? this.#resumed(cursor) : this.#begun();
  }

  take(maxMs: number): Pick | undefined {
    if (this.#leastMs > maxMs) return undefined;
    const state = this.state.position < this.#size ? this.state : nextCycle(this.state);
    const { index, found } = this.#find(state, maxMs);
    const { entries } = this.#shows[index]!;
    const entry = entries[found]!;
    const { cycle } = state;
    const position = state.position + 1;
    const due = state.shows[index]!.due + 1 / entries.length;
    const shows = state.shows.with(index, { due, next: (found + 1) % entries.length, last: entry });
    this.state = { cycle, position, shows, last: index, taken: true };
    const { media, lengthMs } = entry;
    return { media, lengthMs, why: { order: 'rotate', cycle, position } };
  }

  cursors(): FeedCursor[] {
    const { cycle, position, shows, last, taken } = this.state;
    if (!taken || last === undefined) return [];
    return [
      {
        ...this.#id,
        order: 'rotate',
        cycle,
        position,
        after: shows[last]!.last!.ref,
        shows: shows.map(({ due, last: played }, index) => {
          const { name } = this.#shows[index]!;
          return { ...(name === undefined ? {} : { show: name }), due, ...(played && remember(played)) };
        }),
      },
    ];
  }

  /** The show that has the next turn, and which of its entries. Something fits. */
  #find({ shows, last }: State, maxMs: number): { index: number; found: number } {
    const amid = last !== undefined && this.#isAmid(last, shows[last]!) ? [last] : [];
    for (const index of [...amid, leastDue(shows)]) {
      const found = this.#within(index, shows[index]!, maxMs);
      if (found !== undefined) return { index, found };
    }
    const turns = [...shows.keys()].sort((a, b) => shows[a]!.due - shows[b]!.due || a - b);
    for (const index of turns) {
      const found = this.#within(index, shows[index]!, maxMs);
      if (found !== undefined) return { index, found };
    }
    throw new Error('what is shortest does not fit');
  }

  /** The first entry of a show, going round from its next one, that lasts no longer than `maxMs`. */
  #within(show: number, { next }: Progress, maxMs: number): number | undefined {
    const { entries } = this.#shows[show]!;
    for (let step = 0; step < entries.length; step++) {
      const index = (next + step) % entries.length;
      if (entries[index]!.lengthMs <= maxMs) return index;
    }
    return undefined;
  }

  /** Whether a show has played a part, and the next part follows. */
  #isAmid(show: number, { next, last }: Progress): boolean {
    const { entries } = this.#shows[show]!;
    const played = entries[next - 1];
    return played !== undefined && played.ref === last?.ref && played.whole === entries[next]?.whole;
  }

  #begun(): State {
    const shows = this.#shows.map(({ entries }) => ({ due: 0.5 / entries.length, next: 0, last: undefined }));
    return { cycle: 1, position: 0, shows, last: undefined, taken: false };
  }

  #resumed({ cycle, position, shows: remembered, after }: RotateCursor): State {
    const known = new Map(remembered.map((show) => [show.show, show]));
    const dues = this.#shows.flatMap(({ name }) => known.get(name)?.due ?? []);
    const level = dues.length === 0 ? 0 : Math.min(...dues);
    const shows = this.#shows.map(({ name, entries }): Progress => {
      const show = known.get(name);
      if (show === undefined) return { due: level + 0.5 / entries.length, next: 0, last: undefined };
      if (show.after === undefined) return { due: show.due, next: 0, last: undefined };
      const last = { ref: show.after, key: show.key ?? {} };
      return { due: show.due, next: indexAfter(entries, last) % entries.length, last };
    });
    const last = shows.findIndex((progress) => progress.last?.ref === after);
    return { cycle, position, shows, last: last < 0 ? undefined : last, taken: false };
  }
}

function nextCycle({ cycle, shows, last, taken }: State): State {
  const fresh = shows.map((progress) => ({ ...progress, due: progress.due - 1 }));
  return { cycle: cycle + 1, position: 0, shows: fresh, last, taken };
}

function leastDue(shows: readonly Progress[]): number {
  let least = 0;
  for (let index = 1; index < shows.length; index++) {
    if (shows[index]!.due < shows[least]!.due) least = index;
  }
  return least;
}

function indexAfter(entries: readonly Entry[], { ref, key }: Gone): number {
  const last = entries.findIndex((entry) => entry.ref === ref);
  return last >= 0 ? last + 1 : indexBehind(entries, chronological, { ...parseRef(ref), key });
}

function remember(played: Entry | Gone): { after: string; key: SortKey } {
  return { after: played.ref, key: 'key' in played ? played.key : keyOf(played.media) };
}
