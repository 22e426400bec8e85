import { createRoute, z } from '@hono/zod-openapi';
import { IANAZone } from 'luxon';
import { refuseMissingCollections } from '../../db/channels.ts';
import type { Database } from '../../db/connection.ts';
import { NotFoundError } from '../../errors.ts';
import type { ExplainedItem, Explanation } from '../../playout/explain.ts';
import { inWords } from '../../playout/explain-words.ts';
import type { PlayoutService } from '../../playout/playout-service.ts';
import type { Preview, PreviewItem } from '../../playout/preview.ts';
import { fillerKinds, orders, scheduleSchema, slotSchema, whenSchema } from '../../schedule/types.ts';
import {
  apiRouter,
  body,
  failures,
  givenInstantSchema,
  idParams,
  instantSchema,
  iso,
  json,
  pageQuery,
} from './shared.ts';

const titled = z.object({ id: z.uuid(), title: z.string() });
const named = z.object({ id: z.string(), name: z.string() });

const reasonSchema = z
  .object({
    order: z.enum(orders),
    cycle: z.int().optional().openapi({ description: 'The how-manieth time the collection is gone through' }),
    position: z.int().optional().openapi({ description: 'The how-manieth item of that time' }),
    member: z.string().optional().openapi({ description: 'The member of a playlist that it comes from' }),
  })
  .openapi('ItemReason');

const requestSchema = z
  .strictObject({
    schedule: scheduleSchema,
    zone: z
      .string()
      .refine((zone) => IANAZone.isValidZone(zone), 'is not an IANA time zone')
      .optional(),
    seed: z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .optional(),
    from: z
      .union([givenInstantSchema, z.literal('now')])
      .optional()
      .openapi({
        description:
          'Where the schedule would begin: beyond what is frozen, as when it is saved; `now`: after the programme on air; or at the first joint of the timeline after an instant',
      }),
    to: givenInstantSchema
      .optional()
      .openapi({ description: 'By default a day after the beginning; 14 days at most' }),
  })
  .openapi('PreviewRequest');

const problemSchema = z.object({
  code: z.string(),
  slot: z.string(),
  filler: z.enum(fillerKinds).optional(),
  media: z.string().optional(),
  message: z.string(),
});

const itemFields = {
  start: instantSchema,
  stop: instantSchema,
  kind: z.enum(['program', 'filler', 'offline']),
  media: titled.optional(),
  in: z.int().optional().openapi({ description: 'Milliseconds into the media' }),
  out: z.int().optional(),
  slot: z.string().optional(),
  filler: z.enum(fillerKinds).optional(),
  guide: z.int().optional(),
  why: reasonSchema.optional(),
};

const previewSchema = z
  .object({
    from: instantSchema.openapi({ description: 'Where the plan begins' }),
    to: instantSchema,
    difference: z
      .object({
        to: instantSchema.openapi({ description: 'How far it was compared: to the end of the timeline' }),
        added: z.int(),
        removed: z.int(),
        unchanged: z.int(),
        firstAt: instantSchema.optional().openapi({ description: 'From when on something else is on' }),
      })
      .openapi({ description: 'Against the stored timeline' }),
    items: z.array(
      z.object({
        ...itemFields,
        stored: z.boolean().openapi({ description: 'Whether the timeline has the same' }),
      }),
    ),
    total: z.int(),
    gone: z
      .array(z.object(itemFields))
      .openapi({ description: 'What of the timeline, in the time of this page, would not be on' }),
    problems: z.array(problemSchema),
  })
  .openapi('Preview');

const explainedItemSchema = z.object({
  start: instantSchema,
  stop: instantSchema,
  kind: z.enum(['program', 'filler', 'offline']),
  media: titled.optional(),
  slot: z.string().optional(),
  filler: z.enum(fillerKinds).optional(),
});

