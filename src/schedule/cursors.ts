import { z } from 'zod';
import { InvalidError } from '../errors.ts';
import { describeIssues } from './issues.ts';
import type { Cursors } from './types.ts';

// What the planner remembers from one plan to the next. Everything is by id, never by position, and nothing
// grows with the size of a collection (scheduling contract, rule 9).

/** An entry of a collection: how many of the same media come before it, and the media's id. */
const ref = z.string().regex(/^\d+:/, 'not an entry of a collection');

const slotCursorBase = {
  slot: z.string(),
  /** The collection this cursor was in. */
  play: z.string(),
  /** The cycle of the last played entry, from 1. */
  cycle: z.int().min(1),
  /** The last played entry. */
  after: ref,
};

const chronologicalCursorSchema = z.strictObject({
  ...slotCursorBase,
  order: z.literal('chronological'),
  /** What the last played media was sorted by, to find its place again when it has been removed. */
  key: z.strictObject({
    aired: z.string().exactOptional(),
    show: z.string().exactOptional(),
    season: z.number().exactOptional(),
    episode: z.number().exactOptional(),
    title: z.string().exactOptional(),
  }),
});
export type ChronologicalCursor = z.infer<typeof chronologicalCursorSchema>;

const shuffleCursorSchema = z.strictObject({
  ...slotCursorBase,
  order: z.literal('shuffle'),
  /** The media that is moved to the end of this cycle, because it ended the cycle before. */
  held: z.string().exactOptional(),
});
export type ShuffleCursor = z.infer<typeof shuffleCursorSchema>;

const customCursorSchema = z.strictObject({
  ...slotCursorBase,
  order: z.literal('custom'),
  /** The neighbours of the last played entry, nearest first, to find its place again when it has been removed. */
  preceding: z.array(ref),
  following: z.array(ref),
});
export type CustomCursor = z.infer<typeof customCursorSchema>;

const slotCursorSchema = z.discriminatedUnion('order', [
  chronologicalCursorSchema,
  shuffleCursorSchema,
  customCursorSchema,
]);
export type SlotCursor = z.infer<typeof slotCursorSchema>;

const positionSchema = z.strictObject({
  /** The slot whose turn it is, and how many items it has placed in this turn. */
  slot: z.string(),
  played: z.int().min(0),
  /** The slots that followed it, in case it is removed from the schedule. */
  following: z.array(z.string()),
});

/** The form of `Cursors`. `{}` is a channel's beginning. */
export const cursorsSchema = z.strictObject({
  at: positionSchema.exactOptional(),
  /** The number of the last guide entry. */
  guide: z.int().min(0).default(0),
  /** A list, because a slot may have any id, `__proto__` too. */
  slots: z.array(slotCursorSchema).default([]),
});
export type CursorState = z.infer<typeof cursorsSchema>;

/** Throws InvalidError for what `plan` cannot have returned. */
export function parseCursors(cursors: Cursors): CursorState {
  const parsed = cursorsSchema.safeParse(cursors);
  if (parsed.success) return parsed.data;
  throw new InvalidError(describeIssues(parsed.error, ['cursors']).join('\n'), { operation: 'planning' });
}
