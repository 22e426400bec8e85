import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import type { Database } from '../../db/connection.ts';
import { getLibrary, type Library } from '../../db/libraries.ts';
import { countMedia, type MediaCounts } from '../../db/media.ts';
import { NotFoundError } from '../../errors.ts';
import type { LibraryService } from '../../library/library-service.ts';
import type { ScanProgress } from '../../library/progress.ts';
import {
  apiRouter,
  body,
  failures,
  idParams,
  instantSchema,
  iso,
  json,
  pageOf,
  pageQuery,
} from './shared.ts';

const librarySchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    path: z.string(),
    createdAt: instantSchema,
    scannedAt: instantSchema.optional(),
    media: z.object({ ready: z.int(), failed: z.int(), unavailable: z.int() }),
  })
  .openapi('Library');

const newLibrarySchema = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    path: z.string().min(1).max(4096).openapi({ description: 'An absolute path on the server' }),
  })
  .openapi('NewLibrary');

const progressSchema = z
  .object({
    libraryId: z.uuid(),
    state: z.enum(['idle', 'waiting', 'walking', 'probing', 'done', 'failed']),
    found: z.int(),
    unchanged: z.int(),
    total: z.int().openapi({ description: 'Files to be probed' }),
    probed: z.int(),
    failed: z.int(),
    pending: z.int().openapi({ description: 'Files that are still being written' }),
    unavailable: z.int(),
    startedAt: instantSchema.optional(),
    finishedAt: instantSchema.optional(),
    error: z.string().optional(),
    current: z.string().optional(),
  })
  .openapi('ScanProgress');

const list = createRoute({
  method: 'get',
  path: '/libraries',
  tags: ['libraries'],
  summary: 'List the libraries',
  request: { query: pageQuery },
  responses: { 200: json(pageOf(librarySchema), 'The libraries'), ...failures },
});

const add = createRoute({
  method: 'post',
  path: '/libraries',
  tags: ['libraries'],
  summary: 'Add a folder and begin to scan it',
  request: { body: body(newLibrarySchema) },
  responses: { 201: json(librarySchema, 'The new library'), ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/libraries/{id}',
  tags: ['libraries'],
  summary: 'Read a library',
  request: { params: idParams },
  responses: { 200: json(librarySchema, 'The library'), ...failures },
});

const remove = createRoute({
  method: 'delete',
  path: '/libraries/{id}',
  tags: ['libraries'],
  summary: 'Remove a library and its media from the server; the files stay',
  request: { params: idParams },
  responses: { 204: { description: 'It is removed' }, ...failures },
});

const scan = createRoute({
  method: 'post',
  path: '/libraries/{id}/scan',
  tags: ['libraries'],
  summary: 'Scan a library, or join the scan that runs',
  request: { params: idParams },
  responses: { 202: json(progressSchema, 'The scan has begun'), ...failures },
});

const progress = createRoute({
  method: 'get',
  path: '/libraries/{id}/scan',
  tags: ['libraries'],
  summary: 'How far the scan is',
  request: { params: idParams },
  responses: { 200: json(progressSchema, 'The scan that runs, or the last one'), ...failures },
});

const events = createRoute({
  method: 'get',
  path: '/libraries/{id}/scan/events',
  tags: ['libraries'],
  summary: 'Watch the scan: server-sent events named `progress`',
  request: { params: idParams },
  responses: {
    200: {
      content: { 'text/event-stream': { schema: z.string() } },
      description: 'Progress until you leave',
    },
    ...failures,
  },
});

export function libraryRoutes(deps: { db: Database; library: LibraryService }) {
  const app = apiRouter();

  app.openapi(list, async (c) => {
    const { limit, offset } = c.req.valid('query');
    const [all, counts] = await Promise.all([deps.library.list(), countMedia(deps.db)]);
    const items = all.slice(offset, offset + limit).map((library) => shown(library, counts.get(library.id)));
    return c.json({ items, total: all.length }, 200);
  });

  app.openapi(add, async (c) => c.json(shown(await deps.library.add(c.req.valid('json')), undefined), 201));

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param');
    const [library, counts] = await Promise.all([getLibrary(deps.db, id), countMedia(deps.db)]);
    if (library === undefined)
      throw new NotFoundError(`There is no library ${id}.`, { operation: 'reading' });
    return c.json(shown(library, counts.get(id)), 200);
  });

  app.openapi(remove, async (c) => {
    await deps.library.remove(c.req.valid('param').id);
    return c.body(null, 204);
  });

  app.openapi(scan, (c) => {
    const { id } = c.req.valid('param');
    const before = deps.library.progress(id);
    // Its end is told by the progress; a failure too.
    deps.library.scan(id).catch(() => {});
    return c.json(shownProgress({ ...before, state: 'waiting' }), 202);
  });

  app.openapi(progress, (c) => c.json(shownProgress(deps.library.progress(c.req.valid('param').id)), 200));

  app.openapi(events, (c) => {
    const { id } = c.req.valid('param');
    const first = deps.library.progress(id);
    return streamSSE(c, async (stream) => {
      const send = (now: ScanProgress) =>
        stream.writeSSE({ event: 'progress', data: JSON.stringify(shownProgress(now)) }).catch(() => {});
      const unsubscribe = deps.library.subscribe((now) => {
        if (now.libraryId === id) void send(now);
      });
      try {
        await send(first);
        await new Promise<void>((resolve) => stream.onAbort(resolve));
      } finally {
        unsubscribe();
      }
    });
  });

  return app;
}

function shown(library: Library, counts: MediaCounts | undefined) {
  return {
    id: library.id,
    name: library.name,
    path: library.path,
    createdAt: iso(library.createdAt),
    ...(library.scannedAt === null ? {} : { scannedAt: iso(library.scannedAt) }),
    media: counts ?? { ready: 0, failed: 0, unavailable: 0 },
  };
}

function shownProgress({ startedAt, finishedAt, ...progress }: ScanProgress) {
  return {
    ...progress,
    ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
    ...(finishedAt === undefined ? {} : { finishedAt: iso(finishedAt) }),
  };
}
