import type { TurnCursor } from './cursors.ts';
import type { SlotList } from './slots.ts';
import type { EpochMs } from './types.ts';

/**
 * The slot whose turn it is. A turn is first to come, then on, then over until its rest is filled. That it is over
 * is not remembered from one plan to the next: it follows from the rest, and an edit may have made room again.
 */
export interface Turn {
  phase: 'coming' | 'on' | 'over';
  index: number;
  /** How many media it has placed. */
  played: number;
  /** When its duration ends. */
  until?: EpochMs;
  /** The guide entry that folds it. */
  entry?: { guide: number; since: EpochMs };
}

/** So many slots may vanish together with the one whose turn it is before the place in the list is lost. */
const neighbours = 16;

/** At the beginning of a list its first slot has the next turn. */
export function firstTurn(): Turn {
  return { phase: 'coming', index: 0, played: 0 };
}

/** Finds the slot that a cursor names; when it has been removed, the turn of the one that followed it comes. */
export function readTurn(cursor: TurnCursor | undefined, list: SlotList): Turn {
  if (cursor?.slot === undefined) return firstTurn();
  const { slot, phase, played, until, entry, following = [] } = cursor;
  const index = list.indexOf(slot);
  if (index !== undefined) {
    return {
      phase,
      index,
      played,
      ...(until === undefined ? {} : { until }),
      ...(entry === undefined ? {} : { entry }),
    };
  }
  const follower = following.find((id) => list.indexOf(id) !== undefined);
  return { ...firstTurn(), index: follower === undefined ? 0 : list.indexOf(follower)! };
}

export function writeTurn(turn: Turn, list: SlotList, day: number | undefined): TurnCursor {
  const { index, played, until, entry } = turn;
  const phase = turn.phase === 'over' ? 'on' : turn.phase;
  const base = { phase, played, ...(day === undefined ? {} : { day }) };
  const slot = list.slots[index];
  if (slot === undefined || (phase === 'coming' && index === 0)) return base;
  const ids = list.slots.map((each) => each.slot.id);
  return {
    ...base,
    slot: slot.slot.id,
    following: [...ids.slice(index + 1), ...ids.slice(0, index)].slice(0, neighbours),
    ...(until === undefined ? {} : { until }),
    ...(entry === undefined ? {} : { entry }),
  };
}
