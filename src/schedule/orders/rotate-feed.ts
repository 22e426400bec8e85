import type { FeedCursor, RotateCursor, SortKey } from '../cursors.ts';
import { parseRef, type Stock } from '../stock.ts';
import type { Feed, FeedId, Pick } from './feed.ts';
import type { Sequence } from './sequence.ts';
import { ShowTurns } from './show-turns.ts';
import type { Show } from './shows.ts';
import { chronological, isBehind, keyOf } from './sorting.ts';

/** What was played last of a show before this feed was made; it may be gone. */
interface Earlier {
  after: string;
  key: SortKey;
}

/** How far a show is. */
interface Progress {
  /** Position of its next entry; undefined until that has been looked for behind the last one. */
  next: number | undefined;
  /** The entry that was played last, if it is not an earlier one. */
  last: number | Earlier | undefined;
}

interface State {
  cycle: number;
  position: number;
  /** The cycles of turns are counted from where this feed began. */
  turnCycle: number;
  /** The show that was played last. */
  show: number | undefined;
  taken: boolean;
}

/**
 * Each show in its own chronological order, the shows interleaved evenly (stride scheduling): in a cycle every
 * entry plays once, and a show with twice as many has a turn twice as often. A show that is added joins in with
 * its first entry; another that gets more or loses some goes on behind what it has played last.
 */
export class RotateFeed implements Feed {
  readonly #id: FeedId;
  readonly #stock: Stock;
  readonly #shows: readonly Show[];
  readonly #progress: readonly Progress[];
  readonly #turns: ShowTurns;
  #state: State;
  #marked: State;
  /** Takes back what has been done to shows since the mark, if there is one. */
  #undoing: (() => void)[] | undefined;

