import { Duration } from 'luxon';
import type { Feeds } from './orders/feeds.ts';
import { FirstWithin } from './orders/first-within.ts';
import type { ReadySlot, SlotList } from './slots.ts';
import { canAir, suits } from './stock.ts';
import {
  fillerKinds,
  isPlaylist,
  type Order,
  type PlanInput,
  type PlanMedia,
  type PlanProblem,
  type Slot,
} from './types.ts';

/** So many media of one slot are named, and so many of all slots; then one of each. */
const mostOfSlot = 100;
const mostOfAll = 1_000;

/**
 * What is wrong with a schedule wherever its window lies. `current` is the index of the slot that the plan begins
 * with.
 */
export function findProblems(
  input: PlanInput,
  feeds: Feeds,
  lists: readonly SlotList[],
  current: number,
): PlanProblem[] {
  const supplies = new Supplies(input.collections, feeds);
  const always = (input.schedule.days ?? []).length === 0;
  const problems: PlanProblem[] = [];
  for (const list of lists) {
    for (const slot of list.slots) {
      for (const problem of supplyProblems(supplies, slot, problems.length < mostOfAll))
        problems.push(problem);
    }
    for (const problem of unreachable(list, always ? current : undefined)) problems.push(problem);
  }
  return problems;
}

/** Each problem once: two lists, or two attempts, may have the same. */
export function distinct(problems: readonly PlanProblem[]): PlanProblem[] {
  return [...new Map(problems.map((problem) => [keyOf(problem), problem])).values()];
}

/** @param roomMs the most time that the slot ever has for it */
export function neverFits(slot: Slot, media: string, lengthMs: number, roomMs: number): PlanProblem {
  return { code: 'never-fits', slot: slot.id, media, message: tooLong(media, lengthMs, roomMs) };
}

function tooLong(media: string, lengthMs: number, roomMs: number): string {
  return `media "${media}" lasts ${spoken(lengthMs)}, and there is room for ${spoken(roomMs)}`;
}

/** Milliseconds, for a person. */
function spoken(ms: number): string {
  return Duration.fromMillis(ms).rescale().toHuman({ listStyle: 'long' });
}

function keyOf({ code, slot, filler, media }: PlanProblem): string {
  return JSON.stringify([code, slot, filler, media]);
}

function supplyProblems(supplies: Supplies, { slot, mostMs }: ReadySlot, all: boolean): PlanProblem[] {
  const most = all ? mostOfSlot : 1;
  const own = supplies
    .problems(slot.play, slot.order, mostMs, most)
    .map((problem) => ({ slot: slot.id, ...problem }));
  const ofFiller = fillerKinds.flatMap((filler) => {
    const { from, order = 'shuffle' } = slot.filler?.[filler] ?? {};
    if (from === undefined) return [];
    const found = supplies.problems(from, order, Number.POSITIVE_INFINITY, most);
    return found.map((problem) => ({ slot: slot.id, filler, ...problem }));
  });
  return [...own, ...ofFiller];
}

type SupplyProblem = Omit<PlanProblem, 'slot' | 'filler'>;

/** What is wrong with collections. Many slots may play the same one. */
class Supplies {
  readonly #collections: PlanInput['collections'];
  readonly #feeds: Feeds;
  readonly #known = new Map<string, SupplyProblem[]>();
  readonly #longest = new Map<string, FirstWithin>();

  constructor(collections: PlanInput['collections'], feeds: Feeds) {
    this.#collections = collections;
    this.#feeds = feeds;
  }

  /** @param most so many are told */
  problems(name: string, order: Order, mostMs: number, most: number): SupplyProblem[] {
    const key = JSON.stringify([name, order === 'season-episode', mostMs, most]);
    let found = this.#known.get(key);
    if (found === undefined) {
      found = this.#find(name, order, mostMs, most);
      this.#known.set(key, found);
    }
    return found;
  }