const explanationSchema = z
  .object({
    at: instantSchema,
    zone: z.string(),
    words: z.array(z.string()).openapi({ description: 'All of it in sentences' }),
    item: explainedItemSchema,
    next: explainedItemSchema.optional(),
    before: explainedItemSchema
      .optional()
      .openapi({ description: 'The nearest programme before it, if it is none itself' }),
    after: explainedItemSchema.optional(),
    day: z
      .object({ rule: z.int().openapi({ description: 'Its place in `days`, from 0' }), when: whenSchema })
      .nullable()
      .openapi({ description: "The rule that picks the day's slots; null is the default list" }),
    slot: slotSchema.optional().openapi({ description: 'As the schedule has it now' }),
    collection: named.optional(),
    member: named.optional().openapi({ description: 'The member of a playlist that it comes from' }),
    why: reasonSchema.optional(),
    problems: z.array(problemSchema).openapi({ description: 'What stands in the way of its slot' }),
    frozen: z.boolean().openapi({ description: 'Whether no edit changes it any more' }),
    plannedFrom: instantSchema
      .optional()
      .openapi({ description: 'The joint of the timeline from which it was planned' }),
  })
  .openapi('Explanation');

const preview = createRoute({
  method: 'post',
  path: '/channels/{id}/preview',
  tags: ['channels'],
  summary: 'What the channel would air by another schedule, and how that differs; nothing is changed',
  request: { params: idParams, query: pageQuery, body: body(requestSchema) },
  responses: {
    200: json(previewSchema, 'A page of the plan, and the difference to the timeline'),
    ...failures,
  },
});

const explanation = createRoute({
  method: 'get',
  path: '/channels/{id}/explain',
  tags: ['channels'],
  summary: 'Why something is on at an instant, in words and as data',
  request: {
    params: idParams,
    query: z.object({ at: givenInstantSchema.optional().openapi({ description: 'By default now' }) }),
  },
  responses: { 200: json(explanationSchema, 'The reason'), ...failures },
});

export function previewRoutes(deps: { db: Database; playout: PlayoutService }) {
  const app = apiRouter();
  const { db, playout } = deps;

  app.openapi(preview, async (c) => {
    const { id } = c.req.valid('param');
    const { from, to, ...wanted } = c.req.valid('json');
    if (playout.channel(id) === undefined) throw notFound(id);
    await refuseMissingCollections(db, wanted.schedule, 'previewing a schedule');
    const found = await playout.preview(id, {
      ...wanted,
      ...c.req.valid('query'),
      from: from === undefined || from === 'now' ? from : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to),
    });
    return c.json(shownPreview(found), 200);
  });

  app.openapi(explanation, async (c) => {
    const { id } = c.req.valid('param');
    const { at } = c.req.valid('query');
    const found = await playout.explain(id, at === undefined ? undefined : Date.parse(at));
    if ('nothing' in found) throw new NotFoundError(found.nothing, { operation: 'explaining a timeline' });
    return c.json(shownExplanation(found), 200);
  });

  return app;
}

function notFound(id: string): NotFoundError {
  return new NotFoundError(`There is no channel ${id}.`, { operation: 'reading a channel' });
}

function shownPreview({
  from,
  to,
  items,
  gone,
  difference,
  ...rest
}: Preview): z.infer<typeof previewSchema> {
  const { to: comparedTo, firstAt, ...counts } = difference;
  return {
    ...{ from: iso(from), to: iso(to), ...rest },
    difference: {
      ...{ to: iso(comparedTo), ...counts },
      ...(firstAt === undefined ? {} : { firstAt: iso(firstAt) }),
    },
    items: items.map(({ stored, ...item }) => ({ ...shownPreviewItem(item), stored })),
    gone: gone.map(shownPreviewItem),
  };
}

function shownPreviewItem({ startsAt, endsAt, inMs, outMs, ...item }: PreviewItem) {
  return {
    ...{ start: iso(startsAt), stop: iso(endsAt), ...item },
    ...(inMs === undefined ? {} : { in: inMs }),
    ...(outMs === undefined ? {} : { out: outMs }),
  };
}

function shownExplanation(found: Explanation): z.infer<typeof explanationSchema> {
  const { at, now: _, zone, item, before, after, next, frozenUntil, plannedFrom, ...rest } = found;
  return {
    ...{ at: iso(at), zone, words: inWords(found), item: shownItem(item), ...rest },
    ...(before === undefined ? {} : { before: shownItem(before) }),
    ...(after === undefined ? {} : { after: shownItem(after) }),
    ...(next === undefined ? {} : { next: shownItem(next) }),
    frozen: item.startsAt < frozenUntil,
    ...(plannedFrom === undefined ? {} : { plannedFrom: iso(plannedFrom) }),
  };
}

function shownItem({ startsAt, endsAt, ...item }: ExplainedItem): z.infer<typeof explainedItemSchema> {
  return { start: iso(startsAt), stop: iso(endsAt), ...item };
}
