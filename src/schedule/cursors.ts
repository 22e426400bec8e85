import { z } from 'zod';
import { fillerKinds } from './types.ts';

// What the planner remembers from one plan to the next, as one JSON object. Media and slots are remembered by
// id, never by position, and nothing grows with the size of a collection (scheduling contract, rule 9). `rotate`
// alone remembers each show.

/** An entry of a collection: how many of the same media come before it, and the media's id. */
const ref = z.string().regex(/^\d+:/);

/** What a feed is: a slot plays a collection in an order, itself or as filler. */
const feedBase = {
  slot: z.string(),
  role: z.enum(['content', ...fillerKinds]),
  play: z.string(),
  /** Whether the parts of an episode stay together, where the order would take them apart. */
  parts: z.literal('together').exactOptional(),
};
export type FeedRole = (typeof feedBase.role)['_output'];

const cyclic = {
  ...feedBase,
  /** The cycle of the last played entry, from 1, and the how-manieth it was in it. */
  cycle: z.int().min(1),
  position: z.int().min(0),
};

/** What a media was sorted by, to find its place again when it has been removed. */
const sortKeySchema = z.strictObject({
  aired: z.string().exactOptional(),
  show: z.string().exactOptional(),
  season: z.number().exactOptional(),
  episode: z.number().exactOptional(),
  title: z.string().exactOptional(),
});
export type SortKey = z.infer<typeof sortKeySchema>;

const sortedCursorSchema = z.strictObject({
  ...cyclic,
  order: z.enum(['chronological', 'season-episode']),
  after: ref,
  key: sortKeySchema,
  /** The entries that followed it, in case that what it is sorted by is changed. */
  following: z.array(ref).exactOptional(),
});
export type SortedCursor = z.infer<typeof sortedCursorSchema>;

const customCursorSchema = z.strictObject({
  ...cyclic,
  order: z.literal('custom'),
  after: ref,
  /** The neighbours of the last played entry, nearest first, to find its place again when it has been removed. */
  preceding: z.array(ref),
  following: z.array(ref),
});
export type CustomCursor = z.infer<typeof customCursorSchema>;

/** A place in a permutation: that of an entry, which may be gone by now. */
const place = {
  after: ref,
  /** The whole that it is a part of, if it is. */
  whole: z.string().exactOptional(),
  part: z.int().exactOptional(),
};
const placeSchema = z.strictObject(place);
export type PlaceCursor = z.infer<typeof placeSchema>;

const shuffleCursorSchema = z.strictObject({
  ...cyclic,
  order: z.literal('shuffle'),
  ...place,
  /** The how-manieth permutation it is; that of the cycle unless said. */
  epoch: z.int().min(1).exactOptional(),
  /** The media that is moved to the end of this permutation, because it ended the cycle before. */
  held: z.string().exactOptional(),
  /** How far the permutation has been played, if not up to what was played last; null at its beginning. */
  at: placeSchema.nullable().exactOptional(),
  /** Where in the permutation the cycle began, if not at its beginning, and whether it has gone over its end. */
  origin: placeSchema.exactOptional(),
  wrapped: z.boolean().exactOptional(),
  /** What has been played ahead of its turn. */
  ahead: z.array(placeSchema).exactOptional(),
});
export type ShuffleCursor = z.infer<typeof shuffleCursorSchema>;

const randomCursorSchema = z.strictObject({
  ...feedBase,
  order: z.literal('random'),
  after: ref,
  draws: z.int().min(0),
});
export type RandomCursor = z.infer<typeof randomCursorSchema>;

const rotateCursorSchema = z.strictObject({
  ...cyclic,
  order: z.literal('rotate'),
  /** The last played entry, or the last one of the show that was. */
  after: ref,
  shows: z.array(
    z.strictObject({
      show: z.string().exactOptional(),
      /** When its next turn is: in so many cycles (this one unless said), and where in it, as a part of one. */
      ahead: z.int32().exactOptional(),
      due: z.number().min(-1e6).max(1e6),
      /** Its last played entry; absent while there is none. */
      after: ref.exactOptional(),
      key: sortKeySchema.exactOptional(),
    }),
  ),
});
export type RotateCursor = z.infer<typeof rotateCursorSchema>;

const playlistCursorSchema = z.strictObject({
  ...feedBase,
  order: z.literal('playlist'),
  /** The member whose turn it is, how many items it has played in this turn, and the members that follow it. */
  member: z.string(),
  played: z.int().min(1),
  following: z.array(z.string()),
});
export type PlaylistCursor = z.infer<typeof playlistCursorSchema>;

const feedCursorSchema = z.discriminatedUnion('order', [
  sortedCursorSchema,
  customCursorSchema,
  shuffleCursorSchema,
  randomCursorSchema,
  rotateCursorSchema,
  playlistCursorSchema,
]);
export type FeedCursor = z.infer<typeof feedCursorSchema>;

const turnSchema = z.strictObject({
  /** The day whose list of slots is in force; only where there are rules for days. */
  day: z.int().exactOptional(),
  /** Absent at the beginning of the list. */
  slot: z.string().exactOptional(),
  /** Whether its turn is still to come, or it has it. */
  phase: z.enum(['coming', 'on']),
  /** How many media it has placed in this turn. */
  played: z.int().min(0),
  /** When its duration ends. */
  until: z.int().exactOptional(),
  /** The guide entry that folds the turn, and when that began. */
  entry: z.strictObject({ guide: z.int(), since: z.int() }).exactOptional(),
  /** The slots that followed it, in case it is removed from the schedule. */
  following: z.array(z.string()).exactOptional(),
});
export type TurnCursor = z.infer<typeof turnSchema>;

/** Changes whenever old cursors cannot be read any more. */
const form = 2;

const cursorsSchema = z.strictObject({
  form: z.literal(form).default(form),
  /** What was placed last began then and ends then: there the next plan begins. */
  since: z.int().exactOptional(),
  until: z.int().exactOptional(),
  turn: turnSchema.exactOptional(),
  /** The number of the last guide entry. */
  guide: z.int().min(0).default(0),
  /** The guide entry of the item that ends at `until`, if it has one. */
  beside: z.int().exactOptional(),
  /** A guide number that only filler has so far: the programme behind it shares it. */
  reserved: z.int().exactOptional(),
  /** A list, because a slot may have any id, `__proto__` too. */
  feeds: z.array(feedCursorSchema).default([]),
});
export type CursorState = z.infer<typeof cursorsSchema>;

/** Reads cursors. What `plan` has not returned, or an older version of it, begins anew with its guide number. */
export function parseCursors(cursors: { [key: string]: unknown }): CursorState {
  const parsed = cursorsSchema.safeParse(cursors);
  if (parsed.success) return parsed.data;
  const guide = z.int().min(0).safeParse(cursors.guide);
  return { form, guide: guide.success ? guide.data : 0, feeds: [] };
}
