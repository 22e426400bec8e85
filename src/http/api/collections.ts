import { createRoute, z } from '@hono/zod-openapi';
import { type Content, contentOf, listContent } from '../../db/collection-content.ts';
import {
  appendMedia,
  type Collection,
  createCollection,
  deleteCollection,
  getCollection,
  listCollections,
  listMembers,
  replaceMedia,
  updateCollection,
} from '../../db/collections.ts';
import type { Database } from '../../db/connection.ts';
import { NotFoundError } from '../../errors.ts';
import { collectionQuerySchema } from '../../library/media.ts';
import type { PlayoutService } from '../../playout/playout-service.ts';
import { orders } from '../../schedule/types.ts';
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

const playlistSchema = z
  .array(
    z.strictObject({
      play: z.uuid().openapi({ description: 'A collection that is no playlist' }),
      order: z.enum(orders).default('chronological'),
      count: z
        .union([z.int().min(1).max(10_000), z.literal('all')])
        .default(1)
        .openapi({ description: 'How many items of it a turn has' }),
      parts: z.enum(['together', 'apart']).optional(),
    }),
  )
  .max(500)
  .openapi({ description: 'They play in turn, and each goes on where it was' });

const unionSchema = z
  .array(z.uuid())
  .max(500)
  .openapi({ description: 'Collections that are joined, in order; a media that is in several comes once' });

const collectionSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: z.enum(['manual', 'query', 'union', 'playlist']),
    query: collectionQuerySchema.optional(),
    members: unionSchema.optional(),
    playlist: playlistSchema.optional(),
    size: z.int().optional().openapi({ description: 'Entries of a manual collection' }),
    createdAt: instantSchema,
    updatedAt: instantSchema,
  })
  .openapi('Collection');

const name = z.string().trim().min(1).max(200);
const mediaIds = z
  .array(z.uuid())
  .max(5_000)
  .openapi({ description: 'In order; a media may come more than once' });

const newCollectionSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ name, kind: z.literal('manual'), media: mediaIds.optional() }),
    z.strictObject({ name, kind: z.literal('query'), query: collectionQuerySchema }),
    z.strictObject({ name, kind: z.literal('union'), members: unionSchema }),
    z.strictObject({ name, kind: z.literal('playlist'), playlist: playlistSchema }),
  ])
  .openapi('NewCollection');

const changesSchema = z
  .strictObject({
    name: name.optional(),
    query: collectionQuerySchema.optional(),
    members: unionSchema.optional(),
    playlist: playlistSchema.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, 'Name at least one thing to change.')
  .openapi('CollectionChanges');

const previewSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('query'), query: collectionQuerySchema }),
    z.strictObject({ kind: z.literal('union'), members: unionSchema }),
  ])
  .openapi('CollectionPreview');

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
  summary: 'Add a collection: a list by hand, a saved query, a union of collections, or a playlist of them',
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
  summary: 'Rename a collection, or change its query or its members',
  request: { params: idParams, body: body(changesSchema) },
  responses: { 200: json(collectionSchema, 'The collection'), ...failures },
});

const remove = createRoute({
  method: 'delete',
  path: '/collections/{id}',
  tags,
  summary: 'Delete a collection that no channel and no other collection uses',
  request: { params: idParams },
  responses: { 204: { description: 'It is deleted' }, ...failures },
});

const members = createRoute({
  method: 'get',
  path: '/collections/{id}/media',
  tags,
  summary: 'What is in a collection now; of anything but a list by hand, what can be aired',
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

const append = createRoute({
  method: 'post',
  path: '/collections/{id}/media',
  tags,
  summary: 'Add to the end of a manual collection',
  request: { params: idParams, body: body(z.strictObject({ media: mediaIds })) },
  responses: { 204: { description: 'They are added' }, ...failures },
});

const preview = createRoute({
  method: 'post',
  path: '/collection-preview',
  tags,
  summary: 'What a query or a union would find now; nothing is saved',
  request: { query: pageQuery, body: body(previewSchema) },
  responses: {
    200: json(
      pageOf(memberSchema).extend({
        durationMs: z.int().openapi({ description: 'How long all of them last together' }),
      }),
      'The first page, and how much there is in all',
    ),
    ...failures,
  },
});

export function collectionRoutes(deps: { db: Database; playout: PlayoutService }) {
  const app = apiRouter();
  const { db, playout } = deps;

  app.openapi(list, async (c) => {
    const { items, total } = await listCollections(db, c.req.valid('query'));
    return c.json({ items: items.map(shown), total }, 200);
  });

  app.openapi(add, async (c) => c.json(shown(await createCollection(db, c.req.valid('json'))), 201));

  app.openapi(preview, async (c) => {
    const wanted = c.req.valid('json');
    const content: Content =
      wanted.kind === 'query'
        ? { sources: [{ kind: 'query', query: wanted.query }], once: true }
        : { ...(await contentOf(db, ...wanted.members)), once: true };
    return c.json(await contentPage(db, content, c.req.valid('query')), 200);
  });

  app.openapi(get, async (c) => c.json(shown(await existing(db, c.req.valid('param').id)), 200));

  app.openapi(change, async (c) => {
    const changed = await updateCollection(db, c.req.valid('param').id, c.req.valid('json'));
    playout.mediaChanged();
    return c.json(shown(changed), 200);
  });

  app.openapi(remove, async (c) => {
    await deleteCollection(db, c.req.valid('param').id);
    return c.body(null, 204);
  });

  app.openapi(members, async (c) => {
    const { id } = c.req.valid('param');
    const page = c.req.valid('query');
    const { kind, playlist = [] } = await existing(db, id);
    if (kind === 'manual') {
      const { items, total } = await listMembers(db, id, page);
      return c.json(
        { items: items.map((item) => ({ ...entry(item, item.position), state: item.state })), total },
        200,
      );
    }
    const ids = kind === 'playlist' ? playlist.map(({ play }) => play) : [id];
    const { items, total } = await contentPage(db, await contentOf(db, ...ids), page);
    return c.json({ items, total }, 200);
  });

  app.openapi(replace, async (c) => {
    await replaceMedia(db, c.req.valid('param').id, c.req.valid('json').media);
    playout.mediaChanged();
    return c.body(null, 204);
  });

  app.openapi(append, async (c) => {
    await appendMedia(db, c.req.valid('param').id, c.req.valid('json').media);
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

async function contentPage(db: Database, content: Content, page: { limit: number; offset: number }) {
  const { items, ...sums } = await listContent(db, content, { now: Date.now(), ...page });
  return { items: items.map((item, index) => entry(item, page.offset + index)), ...sums };
}

function shown(collection: Collection): z.infer<typeof collectionSchema> {
  return { ...collection, createdAt: iso(collection.createdAt), updatedAt: iso(collection.updatedAt) };
}

function entry(
  media: {
    id: string;
    title: string;
    show: string | null;
    season: number | null;
    episode: number | null;
    durationMs: number | null;
  },
  position: number,
): z.infer<typeof memberSchema> {
  const { id, title, show, season, episode, durationMs } = media;
  return {
    ...{ position, id, title },
    state: 'ready',
    ...(show === null ? {} : { show }),
    ...(season === null ? {} : { season }),
    ...(episode === null ? {} : { episode }),
    ...(durationMs === null ? {} : { durationMs }),
  };
}
