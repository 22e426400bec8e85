import { createRoute, z } from '@hono/zod-openapi';
import type { Database } from '../../db/connection.ts';
import { getMedia, listMedia, type Media } from '../../db/media.ts';
import { NotFoundError } from '../../errors.ts';
import { apiRouter, failures, idParams, instantSchema, iso, json, pageOf, pageQuery } from './shared.ts';

const failureSchema = z.object({ kind: z.literal('failed'), reason: z.string(), at: instantSchema });

const loudnessSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('measured'),
    lufs: z.number().openapi({ description: 'Integrated loudness (EBU R 128) of its stereo sound' }),
    truePeakDb: z.number().openapi({ description: 'Highest true peak, in dBTP' }),
    at: instantSchema,
  }),
  z.object({ kind: z.literal('silent'), at: instantSchema }),
  failureSchema,
]);

const breaksSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('found'), breaksMs: z.array(z.int()), at: instantSchema }),
  failureSchema,
]);

const mediaSchema = z
  .object({
    id: z.uuid(),
    libraryId: z.uuid(),
    path: z.string().openapi({ description: 'Relative to the library' }),
    state: z.enum(['ready', 'failed', 'unavailable']),
    reason: z.string().optional().openapi({ description: 'Why it is not ready' }),
    kind: z.enum(['movie', 'episode', 'other']),
    title: z.string(),
    show: z.string().optional(),
    season: z.int().optional(),
    episode: z.int().optional(),
    year: z.int().optional(),
    aired: z.string().optional(),
    plot: z.string().optional(),
    genres: z.array(z.string()),
    rating: z.string().optional(),
    size: z.int().openapi({ description: 'Bytes' }),
    durationMs: z.int().optional(),
    width: z.int().optional(),
    height: z.int().optional(),
    videoCodec: z.string().optional(),
    audioCodec: z.string().optional(),
    format: z.string().optional(),
    chaptersMs: z.array(z.int()).optional().openapi({ description: 'Where chapters begin' }),
    loudness: loudnessSchema.optional().openapi({
      description: 'Absent before it has been measured; `silent` is without any sound to be heard',
    }),
    breaks: breaksSchema.optional().openapi({
      description: 'Where it is black and silent, if it has no chapters and that was looked for',
    }),
    addedAt: instantSchema,
    updatedAt: instantSchema,
  })
  .openapi('Media');

const listQuery = pageQuery.extend({
  library: z.uuid().optional(),
  state: z.enum(['ready', 'failed', 'unavailable']).optional(),
  kind: z.enum(['movie', 'episode', 'other']).optional(),
  show: z.string().min(1).max(500).optional(),
  text: z.string().min(1).max(500).optional().openapi({ description: 'Part of title, show or path' }),
  sort: z.enum(['title', 'show', 'path', 'added', '-added', 'duration', '-duration']).default('title'),
});

const list = createRoute({
  method: 'get',
  path: '/media',
  tags: ['media'],
  summary: 'List and search the media',
  request: { query: listQuery },
  responses: { 200: json(pageOf(mediaSchema), 'A page of media'), ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/media/{id}',
  tags: ['media'],
  summary: 'Read a media',
  request: { params: idParams },
  responses: { 200: json(mediaSchema, 'The media'), ...failures },
});

export function mediaRoutes(deps: { db: Database }) {
  const app = apiRouter();

  app.openapi(list, async (c) => {
    const { items, total } = await listMedia(deps.db, c.req.valid('query'));
    return c.json({ items: items.map(shownMedia), total }, 200);
  });

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param');
    const media = await getMedia(deps.db, id);
    if (media === undefined) throw new NotFoundError(`There is no media ${id}.`, { operation: 'reading' });
    return c.json(shownMedia(media), 200);
  });

  return app;
}

function shownMedia(media: Media): z.infer<typeof mediaSchema> {
  const { probe, loudness, breaks } = media;
  return {
    id: media.id,
    libraryId: media.libraryId,
    path: media.path,
    state: media.state,
    kind: media.kind,
    title: media.title,
    genres: media.genres,
    size: media.size,
    addedAt: iso(media.addedAt),
    updatedAt: iso(media.updatedAt),
    ...present({
      reason: media.reason,
      show: media.show,
      season: media.season,
      episode: media.episode,
      year: media.year,
      aired: media.aired,
      plot: media.plot,
      rating: media.rating,
      durationMs: media.durationMs,
      width: probe?.video?.width,
      height: probe?.video?.height,
      videoCodec: probe?.video?.codec,
      audioCodec: probe?.audio?.codec,
      format: probe?.format,
      chaptersMs: probe?.chaptersMs.length ? probe.chaptersMs : undefined,
      loudness: loudness && { ...loudness, at: iso(loudness.at) },
      breaks: breaks && { ...breaks, at: iso(breaks.at) },
    }),
  };
}

type Present<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Without what is not known. */
function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as Present<T>;
}
