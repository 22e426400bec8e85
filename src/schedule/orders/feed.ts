import type { FeedCursor, FeedRole } from '../cursors.ts';
import type { ItemReason, Order, PlanMedia } from '../types.ts';

export interface Pick {
  media: PlanMedia;
  lengthMs: number;
  why: ItemReason;
}

/** Goes endlessly through what a slot can play, in an order. */
export interface Feed {
  /**
   * What plays next; it counts as played from now on. What lasts longer than `maxMs` is passed over; undefined
   * when there is nothing else.
   */
  take(maxMs: number): Pick | undefined;
  /** From now on what is taken may be given back, until it is kept. */
  mark(): void;
  /** Gives back all that has been taken since the mark: it counts as not played. */
  undo(): void;
  /** What has been taken since the mark stays so. */
  keep(): void;
  /** Where to go on; nothing while nothing has been taken. */
  cursors(): FeedCursor[];
}

/** Names a feed in a cursor. */
export interface FeedId {
  slot: string;
  role: FeedRole;
  play: string;
  parts?: 'together';
}

/** What a slot plays, itself or as filler. */
export interface FeedRequest {
  slot: string;
  role: FeedRole;
  play: string;
  order: Order;
  parts?: 'together' | 'apart';
}

export function idOf(request: FeedRequest): FeedId {
  const { slot, role, play } = request;
  return { slot, role, play, ...(keepsParts(request) ? { parts: 'together' } : {}) };
}

/** Whether the parts of an episode have to be kept together: sorted, they stand behind one another anyway. */
export function keepsParts({ order, parts }: { order: string; parts?: string }): boolean {
  return parts === 'together' && (order === 'shuffle' || order === 'random' || order === 'rotate');
}

/** One text for each feed that a plan can have. */
export function keyOf(feed: Omit<FeedRequest, 'order'> & { order: string }): string {
  const { slot, role, play, order } = feed;
  return `${order} ${keepsParts(feed) ? 'together ' : ''}${role} ${slot.length} ${slot} ${play}`;
}

/** The same for all that a slot plays in one role. */
export function holderOf({ slot, role }: { slot: string; role: string }): string {
  return `${role} ${slot}`;
}

/** Does something that takes from feeds. If it says that it has not succeeded, nothing has been taken. */
export function attempt(feeds: readonly Feed[], work: () => boolean): boolean {
  for (const feed of feeds) feed.mark();
  const done = work();
  for (const feed of feeds) {
    if (done) feed.keep();
    else feed.undo();
  }
  return done;
}
