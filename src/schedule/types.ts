import { z } from 'zod';
import { clockTimeText, durationText, monthDayText } from './iso.ts';

// The planner's vocabulary (scheduling contract, section 1). Instants are epoch milliseconds, durations
// milliseconds. A schedule keeps the ISO 8601 texts that it was written with, because it is stored and shown as
// it is; only the planner reads them (slots.ts).

export type EpochMs = number;

/** How a slot goes through its collection. */
export const orders = ['chronological', 'season-episode', 'shuffle', 'random', 'rotate', 'custom'] as const;
export type Order = (typeof orders)[number];

/** Where filler stands: around and within a programme, or in what is left before the next one. */
export const fillerKinds = ['pre', 'mid', 'post', 'tail', 'fallback'] as const;
export type FillerKind = (typeof fillerKinds)[number];

const collectionName = z.string().min(1);

const fillerSource = { from: collectionName, order: z.enum(orders).exactOptional() };

/** One of them; one item when none is given. */
const fillerAmount = {
  count: z.int().min(1).max(100).exactOptional(),
  duration: durationText({ leastMs: 1_000 }).exactOptional(),
};

const rollSchema = z.strictObject({ ...fillerSource, ...fillerAmount }).superRefine(refuseTwoAmounts);

const midRollSchema = z
  .strictObject({
    ...fillerSource,
    ...fillerAmount,
    /** Break so often where a media has no chapters. */
    every: durationText({ leastMs: 1_000 }).exactOptional(),
  })
  .superRefine(refuseTwoAmounts);

const postRollSchema = z
  .strictObject({
    ...fillerSource,
    /** May be absent with a pad, which the fallback then fills. */
    from: collectionName.exactOptional(),
    ...fillerAmount,
    /** Fill to the next multiple of this on the local clock. */
    pad: durationText({ leastMs: 1_000, mostMs: 86_400_000 }).exactOptional(),
  })
  .superRefine((post, context) => {
    refuseTwoAmounts(post, context);
    if (post.from === undefined && post.pad === undefined) {
      context.addIssue({ code: 'custom', path: ['from'], message: 'the name of a collection is missing' });
    }
  });

export const fillerSchema = z.strictObject({
  pre: rollSchema.exactOptional(),
  mid: midRollSchema.exactOptional(),
  post: postRollSchema.exactOptional(),
  tail: z.strictObject(fillerSource).exactOptional(),
  fallback: z.strictObject(fillerSource).exactOptional(),
});
export type Filler = z.infer<typeof fillerSchema>;

const slotBase = {
  id: z.string().min(1).max(100),
  /** The collection's id. */
  play: collectionName,
  /** A playlist has orders of its own. */
  order: z.enum(orders).default('chronological'),
  /** Whether shuffle, random and rotate leave the parts of a multi-part episode behind one another. */
  parts: z.enum(['together', 'apart']).exactOptional(),
  /** Wall clock in the channel's zone; without it the slot follows the one before. */
  start: clockTimeText.exactOptional(),
  /** What if the start is over for today: wait for the next one (so unless said), or begin at once. */
  late: z.enum(['wait', 'now']).exactOptional(),
  filler: fillerSchema.exactOptional(),
  guide: z
    .strictObject({
      /** Shows a turn of the slot as one entry of this title. */
      title: z.string().min(1).max(500).exactOptional(),
      hide: z.boolean().exactOptional(),
    })
    .exactOptional(),
};

/**
 * What fills the time before a fixed start, and the rest of a duration. Unless said, it is filler where the slot
 * has a tail or a fallback, and offline where it has not.
 */
const rest = { rest: z.enum(['offline', 'filler']).exactOptional() };

export const slotSchema = z.discriminatedUnion('mode', [
  z.strictObject({ ...slotBase, ...rest, mode: z.literal('flood') }),
  z.strictObject({ ...slotBase, ...rest, mode: z.literal('one') }),
  z.strictObject({
    ...slotBase,
    ...rest,
    mode: z.literal('multiple'),
    count: z.int().min(1).max(10_000),
  }),
  z.strictObject({
    ...slotBase,
    rest: z.enum(['offline', 'filler', 'next']).exactOptional(),
    mode: z.literal('duration'),
    duration: durationText({ leastMs: 1_000 }),
  }),
]);
export type Slot = z.infer<typeof slotSchema>;

/** All that is given must hold; a date that does not exist never does. */
export const whenSchema = z.strictObject({
  /** 1 is Monday, 7 Sunday. */
  weekdays: z.array(z.int().min(1).max(7)).max(7).exactOptional(),
  /** The first and the last day of a stretch of the year, MM-DD; it may go over New Year. */
  from: monthDayText.exactOptional(),
  to: monthDayText.exactOptional(),
  months: z.array(z.int().min(1).max(12)).max(12).exactOptional(),
  monthdays: z.array(z.int().min(1).max(31)).max(31).exactOptional(),
});
export type When = z.infer<typeof whenSchema>;

/** Of all days together: each plan looks at all of them. */
const mostSlots = 1_000;

