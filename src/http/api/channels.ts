import { createRoute, z } from '@hono/zod-openapi';
import { IANAZone } from 'luxon';
import {
  type Channel,
  createChannel,
  deleteChannel,
  getChannel,
  listChannels,
  updateChannel,
} from '../../db/channels.ts';
import type { Database } from '../../db/connection.ts';
import { InvalidError, NotFoundError } from '../../errors.ts';
import { channelNumberSchema } from '../../guide/channel-number.ts';
import type { PlayoutService } from '../../playout/playout-service.ts';
import type { TimelineItem } from '../../playout/timeline.ts';
import { scheduleSchema } from '../../schedule/types.ts';
import {
  apiRouter,
  body,
  failures,
  givenInstantSchema,
  idParams,
  instantSchema,
  iso,
  json,
  pageOf,
  pageQuery,
} from './shared.ts';

const statusSchema = z.object({
  status: z.enum(['ok', 'no_content', 'planning']),
  horizonEndsAt: instantSchema.optional().openapi({ description: 'How far the timeline reaches' }),
  problems: z.array(
    z.object({
      code: z.string(),
      slot: z.string(),
      media: z.string().optional(),
      message: z.string(),
    }),
  ),
});

const channelSchema = z
  .object({
    id: z.uuid(),
    number: channelNumberSchema,
    name: z.string(),
    group: z.string(),
    logoUrl: z.string().optional(),
    offlineTitle: z.string().optional().openapi({ description: 'What the guide shows while it is off air' }),
    guideId: z.string().openapi({ description: 'Its id in M3U and XMLTV; it never changes' }),
    profileId: z.uuid(),
    enabled: z.boolean(),
    zone: z.string().openapi({ description: "IANA zone of the schedule's wall clock" }),
    seed: z.int(),
    schedule: scheduleSchema,
    createdAt: instantSchema,
    updatedAt: instantSchema,
    playout: statusSchema,
  })
  .openapi('Channel');

