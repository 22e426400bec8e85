import { IANAZone } from 'luxon';
import { z } from 'zod';
import { InvalidError } from '../errors.ts';
import { cursorsSchema } from './cursors.ts';
import { isoDuration, isoInstant, toIso } from './iso.ts';
import { describeIssues } from './issues.ts';
import { plan } from './plan.ts';
import {
  type Cursors,
  type EpochMs,
  type PlanInput,
  type PlanItem,
  type PlanMedia,
  type PlanProblem,
  scheduleSchema,
} from './types.ts';

const mediaSchema = z.strictObject({
  id: z.string().min(1),
  duration: isoDuration,
  title: z.string().exactOptional(),
  show: z.string().exactOptional(),
  season: z.int().min(0).exactOptional(),
  episode: z.int().min(0).exactOptional(),
  aired: z.iso.date().exactOptional(),
  chapters: z.array(isoDuration).exactOptional(),
});

/** The JSON form of a request (scheduling contract, section 1). */
export const planRequestSchema = z.strictObject({
  zone: z.string().refine((zone) => IANAZone.isValidZone(zone), 'not an IANA time zone'),
  seed: z.int(),
  from: isoInstant,
  to: isoInstant,
  cursors: cursorsSchema.default({ guide: 0, slots: [] }),
  collections: z.record(z.string(), z.array(mediaSchema)),
  schedule: scheduleSchema,
});
type PlanRequest = z.output<typeof planRequestSchema>;

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
  const parsed = planRequestSchema.safeParse(json);
  const wrong = [...(parsed.success ? [] : describeIssues(parsed.error)), ...missingCollections(json)];
  if (!parsed.success || wrong.length > 0) {
    throw new InvalidError(wrong.join('\n'), { operation: 'reading the plan request' });
  }
  const { items, cursors, problems } = plan(inputOf(parsed.data));
  return { items: items.map(withIsoTimes), cursors, problems };
}

/** Looks at the raw request, so that a missing collection is told together with whatever else is wrong. */
function missingCollections(json: unknown): string[] {
  const request = glanceSchema.safeParse(json);
  if (!request.success) return [];
  const { collections, schedule } = request.data;
  return schedule.slots.flatMap(({ play }, index) => {
    if (typeof play !== 'string' || play === '' || Object.hasOwn(collections, play)) return [];
    return [`schedule.slots.${index}.play: there is no collection "${play}"`];
  });
}

const glanceSchema = z.object({
  collections: z.record(z.string(), z.unknown()),
  schedule: z.object({ slots: z.array(z.object({ play: z.unknown() }).catch({ play: undefined })) }),
});

function inputOf(request: PlanRequest): PlanInput {
  const collections = Object.entries(request.collections).map(
    ([name, media]) => [name, media.map(mediaOf)] as const,
  );
  return { ...request, collections: new Map(collections) };
}

function mediaOf({ duration, chapters: _, ...rest }: z.output<typeof mediaSchema>): PlanMedia {
  return { ...rest, durationMs: duration };
}

function withIsoTimes(item: PlanItem): WithIsoTimes<PlanItem> {
  return { ...item, start: toIso(item.start), stop: toIso(item.stop) };
}