  #find(name: string, order: Order, mostMs: number, most: number): SupplyProblem[] {
    const collection = this.#collections.get(name)!;
    if (isPlaylist(collection)) {
      if (collection.playlist.length === 0) return [empty(`playlist "${name}" is empty`)];
      const found = new Map<string, SupplyProblem>();
      for (const member of collection.playlist) {
        for (const problem of this.problems(member.play, member.order, mostMs, most)) {
          found.set(problem.message, problem);
          if (found.size === most) return [...found.values()];
        }
      }
      return [...found.values()];
    }
    if (collection.length === 0) return [empty(`collection "${name}" is empty`)];
    const { size } = this.#feeds.stock(name, order);
    const suitable =
      size === collection.length ? size : collection.filter((media) => suits(media, order)).length;
    if (suitable === 0) {
      return [empty(`collection "${name}" has nothing but specials, which ${order} leaves out`)];
    }
    const tooShort = size === suitable ? [] : this.#tooShort(collection, order, most);
    return [...tooShort, ...this.#tooLong(name, order, mostMs, most - tooShort.length)];
  }

  #tooShort(collection: readonly PlanMedia[], order: Order, most: number): SupplyProblem[] {
    const found = new Map<string, SupplyProblem>();
    for (const media of collection) {
      if (canAir(media) || !suits(media, order)) continue;
      const { id, durationMs } = media;
      const message = `media "${id}" lasts ${durationMs} ms, which is too short to be aired`;
      found.set(id, { code: 'never-fits', media: id, message });
      if (found.size === most) break;
    }
    return [...found.values()];
  }

  #tooLong(name: string, order: Order, mostMs: number, most: number): SupplyProblem[] {
    const { media, lengthsMs, mostMs: longestMs } = this.#feeds.stock(name, order);
    const found = new Map<string, SupplyProblem>();
    if (longestMs <= mostMs) return [];
    const longest = this.#longestOf(name, order, lengthsMs);
    let index = longest.next(0, -mostMs - 1);
    for (; index !== undefined && found.size < most; index = longest.next(index + 1, -mostMs - 1)) {
      const { id } = media[index]!;
      found.set(id, { code: 'never-fits', media: id, message: tooLong(id, lengthsMs[index]!, mostMs) });
    }
    return [...found.values()];
  }

  /** Finds what is longest: their lengths are negative in it. */
  #longestOf(name: string, order: Order, lengthsMs: Float64Array): FirstWithin {
    const key = JSON.stringify([name, order === 'season-episode']);
    let longest = this.#longest.get(key);
    if (longest === undefined) {
      longest = new FirstWithin(lengthsMs.map((ms) => -ms));
      this.#longest.set(key, longest);
    }
    return longest;
  }
}

function empty(message: string): SupplyProblem {
  return { code: 'empty-collection', message };
}

/**
 * What a flood never lets through. It ends at the next fixed start, so slots without one that stand between it and
 * that slot have no turn; and where there is no fixed start at all, it does not end.
 *
 * @param current where the channel is in the list; undefined when it begins anew with the first slot some day
 */
function unreachable(list: SlotList, current: number | undefined): PlanProblem[] {
  if (!list.able) return [];
  const { walked, round } = walk(list, current ?? 0);
  const reached = new Set(current === undefined ? walked : round);
  const flood = round.find(({ slot }) => slot.mode === 'flood');
  if (flood === undefined) return [];
  return list.slots
    .filter((slot) => slot.able && !reached.has(slot))
    .map(({ slot }) => ({
      code: 'unreachable-slot',
      slot: slot.id,
      message: `flood "${flood.slot.id}" goes on until the next fixed start: "${slot.id}" has no turn`,
    }));
}

/** Follows the turns from a slot: all that have one, and those that have one again and again. */
function walk(list: SlotList, from: number): { walked: ReadySlot[]; round: ReadySlot[] } {
  const walked = new Set<ReadySlot>();
  let slot: ReadySlot | undefined = list.ableFrom(from);
  while (slot !== undefined && !walked.has(slot)) {
    walked.add(slot);
    const { index }: ReadySlot = slot;
    slot = slot.slot.mode === 'flood' ? list.fixedAfter(index) : list.ableFrom(index + 1);
  }
  const all = [...walked];
  return { walked: all, round: slot === undefined ? all.slice(-1) : all.slice(all.indexOf(slot)) };
}
