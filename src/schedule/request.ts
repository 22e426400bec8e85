import { IANAZone } from 'luxon';
import { z } from 'zod';
import { InvalidError } from '../errors.ts';
import { isoDuration, isoInstant, toIso } from './iso.ts';
import { describeIssues } from './issues.ts';
import { plan } from './plan.ts';
import {
  type Cursors,
  type EpochMs,
  fillerKinds,
  orders,
  type PlanCollection,
  type PlanInput,
  type PlanItem,
  type PlanMedia,
  type PlanOutput,
  type PlanProblem,
  scheduleSchema,
} from './types.ts';

const mediaSchema = z
  .strictObject({
    id: z.string().min(1),
    duration: isoDuration,
    title: z.string().exactOptional(),
    show: z.string().exactOptional(),
    season: z.int().min(0).exactOptional(),
    episode: z.int().min(0).exactOptional(),
    aired: z.iso.date().exactOptional(),
    chapters: z.array(isoDuration).exactOptional(),
  })
  .transform(({ duration, chapters, ...rest }): PlanMedia => {
    const media = { ...rest, durationMs: duration };
    return chapters === undefined ? media : { ...media, chaptersMs: chapters };
  });

/**
 * A collection that plays others in turn:
 * `{ "playlist": [ { "play": "A", "order": "shuffle", "count": 2 }, { "play": "B", "count": "all" } ] }`. The
 * order is chronological and the count one unless said; `parts` is as in a slot.
 */
const playlistSchema = z.strictObject({
  playlist: z
    .array(
      z.strictObject({
        play: z.string().min(1),
        order: z.enum(orders).default('chronological'),
        count: z.union([z.int().min(1).max(10_000), z.literal('all')]).default(1),
        parts: z.enum(['together', 'apart']).exactOptional(),
      }),
    )
    .max(500),
});

/** Not a union, because that would not say what is wrong with a media. */
const collectionSchema = z.unknown().transform((value, context): PlanCollection => {
  const parsed = (Array.isArray(value) ? z.array(mediaSchema) : playlistSchema).safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as never);
  return z.NEVER;
});

/** A longer window would have more items than anybody can use, or hold in memory. */
const longestWindowMs = 366 * 86_400_000;

/** The JSON form of a request (scheduling contract, section 1). */
export const planRequestSchema = z
  .strictObject({
    zone: z.string().refine((zone) => IANAZone.isValidZone(zone), 'not an IANA time zone'),
    seed: z.int(),
    from: isoInstant,
    to: isoInstant,
    /** What an earlier answer returned. */
    cursors: z.record(z.string(), z.unknown()).default({}),
    collections: z.record(z.string(), collectionSchema),
    schedule: scheduleSchema,
  })
  .refine(({ from, to }) => to - from <= longestWindowMs, {
    path: ['to'],
    message: 'more than 366 days after "from"',
  });
export type PlanRequest = z.output<typeof planRequestSchema>;

type WithIsoTimes<T> = T extends { start: EpochMs; stop: EpochMs }
  ? Omit<T, 'start' | 'stop'> & { start: string; stop: string }
  : never;

/** The JSON form of an answer: a plan with its instants in ISO 8601, UTC, with milliseconds. */
export interface PlanAnswerJson {
  items: WithIsoTimes<PlanItem>[];
  cursors: Cursors;
  problems: PlanProblem[];
}

/**
 * Answers a request in its JSON form. Throws InvalidError when it breaks that form; the message has a line
 * `path: message` for each thing that is wrong.
 */
export function planRequest(json: unknown): PlanAnswerJson {
  return answerOf(plan(readRequest(json)));
}

export function answerOf({ items, cursors, problems }: PlanOutput): PlanAnswerJson {
  return { items: items.map(withIsoTimes), cursors, problems };
}

/** Reads a request in its JSON form. Throws as `planRequest`. */
export function readRequest(json: unknown): PlanInput {
  const parsed = planRequestSchema.safeParse(json);
  const wrong = [...(parsed.success ? [] : describeIssues(parsed.error)), ...missingCollections(json)];
  if (!parsed.success || wrong.length > 0) {
    throw new InvalidError(wrong.join('\n'), { operation: 'reading the plan request' });
  }
  return { ...parsed.data, collections: new Map(Object.entries(parsed.data.collections)) };
}

/** Looks at the raw request, so that a missing collection is told together with whatever else is wrong. */
function missingCollections(json: unknown): string[] {
  const request = glanceSchema.safeParse(json);
  if (!request.success) return [];
  const { collections, schedule } = request.data;
  const used = [
    ...slotSources(schedule.slots, 'schedule.slots'),
    ...schedule.days.flatMap(({ slots }, index) => slotSources(slots, `schedule.days.${index}.slots`)),
    ...Object.entries(collections).flatMap(([name, collection]) =>
      memberSources(collection, `collections.${name}.playlist`),
    ),
  ];
  return used.flatMap(({ path, name, member = false }) => {
    if (typeof name !== 'string' || name === '') return [];
    if (!Object.hasOwn(collections, name)) return [`${path}: there is no collection "${name}"`];
    const nested = member && playlistGlance.safeParse(collections[name]).success;
    return nested ? [`${path}: "${name}" is a playlist, and a playlist cannot play another`] : [];
  });
}

interface Source {
  path: string;
  name: unknown;
  member?: boolean;
}

const anything = z.record(z.string(), z.unknown()).catch({});
const slotsGlance = z.array(anything).catch([]);
const glanceSchema = z.object({
  collections: z.record(z.string(), z.unknown()),
  schedule: z.object({
    slots: slotsGlance,
    days: z.array(z.object({ slots: slotsGlance }).catch({ slots: [] })).catch([]),
  }),
});
const playlistGlance = z.object({ playlist: z.array(anything) });

function slotSources(slots: readonly Record<string, unknown>[], path: string): Source[] {
  return slots.flatMap((slot, index) => [
    { path: `${path}.${index}.play`, name: slot.play },
    ...fillerKinds.map((kind) => ({
      path: `${path}.${index}.filler.${kind}.from`,
      name: anything.parse(anything.parse(slot.filler)[kind]).from,
    })),
  ]);
}

function memberSources(collection: unknown, path: string): Source[] {
  const found = playlistGlance.safeParse(collection);
  if (!found.success) return [];
  return found.data.playlist.map(({ play }, index) => ({
    path: `${path}.${index}.play`,
    name: play,
    member: true,
  }));
}

function withIsoTimes(item: PlanItem): WithIsoTimes<PlanItem> {
  return { ...item, start: toIso(item.start), stop: toIso(item.stop) };
}