const slotList = z.array(slotSchema).max(500).superRefine(refuseDuplicateIds);

export const scheduleSchema = z
  .strictObject({
    /** In order; after the last comes the first. */
    slots: slotList,
    /** The first rule that matches a day gives its slots. */
    days: z
      .array(z.strictObject({ when: whenSchema, slots: slotList }))
      .max(100)
      .exactOptional(),
  })
  .superRefine(({ slots, days = [] }, context) => {
    const count = days.reduce((sum, day) => sum + day.slots.length, slots.length);
    if (count > 0 && count <= mostSlots) return;
    const message =
      count === 0
        ? 'a schedule has at least one slot'
        : `a schedule has no more than ${mostSlots} slots, those of all days together`;
    context.addIssue({ code: 'custom', path: ['slots'], message });
  });
export type Schedule = z.infer<typeof scheduleSchema>;

/** A media item as far as planning is concerned. */
export interface PlanMedia {
  id: string;
  durationMs: number;
  title?: string;
  show?: string;
  season?: number;
  episode?: number;
  /** YYYY-MM-DD */
  aired?: string;
  /** Where it may be interrupted, milliseconds from its beginning. */
  chaptersMs?: readonly number[];
}

/**
 * A collection that plays others in turn: of each member so many items in the member's own order, then of the
 * next. Each member goes on where it was when its turn comes again. A playlist cannot contain another.
 */
export interface Playlist {
  playlist: readonly PlaylistMember[];
}

export interface PlaylistMember {
  /** A collection of media. */
  play: string;
  order: Order;
  /** `all`: as many as the collection has. */
  count: number | 'all';
  parts?: 'together' | 'apart';
}

export type PlanCollection = readonly PlanMedia[] | Playlist;

export function isPlaylist(collection: PlanCollection): collection is Playlist {
  return 'playlist' in collection;
}

/** Opaque to everybody but the planner; JSON. Its size does not depend on that of the collections. */
export type Cursors = { [key: string]: unknown };

export interface PlanInput {
  zone: string;
  seed: number;
  /** Window [from, to). */
  from: EpochMs;
  to: EpochMs;
  cursors: Cursors;
  collections: ReadonlyMap<string, PlanCollection>;
  schedule: Schedule;
  /** Also answer the cursors at the first boundary after each so many milliseconds. */
  checkpointEveryMs?: number;
}

export interface ItemReason {
  order: Order;
  /** The how-manieth time the collection is gone through; the first is 1. Absent in random order. */
  cycle?: number;
  /** The how-manieth item of that cycle, or in random order of all; the first is 1. */
  position: number;
  /** The member of a playlist that it comes from. */
  member?: string;
}

interface PlayingItem {
  start: EpochMs;
  stop: EpochMs;
  media: string;
  /** Milliseconds into the media. */
  in: number;
  out: number;
  slot: string;
  /** Items of one guide entry share a number; absent means hidden. */
  guide?: number;
  why: ItemReason;
}

export type ProgramItem = { kind: 'program' } & PlayingItem;
export type FillerItem = { kind: 'filler'; filler: FillerKind } & PlayingItem;
/** `slot` is the one whose time is not filled. */
export type OfflineItem = { kind: 'offline'; start: EpochMs; stop: EpochMs; slot?: string; guide?: number };

export type PlanItem = ProgramItem | FillerItem | OfflineItem;

export type ProblemCode = 'empty-collection' | 'never-fits' | 'unreachable-slot';

export interface PlanProblem {
  code: ProblemCode;
  slot: string;
  /** The filler that it is about, if not what the slot plays. */
  filler?: FillerKind;
  media?: string;
  message: string;
}

export interface PlanOutput {
  items: PlanItem[];
  cursors: Cursors;
  problems: PlanProblem[];
  /** With `checkpointEveryMs`: planning from one of them gives what follows it here. */
  checkpoints?: { at: EpochMs; cursors: Cursors }[];
}

/** The names of all collections that a schedule plays, each once. */
export function collectionsOf({ slots, days = [] }: Schedule): string[] {
  const all = [...slots, ...days.flatMap((day) => day.slots)];
  return [...new Set(all.flatMap(({ play, filler }) => [play, ...sourcesOf(filler)]))];
}

function sourcesOf(filler: Filler = {}): string[] {
  return fillerKinds.flatMap((kind) => filler[kind]?.from ?? []);
}

function refuseTwoAmounts(amount: object, context: z.RefinementCtx): void {
  const [, second] = ['count', 'duration', 'pad'].filter((key) => key in amount);
  if (second === undefined) return;
  context.addIssue({ code: 'custom', path: [second], message: 'give a count, a duration or a pad, not two' });
}

/** Cursors are kept by slot id, so two slots of a list cannot share one. */
function refuseDuplicateIds(slots: Slot[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { id }] of slots.entries()) {
    if (seen.has(id)) {
      context.addIssue({
        code: 'custom',
        path: [index, 'id'],
        message: `another slot is called "${id}" too`,
      });
    }
    seen.add(id);
  }
}
