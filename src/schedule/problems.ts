import { Duration } from 'luxon';
import { isPlaylist, suits } from './orders/feeds.ts';
import type { ReadySlot, SlotList } from './slots.ts';
import { canAir } from './stock.ts';
import {
  fillerKinds,
  type Order,
  type PlanInput,
  type PlanMedia,
  type PlanProblem,
  type Slot,
} from './types.ts';

/** So many media of one slot are named. */
const mostMedia = 100;

/**
 * What is wrong with a schedule wherever its window lies. `current` is the index of the slot that the plan begins
 * with.
 */
export function findProblems(input: PlanInput, lists: readonly SlotList[], current: number): PlanProblem[] {
  const supplies = new Supplies(input.collections);
  const always = (input.schedule.days ?? []).length === 0;
  return lists.flatMap((list) => [
    ...list.slots.flatMap((slot) => supplyProblems(supplies, slot)),
    ...unreachable(list, always ? current : undefined),
  ]);
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

function supplyProblems(supplies: Supplies, { slot, mostMs }: ReadySlot): PlanProblem[] {
  const own = supplies
    .problems(slot.play, slot.order, mostMs)
    .map((problem) => ({ slot: slot.id, ...problem }));
  const ofFiller = fillerKinds.flatMap((filler) => {
    const { from, order = 'shuffle' } = slot.filler?.[filler] ?? {};
    if (from === undefined) return [];
    const found = supplies.problems(from, order, Number.POSITIVE_INFINITY);
    return found.map((problem) => ({ slot: slot.id, filler, ...problem }));
  });
  return [...own, ...ofFiller];
}

type SupplyProblem = Omit<PlanProblem, 'slot' | 'filler'>;

/** What is wrong with collections. Many slots may play the same one. */
class Supplies {
  readonly #collections: PlanInput['collections'];
  readonly #known = new Map<string, SupplyProblem[]>();

  constructor(collections: PlanInput['collections']) {
    this.#collections = collections;
  }

  problems(name: string, order: Order, mostMs: number): SupplyProblem[] {
    const key = JSON.stringify([name, order, mostMs]);
    let found = this.#known.get(key);
    if (found === undefined) {
      found = this.#find(name, order, mostMs);
      this.#known.set(key, found);
    }
    return found;
  }

  #find(name: string, order: Order, mostMs: number): SupplyProblem[] {
    const collection = this.#collections.get(name)!;
    if (isPlaylist(collection)) {
      if (collection.playlist.length === 0) return [empty(`playlist "${name}" is empty`)];
      return collection.playlist.flatMap((member) => this.problems(member.play, member.order, mostMs));
    }
    if (collection.length === 0) return [empty(`collection "${name}" is empty`)];
    const suitable = collection.filter((media) => suits(media, order));
    if (suitable.length === 0) {
      return [empty(`collection "${name}" has nothing but specials, which ${order} leaves out`)];
    }
    return unfit(suitable, mostMs).map((media) => ({
      code: 'never-fits',
      media: media.id,
      message: whyUnfit(media, mostMs),
    }));
  }
}

function empty(message: string): SupplyProblem {
  return { code: 'empty-collection', message };
}

function unfit(collection: readonly PlanMedia[], mostMs: number): PlanMedia[] {
  const found = new Map<string, PlanMedia>();
  for (const media of collection) {
    if (canAir(media) && media.durationMs <= mostMs) continue;
    found.set(media.id, media);
    if (found.size === mostMedia) break;
  }
  return [...found.values()];
}

function whyUnfit(media: PlanMedia, mostMs: number): string {
  if (!canAir(media))
    return `media "${media.id}" lasts ${media.durationMs} ms, which is too short to be aired`;
  return tooLong(media.id, media.durationMs, mostMs);
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
  const reached = current === undefined ? walked : round;
  const flood = round.find(({ slot }) => slot.mode === 'flood');
  if (flood === undefined) return [];
  return list.slots
    .filter((slot) => slot.able && !reached.includes(slot))
    .map(({ slot }) => ({
      code: 'unreachable-slot',
      slot: slot.id,
      message: `flood "${flood.slot.id}" goes on until the next fixed start: "${slot.id}" has no turn`,
    }));
}

/** Follows the turns from a slot: all that have one, and those that have one again and again. */
function walk(list: SlotList, from: number): { walked: ReadySlot[]; round: ReadySlot[] } {
  const walked: ReadySlot[] = [];
  let slot: ReadySlot | undefined = list.ableFrom(from);
  while (slot !== undefined && !walked.includes(slot)) {
    walked.push(slot);
    const { index }: ReadySlot = slot;
    slot = slot.slot.mode === 'flood' ? list.fixedAfter(index) : list.ableFrom(index + 1);
  }
  return { walked, round: slot === undefined ? walked.slice(-1) : walked.slice(walked.indexOf(slot)) };
}
