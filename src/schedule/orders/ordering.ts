import type { SlotCursor } from '../cursors.ts';
import type { Entry } from '../stock.ts';

/** One going-through of a collection. */
export interface Cycle {
  /** From 1. */
  number: number;
  /** Every entry once, in the order in which they play. */
  entries: readonly Entry[];
  /** See ShuffleCursor. */
  held?: string;
}

/** What a slot's order decides. A sequence asks it once a cycle, and once for each cursor. */
export interface Ordering<C extends SlotCursor> {
  /** `last` is the id of the media that ended the cycle before. */
  cycle(number: number, last: string | undefined): Cycle;
  /** The cycle a cursor is in, and the index of what plays next; beyond the end when the cycle is over. */
  resume(cursor: C): { cycle: Cycle; next: number };
  /** What has to be remembered when the entry at `index` has been played. */
  remember(cycle: Cycle, index: number): Omit<C, 'slot' | 'play' | 'cycle' | 'after'>;
}
