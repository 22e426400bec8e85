import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { messageOf, NotFoundError } from '../../errors.ts';
import { entryIdPattern } from '../../logs/entry-id.ts';
import { levels } from '../../logs/log-entry.ts';
import type { LogFilter } from '../../logs/log-filter.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { apiRouter, failures, instantSchema, json } from './shared.ts';

const entryIdSchema = z.string().regex(entryIdPattern, 'is not the id of an entry of the log');

const entrySchema = z
  .looseObject({
    id: entryIdSchema,
    time: instantSchema,
    level: z.enum(levels),
    logger: z.string().openapi({ description: 'The part of the server that speaks' }),
    msg: z.string(),
    channel: z.string().optional().openapi({ description: "The channel's number" }),
  })
  .openapi('LogEntry', { description: 'What else was logged stands beside these fields' });

const contextSchema = entrySchema
  .extend({ before: z.array(entrySchema), after: z.array(entrySchema) })
  .openapi('LogEntryInContext');

const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const filterQuery = z.object({
  level: z.enum(levels).optional().openapi({ description: 'This level and the graver ones' }),
  channel: z.string().min(1).max(100).optional().openapi({ description: 'The number of a channel' }),
  q: z.string().min(1).max(200).optional().openapi({
    description:
      'A text in the message or in another field, in its name or its value; capitals do not matter',
  }),
  since: instant.optional().openapi({ type: 'string', format: 'date-time' }),
  until: instant.optional().openapi({ type: 'string', format: 'date-time', description: 'Before this' }),
});

const list = createRoute({
  method: 'get',
  path: '/logs/entries',
  tags: ['logs'],
  summary: 'Read the log, the newest entries first',
  request: {
    query: filterQuery.extend({
      limit: z.coerce.number().int().min(1).max(500).default(100),
      cursor: entryIdSchema.optional().openapi({ description: 'The `nextCursor` of the page before' }),
    }),
  },
  responses: {
    200: json(
      z.object({
        entries: z.array(entrySchema),
        total: z.int().openapi({ description: 'All entries that match, on this page and the others' }),
        nextCursor: entryIdSchema.optional().openapi({ description: 'Absent on the last page' }),
      }),
      'A page of the entries that match; it ends before `limit` where they are very long',
    ),
    ...failures,
  },
});

const stream = createRoute({
  method: 'get',
  path: '/logs/stream',
  tags: ['logs'],
  summary: 'Watch the log: one server-sent event an entry, with its id',
  description:
    'An event `lost` says that entries are missing at this place: the watcher was too slow (`reason: slow`, with their number in `entries`), or what followed the last id is not kept any more (`reason: removed`).',
  request: {
    query: filterQuery.extend({ lastEventId: entryIdSchema.optional() }),
    headers: z.object({
      'last-event-id': entryIdSchema.optional().openapi({
        description: 'First, what was logged since this entry; comes before the parameter of the same name',
      }),
    }),
  },
  responses: {
    200: { content: { 'text/event-stream': { schema: z.string() } }, description: 'Entries until you leave' },
    ...failures,
  },
});

const clear = createRoute({
  method: 'delete',
  path: '/logs',
  tags: ['logs'],
  summary: 'Empty the log, its files too',
  responses: { 204: { description: 'It is empty, but for the entry that says so' }, ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/logs/{id}',
  tags: ['logs'],
  summary: 'Read an entry, with what was logged before and after it',
  request: {
    params: z.object({ id: entryIdSchema }),
    query: z.object({ around: z.coerce.number().int().min(0).max(100).default(10) }),
  },
  responses: {
    200: json(
      contextSchema,
      'The entry; around it as many as asked for on either side, in the order of their logging',
    ),
    ...failures,
  },
});

export function logRoutes({ logs }: { logs: LogStore }) {
  const app = apiRouter();

  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query');
    return c.json(await logs.find({ ...filterOf(filter), limit, cursor }), 200);
  });

  app.openapi(stream, (c) => {
    const { lastEventId, ...filter } = c.req.valid('query');
    const after = c.req.valid('header')['last-event-id'] ?? lastEventId;
    const gone = new AbortController();
    const events = logs.watch(filterOf(filter), gone.signal, after);
    c.header('x-accel-buffering', 'no');
    return streamSSE(c, async (sse) => {
      sse.onAbort(() => gone.abort());
      await sse.write('retry: 3000\n\n');
      try {
        for await (const event of events) {
          if (event.kind === 'entry') await sse.writeSSE({ id: event.id, data: event.json });
          else if (event.kind === 'silence') await sse.write(': nothing new\n\n');
          else await sse.writeSSE({ event: 'lost', data: JSON.stringify({ ...event, kind: undefined }) });
        }
      } catch (error) {
        // The answer has begun, so this is the only way to tell. The watcher comes back by itself.
        await sse.writeSSE({ event: 'failed', data: JSON.stringify({ detail: messageOf(error) }) });
      }
    });
  });

  app.openapi(clear, async (c) => {
    await logs.clear();
    return c.body(null, 204);
  });

  // Behind the fixed paths, which it would hide.
  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param');
    const found = await logs.around(id, c.req.valid('query').around);
    if (found === undefined) {
      throw new NotFoundError(`There is no entry ${id} in the log.`, { operation: 'reading the log' });
    }
    const { entry, ...neighbours } = found;
    const shown: z.infer<typeof contextSchema> = { ...entry, ...neighbours };
    return c.json(shown, 200);
  });

  return app;
}

function filterOf({ q, ...filter }: z.infer<typeof filterQuery>): LogFilter {
  return { ...filter, text: q };
}