  constructor(id: FeedId, stock: Stock, shows: readonly Show[], cursor: FeedCursor | undefined) {
    this.#id = id;
    this.#stock = stock;
    this.#shows = shows;
    const earlier = cursor?.order === 'rotate' ? cursor : undefined;
    const known = new Map(earlier?.shows.map((show) => [show.show, show]));
    const level = levelOf(shows.flatMap(({ name }) => known.get(name) ?? []));
    this.#progress = shows.map(({ name }) => {
      const { after, key = {} } = known.get(name) ?? {};
      return after === undefined ? { next: 0, last: undefined } : { next: undefined, last: { after, key } };
    });
    this.#turns = new ShowTurns(
      Float64Array.from(shows, ({ entries }) => entries.leastMs),
      shows.map(({ name, entries }) => {
        const was = known.get(name);
        return was === undefined ? later(level, 0.5 / entries.size) : turnOf(was);
      }),
    );
    const { cycle = 1, position = 0, after } = earlier ?? {};
    const last = shows.findIndex(({ name }) => after !== undefined && known.get(name)?.after === after);
    this.#state = { cycle, position, turnCycle: 0, show: last < 0 ? undefined : last, taken: false };
    this.#marked = this.#state;
  }

  take(maxMs: number): Pick | undefined {
    if (this.#stock.leastMs > maxMs) return undefined;
    let { cycle, position, turnCycle } = this.#state;
    if (position >= this.#stock.size) {
      cycle += 1;
      turnCycle += 1;
      position = 0;
    }
    position += 1;
    const { show, found } = this.#next(maxMs);
    const index = this.#play(show, found);
    this.#state = { cycle, position, turnCycle, show, taken: true };
    const { media, lengthsMs } = this.#stock;
    return { media: media[index]!, lengthMs: lengthsMs[index]!, why: { order: 'rotate', cycle, position } };
  }

  mark(): void {
    this.#marked = this.#state;
    this.#undoing = [];
  }

  undo(): void {
    for (const undo of this.#undoing?.reverse() ?? []) undo();
    this.#state = this.#marked;
    this.#undoing = undefined;
  }

  keep(): void {
    this.#undoing = undefined;
  }

  cursors(): FeedCursor[] {
    const { cycle, position, turnCycle, show, taken } = this.#state;
    if (!taken || show === undefined) return [];
    return [
      {
        ...this.#id,
        order: 'rotate',
        cycle,
        position,
        after: this.#remember(this.#progress[show]!.last!).after,
        shows: this.#shows.map(({ name }, index) => {
          const { last } = this.#progress[index]!;
          const turn = this.#turns.of(index);
          return {
            ...(name === undefined ? {} : { show: name }),
            ...(turn.cycle === turnCycle ? {} : { ahead: turn.cycle - turnCycle }),
            due: turn.due,
            ...(last === undefined ? {} : this.#remember(last)),
          };
        }),
      },
    ];
  }

  /** The show that has the next turn, and the position of the entry. Something fits. */
  #next(maxMs: number): { show: number; found: number } {
    const { show: last } = this.#state;
    if (last !== undefined && this.#isAmid(last)) {
      const found = this.#within(last, maxMs);
      if (found !== undefined) return { show: last, found };
    }
    const show = this.#turns.next(maxMs);
    return { show, found: this.#within(show, maxMs)! };
  }

  /** The first entry of a show, going round from its next one, that lasts no longer than `maxMs`. */
  #within(show: number, maxMs: number): number | undefined {
    const { entries } = this.#shows[show]!;
    return entries.next(this.#nextOf(show), maxMs) ?? entries.next(0, maxMs);
  }

  /** Whether a show has played a part, and the next part follows. */
  #isAmid(show: number): boolean {
    if (!this.#stock.hasParts) return false;
    const { entries } = this.#shows[show]!;
    const { last } = this.#progress[show]!;
    const next = this.#nextOf(show);
    if (next === 0 || next >= entries.size) return false;
    const played = entries.at(next - 1);
    const isLast = typeof last === 'number' ? played === last : this.#stock.ref(played) === last?.after;
    return isLast && this.#stock.whole(played) === this.#stock.whole(entries.at(next));
  }

  #nextOf(index: number): number {
    const progress = this.#progress[index]!;
    progress.next ??= this.#nextBehind(this.#shows[index]!.entries, progress.last as Earlier);
    return progress.next;
  }

  #nextBehind(entries: Sequence, { after, key }: Earlier): number {
    const { id, nth } = parseRef(after);
    const same = entries.find(
      (index) => this.#stock.media[index]!.id === id && this.#stock.nth(index) === nth,
    );
    const place = { id, nth, key: same === undefined ? key : keyOf(this.#stock.media[same]!) };
    return entries.first(isBehind(this.#stock, chronological, place));
  }

  #remember(last: number | Earlier): Earlier {
    if (typeof last !== 'number') return last;
    return { after: this.#stock.ref(last), key: keyOf(this.#stock.media[last]!) };
  }

  /** Gives a show its turn, and returns the entry that it plays. */
  #play(index: number, position: number): number {
    const { entries } = this.#shows[index]!;
    const progress = this.#progress[index]!;
    const { next, last } = progress;
    const turn = this.#turns.of(index);
    this.#undoing?.push(() => {
      progress.next = next;
      progress.last = last;
      this.#turns.set(index, turn);
    });
    const entry = entries.at(position);
    progress.next = position + 1;
    progress.last = entry;
    this.#turns.set(index, later(turn, 1 / entries.size));
    return entry;
  }
}

interface Turn {
  cycle: number;
  /** From 0 to 1. */
  due: number;
}

function turnOf({ ahead = 0, due }: RotateCursor['shows'][number]): Turn {
  return later({ cycle: ahead, due: 0 }, due);
}

function later({ cycle, due }: Turn, by: number): Turn {
  const cycles = Math.floor(due + by);
  return { cycle: cycle + cycles, due: due + by - cycles };
}

/** The earliest turn of any show: a new one has its first soon after. */
function levelOf(shows: RotateCursor['shows']): Turn {
  const turns = shows.map(turnOf).sort((a, b) => a.cycle - b.cycle || a.due - b.due);
  return turns[0] ?? { cycle: 0, due: 0 };
}
