import { createRoute, z } from '@hono/zod-openapi';
import {
  type Collection,
  createCollection,
  deleteCollection,
  getCollection,
  listCollections,
  listMembers,
  replaceMembers,
  resolveCollection,
  updateCollection,
} from '../../db/collections.ts';
import type { Database } from '../../db/connection.ts';
import { NotFoundError } from '../../errors.ts';
import { collectionQuerySchema } from '../../library/media.ts';
import type { PlayoutService } from '../../playout/playout-service.ts';
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

const collectionSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: z.enum(['manual', 'query']),
    query: collectionQuerySchema.optional(),
    size: z.int().optional().openapi({ description: 'Entries of a manual collection' }),
    createdAt: instantSchema,
    updatedAt: instantSchema,
  })
  .openapi('Collection');

const name = z.string().trim().min(1).max(200);
const mediaIds = z
  .array(z.uuid())
  .max(100_000)
  .openapi({ description: 'In order; a media may come more than once' });

const newCollectionSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ name, kind: z.literal('manual'), media: mediaIds.optional() }),
    z.strictObject({ name, kind: z.literal('query'), query: collectionQuerySchema }),
  ])
  .openapi('NewCollection');

const changesSchema = z
  .strictObject({ name: name.optional(), query: collectionQuerySchema.optional() })
  .refine((changes) => Object.keys(changes).length > 0, 'Name at least one thing to change.')
  .openapi('CollectionChanges');

const memberSchema = z
  .object({
    position: z.int(),
    id: z.uuid(),
    title: z.string(),
    show: z.string().optional(),
    season: z.int().optional(),
    episode: z.int().optional(),
    durationMs: z.int().optional(),
    state: z.enum(['ready', 'failed', 'unavailable']),
  })
  .openapi('CollectionEntry');

const tags = ['collections'];

const list = createRoute({
  method: 'get',
  path: '/collections',
  tags,
  summary: 'List the collections',
  request: { query: pageQuery.extend({ text: z.string().min(1).max(200).optional() }) },
  responses: { 200: json(pageOf(collectionSchema), 'A page of collections'), ...failures },
});

const add = createRoute({
  method: 'post',
  path: '/collections',
  tags,
  summary: 'Add a collection: a list by hand, or a saved query',
  request: { body: body(newCollectionSchema) },
  responses: { 201: json(collectionSchema, 'The new collection'), ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/collections/{id}',
  tags,
  summary: 'Read a collection',
  request: { params: idParams },
  responses: { 200: json(collectionSchema, 'The collection'), ...failures },
});

const change = createRoute({
  method: 'patch',
  path: '/collections/{id}',
  tags,
  summary: 'Rename a collection, or change its query',
  request: { params: idParams, body: body(changesSchema) },
  responses: { 200: json(collectionSchema, 'The collection'), ...failures },
});

const remove = createRoute({
  method: 'delete',
  path: '/collections/{id}',
  tags,
  summary: 'Delete a collection that no channel plays',
  request: { params: idParams },
  responses: { 204: { description: 'It is deleted' }, ...failures },
});

const members = createRoute({
  method: 'get',
  path: '/collections/{id}/media',
  tags,
  summary: 'What is in a collection now; a saved query is evaluated',
  request: { params: idParams, query: pageQuery },
  responses: { 200: json(pageOf(memberSchema), 'A page of media'), ...failures },
});

const replace = createRoute({
  method: 'put',
  path: '/collections/{id}/media',
  tags,
  summary: 'Replace the list of a manual collection',
  request: { params: idParams, body: body(z.strictObject({ media: mediaIds })) },
  responses: { 204: { description: 'It is replaced' }, ...failures },
});

export function collectionRoutes(deps: { db: Database; playout: PlayoutService }) {
  const app = apiRouter();
  const { db, playout } = deps;

  app.openapi(list, async (c) => {
    const { items, total } = await listCollections(db, c.req.valid('query'));
    return c.json({ items: items.map((item) => shown(item, item.size)), total }, 200);
  });

  app.openapi(add, async (c) => {
    const wanted = c.req.valid('json');
    const size = wanted.kind === 'manual' ? (wanted.media?.length ?? 0) : undefined;
    return c.json(shown(await createCollection(db, wanted), size), 201);
  });

  app.openapi(get, async (c) => {
    const collection = await existing(db, c.req.valid('param').id);
    return c.json(await withSize(db, collection), 200);
  });

  app.openapi(change, async (c) => {
    const changed = await updateCollection(db, c.req.valid('param').id, c.req.valid('json'));
    playout.mediaChanged();
    return c.json(await withSize(db, changed), 200);
  });

  app.openapi(remove, async (c) => {
    await deleteCollection(db, c.req.valid('param').id);
    return c.body(null, 204);
  });

  app.openapi(members, async (c) => {
    const { id } = c.req.valid('param');
    const page = c.req.valid('query');
    const collection = await existing(db, id);
    if (collection.kind === 'query') {
      const all = await resolveCollection(db, id);
      const items = all.slice(page.offset, page.offset + page.limit);
      return c.json(
        { items: items.map((item, at) => entry(item, page.offset + at)), total: all.length },
        200,
      );
    }
    const { items, total } = await listMembers(db, id, page);
    return c.json(
      { items: items.map((item) => ({ ...entry(item, item.position), state: item.state })), total },
      200,
    );
  });

  app.openapi(replace, async (c) => {
    await replaceMembers(db, c.req.valid('param').id, c.req.valid('json').media);
    playout.mediaChanged();
    return c.body(null, 204);
  });

  return app;
}

async function existing(db: Database, id: string): Promise<Collection> {
  const collection = await getCollection(db, id);
  if (collection === undefined) {
    throw new NotFoundError(`There is no collection ${id}.`, { operation: 'reading a collection' });
  }
  return collection;
}

async function withSize(db: Database, collection: Collection) {
  if (collection.kind === 'query') return shown(collection, undefined);
  return shown(collection, (await listMembers(db, collection.id, { limit: 1 })).total);
}

function shown(collection: Collection, size: number | undefined): z.infer<typeof collectionSchema> {
  return {
    id: collection.id,
    name: collection.name,
    kind: collection.kind,
    ...(collection.query === null ? {} : { query: collection.query }),
    ...(size === undefined ? {} : { size }),
    createdAt: iso(collection.createdAt),
    updatedAt: iso(collection.updatedAt),
  };
}

function entry(
  media: {
    id: string;
    title?: string;
    show?: string | null;
    season?: number | null;
    episode?: number | null;
    durationMs: number | null;
  },
  position: number,
): z.infer<typeof memberSchema> {
  const { id, title, show, season, episode, durationMs } = media;
  return {
    position,
    id,
    title: title ?? '',
    state: 'ready',
    ...(show == null ? {} : { show }),
    ...(season == null ? {} : { season }),
    ...(episode == null ? {} : { episode }),
    ...(durationMs == null ? {} : { durationMs }),
  };
}
