import type { CursorState, TurnCursor } from './cursors.ts';
import type { EpochMs, Slot } from './types.ts';

/** So long is most of a day. */
const mostOfADayMs = 20 * 3_600_000;

type Entry = NonNullable<TurnCursor['entry']>;

/**
 * The numbers of guide entries. A programme and the filler around it share one. Filler between two programmes
 * belongs to the one before it, or, where there is none beside it, to the one behind.
 */
export interface GuideState {
  /** The last number. */
  last: number;
  /** The entry of the item before, if it has one. */
  beside?: number;
  /** A number that only filler has so far: the programme behind it shares it. */
  reserved?: number;
}

/** @param continued whether the plan goes on where the cursors end */
export function readGuide(cursors: CursorState, continued: boolean): GuideState {
  const { guide: last, beside, reserved } = cursors;
  if (!continued) return { last };
  return {
    last,
    ...(beside === undefined ? {} : { beside }),
    ...(reserved === undefined ? {} : { reserved }),
  };
}

/** The number of a programme, and the entry that its turn goes on with, if the turn is shown as one. */
export function programmeEntry(
  state: GuideState,
  { guide }: Slot,
  entry: Entry | undefined,
  now: EpochMs,
  midnight: () => EpochMs,
): { state: GuideState; entry?: Entry } {
  if (guide?.hide === true) return { state: { last: state.last } };
  if (entry !== undefined && !isOver(entry, now, midnight)) {
    return { state: { last: state.last, beside: entry.guide }, entry };
  }
  const number = state.reserved ?? state.last + 1;
  const next = { last: Math.max(state.last, number), beside: number };
  if (guide?.title === undefined) return { state: next };
  return { state: next, entry: { guide: number, since: now } };
}

/** The number of filler that stands in no programme. */
export function fillerEntry(state: GuideState, { guide }: Slot): GuideState {
  if (guide?.hide === true) return { last: state.last };
  if (state.beside !== undefined) return state;
  const number = state.last + 1;
  return { last: number, beside: number, reserved: number };
}

/** Nobody is beside what comes after a stretch of nothing. */
export function offlineEntry({ last }: GuideState): GuideState {
  return { last };
}

/** A turn that never ends would be an entry that never does: after most of a day midnight begins a new one. */
function isOver(entry: Entry, now: EpochMs, midnight: () => EpochMs): boolean {
  return now - entry.since >= mostOfADayMs && midnight() - entry.since >= mostOfADayMs;
}