const fields = {
  number: channelNumberSchema,
  name: z.string().trim().min(1).max(200),
  group: z.string().trim().max(200),
  logoUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .nullable(),
  offlineTitle: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .nullable()
    .openapi({ description: 'What the guide shows while the channel is off air; null is its name' }),
  profileId: z.uuid(),
  enabled: z.boolean(),
  zone: z.string().refine((zone) => IANAZone.isValidZone(zone), 'is not an IANA time zone'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  schedule: scheduleSchema,
};

const newChannelSchema = z
  .strictObject({
    ...fields,
    group: fields.group.default(''),
    logoUrl: fields.logoUrl.optional(),
    offlineTitle: fields.offlineTitle.optional(),
    enabled: fields.enabled.default(true),
    zone: fields.zone.default('UTC'),
    seed: fields.seed.optional(),
  })
  .openapi('NewChannel');

const fromSchema = z
  .literal('now')
  .optional()
  .openapi({ description: 'Replace all that comes after the programme on air, what is frozen too' });

const changesSchema = z
  .strictObject(fields)
  .partial()
  .extend({ from: fromSchema })
  .refine(({ from: _, ...changes }) => Object.keys(changes).length > 0, 'Name at least one thing to change.')
  .openapi('ChannelChanges');

const itemSchema = z
  .object({
    id: z.int(),
    start: instantSchema,
    stop: instantSchema,
    kind: z.enum(['program', 'filler', 'offline']),
    media: z.object({ id: z.uuid(), title: z.string() }).optional(),
    in: z.int().optional().openapi({ description: 'Milliseconds into the media' }),
    out: z.int().optional(),
    slot: z.string().optional(),
    filler: z.string().optional().openapi({ description: 'Which filler of the slot it is, if any' }),
    guide: z.int().optional(),
  })
  .openapi('PlayoutItem');

const nowSchema = z
  .object({
    at: instantSchema,
    status: statusSchema.shape.status,
    item: itemSchema.optional(),
    offsetMs: z.int().optional().openapi({ description: 'How long the item has been on' }),
    positionMs: z.int().optional().openapi({ description: 'Where in its media that is' }),
    next: itemSchema.optional(),
  })
  .openapi('Now');

const tags = ['channels'];

const list = createRoute({
  method: 'get',
  path: '/channels',
  tags,
  summary: 'List the channels by number',
  request: { query: pageQuery },
  responses: { 200: json(pageOf(channelSchema), 'A page of channels'), ...failures },
});

const add = createRoute({
  method: 'post',
  path: '/channels',
  tags,
  summary: 'Add a channel and plan it',
  request: { body: body(newChannelSchema) },
  responses: { 201: json(channelSchema, 'The new channel'), ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/channels/{id}',
  tags,
  summary: 'Read a channel',
  request: { params: idParams },
  responses: { 200: json(channelSchema, 'The channel'), ...failures },
});

const change = createRoute({
  method: 'patch',
  path: '/channels/{id}',
  tags,
  summary: 'Change a channel; what is on air and what comes soon stays, unless `from` says otherwise',
  request: { params: idParams, body: body(changesSchema) },
  responses: { 200: json(channelSchema, 'The channel'), ...failures },
});

const remove = createRoute({
  method: 'delete',
  path: '/channels/{id}',
  tags,
  summary: 'Delete a channel and its timeline',
  request: { params: idParams },
  responses: { 204: { description: 'It is deleted' }, ...failures },
});

const playoutOf = createRoute({
  method: 'get',
  path: '/channels/{id}/playout',
  tags,
  summary: 'The timeline: what is on between two instants',
  request: {
    params: idParams,
    query: pageQuery.extend({
      from: givenInstantSchema.optional().openapi({ description: 'By default now' }),
      to: givenInstantSchema.optional().openapi({ description: 'By default a day after `from`' }),
    }),
  },
  responses: { 200: json(pageOf(itemSchema), 'A page of items'), ...failures },
});

const now = createRoute({
  method: 'get',
  path: '/channels/{id}/now',
  tags,
  summary: 'What is on, at which second, and what is next',
  request: { params: idParams },
  responses: { 200: json(nowSchema, 'What is on'), ...failures },
});

const rebuild = createRoute({
  method: 'post',
  path: '/channels/{id}/rebuild',
  tags,
  summary: 'Plan again what is not frozen; with `from: now`, everything after the item on air',
  request: {
    params: idParams,
    body: {
      required: false,
      content: { 'application/json': { schema: z.strictObject({ from: fromSchema }) } },
    },
  },
  responses: {
    200: json(z.object({ added: z.int(), removed: z.int(), playout: statusSchema }), 'What was changed'),
    ...failures,
  },
});

const dayMs = 86_400_000;

export function channelRoutes(deps: { db: Database; playout: PlayoutService }) {
  const app = apiRouter();
  const { db, playout } = deps;

  app.openapi(list, async (c) => {
    const { limit, offset } = c.req.valid('query');
    const all = await listChannels(db);
    const items = all.slice(offset, offset + limit).map((channel) => shown(channel, playout));
    return c.json({ items, total: all.length }, 200);
  });

  app.openapi(add, async (c) => {
    const channel = await createChannel(db, c.req.valid('json'));
    await playout.channelChanged(channel.id);
    return c.json(shown(channel, playout), 201);
  });

  app.openapi(get, async (c) => c.json(shown(await existing(db, c.req.valid('param').id), playout), 200));

  app.openapi(change, async (c) => {
    const { from, ...changes } = c.req.valid('json');
    const channel = await updateChannel(db, c.req.valid('param').id, changes);
    await playout.channelChanged(channel.id, { from });
    return c.json(shown(channel, playout), 200);
  });

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param');
    await deleteChannel(db, id);
    await playout.channelChanged(id);
    return c.body(null, 204);
  });

  app.openapi(playoutOf, async (c) => {
    const { id } = c.req.valid('param');
    const query = c.req.valid('query');
    await existing(db, id);
    const from = query.from === undefined ? Date.now() : Date.parse(query.from);
    const to = query.to === undefined ? from + dayMs : Date.parse(query.to);
    if (to <= from) throw new InvalidError('"to" must be after "from".', { operation: 'reading a timeline' });
    const { items, total } = await playout.playout(id, from, to, {
      limit: query.limit,
      offset: query.offset,
    });
    return c.json({ items: items.map(shownItem), total }, 200);
  });

  app.openapi(now, async (c) => {
    const { id } = c.req.valid('param');
    if (playout.channel(id) === undefined) await existing(db, id);
    const at = Date.now();
    const on = playout.now(id, at);
    const { status } = playout.status(id);
    return c.json(
      {
        at: iso(at),
        status,
        ...(on === undefined
          ? {}
          : {
              item: shownItem(on.item),
              offsetMs: on.offsetMs,
              ...(on.item.inMs === undefined ? {} : { positionMs: on.item.inMs + on.offsetMs }),
              ...(on.next === undefined ? {} : { next: shownItem(on.next) }),
            }),
      },
      200,
    );
  });

  app.openapi(rebuild, async (c) => {
    const { id } = c.req.valid('param');
    await existing(db, id);
    const from = c.req.valid('json')?.from;
    const { added, removed } = await playout.rebuild(id, from === undefined ? {} : { from });
    return c.json({ added, removed, playout: shownStatus(id, playout) }, 200);
  });

  return app;
}

async function existing(db: Database, id: string): Promise<Channel> {
  const channel = await getChannel(db, id);
  if (channel === undefined) {
    throw new NotFoundError(`There is no channel ${id}.`, { operation: 'reading a channel' });
  }
  return channel;
}

function shown(channel: Channel, playout: PlayoutService): z.infer<typeof channelSchema> {
  const { logoUrl, offlineTitle, ...rest } = channel;
  return {
    ...rest,
    ...(logoUrl === null ? {} : { logoUrl }),
    ...(offlineTitle === null ? {} : { offlineTitle }),
    createdAt: iso(channel.createdAt),
    updatedAt: iso(channel.updatedAt),
    playout: shownStatus(channel.id, playout),
  };
}

function shownStatus(id: string, playout: PlayoutService): z.infer<typeof statusSchema> {
  const { status, horizonEndsAt, problems } = playout.status(id);
  return { status, problems, ...(horizonEndsAt === undefined ? {} : { horizonEndsAt: iso(horizonEndsAt) }) };
}

function shownItem(item: TimelineItem): z.infer<typeof itemSchema> {
  return {
    id: item.id,
    start: iso(item.startsAt),
    stop: iso(item.endsAt),
    kind: item.kind,
    ...(item.media === undefined ? {} : { media: { id: item.media.id, title: item.media.title } }),
    ...(item.inMs === undefined ? {} : { in: item.inMs }),
    ...(item.outMs === undefined ? {} : { out: item.outMs }),
    ...(item.slot === undefined ? {} : { slot: item.slot }),
    ...(item.filler === undefined ? {} : { filler: item.filler }),
    ...(item.guide === undefined ? {} : { guide: item.guide }),
  };
}
