import { InvalidError } from '../errors.ts';
import { type CursorState, parseCursors, type SlotCursor } from './cursors.ts';
import { type Sequence, sequenceOf } from './orders/sequence.ts';
import { findProblems } from './problems.ts';
import { type Stock, stockOf } from './stock.ts';
import type { Cursors, PlanInput, PlanItem, PlanOutput, Slot } from './types.ts';

/**
 * Lays a schedule out over a window of time. The same input gives the same output, and the input is left as it
 * was. The next plan begins where the last item stops; a window that is over before it begins gives no items.
 *
 * Throws InvalidError when a slot plays a collection that is not there, or the cursors are not what an earlier
 * plan returned.
 */
export function plan(input: PlanInput): PlanOutput {
  const { slots } = input.schedule;
  const earlier = parseCursors(input.cursors);
  const earlierCursors = new Map(earlier.slots.map((cursor) => [cursor.slot, cursor]));
  const stocks = stocksOf(input);
  const sequences = new Map<Slot, Sequence>();
  const items: PlanItem[] = [];
  const begin = resume(slots, earlier.at);
  let turn = begin;
  let guide = earlier.guide;
  let now = input.from;

  while (now < input.to) {
    const next = nextTurn(slots, turn, canPlay);
    if (next === undefined) {
      items.push({ kind: 'offline', start: now, stop: input.to });
      break;
    }
    turn = next;
    guide += 1;
    const slot = slots[turn.index]!;
    const { media, why } = sequence(slot).take();
    const length = Math.floor(media.durationMs);
    const stop = now + length;
    items.push({
      kind: 'program',
      start: now,
      stop,
      media: media.id,
      in: 0,
      out: length,
      slot: slot.id,
      guide,
      why,
    });
    now = stop;
  }

  const at = turn === begin && earlier.at === undefined ? undefined : turn;
  return {
    items,
    cursors: cursorsOf(
      slots,
      at,
      guide,
      (slot) => sequences.get(slot)?.cursor() ?? earlierCursors.get(slot.id),
    ),
    problems: findProblems(slots, stocks, begin.index),
  };

  function canPlay(slot: Slot): boolean {
    return stocks.get(slot.play)!.entries.length > 0;
  }

  function sequence(slot: Slot): Sequence {
    let found = sequences.get(slot);
    if (found === undefined) {
      found = sequenceOf(slot, stocks.get(slot.play)!.entries, input.seed, earlierCursors.get(slot.id));
      sequences.set(slot, found);
    }
    return found;
  }
}

/** The slot whose turn it is, and how many items it has placed in this turn. */
interface Turn {
  index: number;
  played: number;
}

function stocksOf({ schedule, collections }: PlanInput): Map<string, Stock> {
  const stocks = new Map<string, Stock>();
  const missing: string[] = [];
  for (const [index, { play }] of schedule.slots.entries()) {
    const collection = collections.get(play);
    if (collection === undefined)
      missing.push(`schedule.slots.${index}.play: there is no collection "${play}"`);
    else if (!stocks.has(play)) stocks.set(play, stockOf(collection));
  }
  if (missing.length > 0) throw new InvalidError(missing.join('\n'), { operation: 'planning' });
  return stocks;
}

/** Finds the slot that placed the last item; when it has been removed, the one that followed it begins its turn. */
function resume(slots: readonly Slot[], at: CursorState['at']): Turn {
  if (at === undefined) return { index: 0, played: 0 };
  const indexes = new Map(slots.map((slot, index) => [slot.id, index]));
  const index = indexes.get(at.slot);
  if (index !== undefined) return { index, played: at.played };
  const follower = at.following.find((id) => indexes.has(id));
  return { index: follower === undefined ? 0 : indexes.get(follower)!, played: 0 };
}

/** Who places the next item; nobody when a whole round has nothing to play. */
function nextTurn(slots: readonly Slot[], turn: Turn, canPlay: (slot: Slot) => boolean): Turn | undefined {
  const current = slots[turn.index]!;
  if (turn.played < turnLength(current) && canPlay(current)) {
    return { index: turn.index, played: turn.played + 1 };
  }
  for (let step = 1; step <= slots.length; step++) {
    const index = (turn.index + step) % slots.length;
    if (canPlay(slots[index]!)) return { index, played: 1 };
  }
  return undefined;
}

/** How many items a slot places before it goes on to the next. */
function turnLength(slot: Slot): number {
  switch (slot.mode) {
    case 'flood':
      return Number.POSITIVE_INFINITY;
    case 'one':
      return 1;
    case 'multiple':
      return slot.count;
  }
}

function cursorsOf(
  slots: readonly Slot[],
  at: Turn | undefined,
  guide: number,
  cursorOf: (slot: Slot) => SlotCursor | undefined,
): Cursors {
  const ids = slots.map((slot) => slot.id);
  const state: CursorState = { guide, slots: slots.flatMap((slot) => cursorOf(slot) ?? []) };
  if (at !== undefined) {
    const following = [...ids.slice(at.index + 1), ...ids.slice(0, at.index)];
    state.at = { slot: ids[at.index]!, played: at.played, following };
  }
  return state;
}
