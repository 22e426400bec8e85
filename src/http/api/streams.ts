import { createRoute, z } from '@hono/zod-openapi';
import { NotFoundError } from '../../errors.ts';
import type { ChannelManager, StreamStatus } from '../../streaming/channel-manager.ts';
import { apiRouter, failures, idParams, instantSchema, iso, json, pageOf, pageQuery } from './shared.ts';

const viewerSchema = z
  .object({
    id: z.uuid(),
    address: z.string(),
    userAgent: z.string(),
    connectedAt: instantSchema,
    bytes: z.int(),
    lagMs: z.int().openapi({ description: 'How much of the channel it has not been sent yet' }),
    skips: z.int().openapi({ description: 'How often it was so slow that it had to skip' }),
  })
  .openapi('Viewer');

const streamSchema = z
  .object({
    channelId: z.uuid(),
    number: z.string(),
    name: z.string(),
    state: z.enum(['starting', 'programme', 'slate']),
    reason: z.string().optional().openapi({ description: 'Why the slate is shown' }),
    item: z
      .object({
        id: z.int(),
        kind: z.string(),
        title: z.string().optional(),
        offsetMs: z.int(),
        endsAt: instantSchema,
      })
      .optional(),
    encoderPids: z.array(z.int()),
    startedAt: instantSchema,
    leadMs: z.int().openapi({ description: 'How far the stream is ahead of the wall clock' }),
    joints: z.int(),
    restarts: z.int().openapi({ description: 'Encoders that were started in the place of another one' }),
    breaker: z.enum(['closed', 'open', 'half-open']).openapi({
      description: '`open`: too many items have failed, and no encoder is started for a while',
    }),
    warnings: z.array(z.string()),
    lastOutputAgeMs: z
      .int()
      .openapi({ description: 'How long nothing has been put out, not even the slate' }),
    bufferBytes: z.int(),
    viewers: z.array(viewerSchema),
  })
  .openapi('Stream');

const list = createRoute({
  method: 'get',
  path: '/streams',
  tags: ['streams'],
  summary: 'The channels on air and who watches them',
  request: { query: pageQuery },
  responses: { 200: json(pageOf(streamSchema), 'The channels on air'), ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/streams/{id}',
  tags: ['streams'],
  summary: "A channel on air, by the channel's id",
  request: { params: idParams },
  responses: { 200: json(streamSchema, 'The stream'), ...failures },
});

export function streamApiRoutes(deps: { channels: ChannelManager }) {
  const app = apiRouter();

  app.openapi(list, (c) => {
    const { limit, offset } = c.req.valid('query');
    const all = deps.channels.streams();
    return c.json({ items: all.slice(offset, offset + limit).map(shown), total: all.length }, 200);
  });

  app.openapi(get, (c) => {
    const { id } = c.req.valid('param');
    const stream = deps.channels.stream(id);
    if (stream === undefined) {
      throw new NotFoundError(`Channel ${id} is not on air.`, { operation: 'reading the stream' });
    }
    return c.json(shown(stream), 200);
  });

  return app;
}

function shown({ item, ...stream }: StreamStatus): z.infer<typeof streamSchema> {
  return {
    ...stream,
    startedAt: iso(stream.startedAt),
    ...(item === undefined ? {} : { item: { ...item, endsAt: iso(item.endsAt) } }),
    viewers: stream.viewers.map((viewer) => ({ ...viewer, connectedAt: iso(viewer.connectedAt) })),
  };
}
