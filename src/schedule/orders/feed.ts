import type { FeedCursor, FeedRole } from '../cursors.ts';
import type { ItemReason, PlanMedia } from '../types.ts';

export interface Pick {
  media: PlanMedia;
  lengthMs: number;
  why: ItemReason;
}

/** Goes endlessly through what a slot can play, in an order. */
export interface Feed {
  /**
   * Where it is. What is put back here was taken from here before: so whatever has been taken since counts as
   * not played.
   */
  state: object;
  /**
   * What plays next; it counts as played from now on. What lasts longer than `maxMs` is passed over; undefined
   * when there is nothing else.
   */
  take(maxMs: number): Pick | undefined;
  /** Where to go on; nothing while nothing has been taken. */
  cursors(): FeedCursor[];
}

/** Names a feed in a cursor. */
export interface FeedId {
  slot: string;
  role: FeedRole;
  play: string;
}
