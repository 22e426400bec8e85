import { createRoute, z } from '@hono/zod-openapi';
import type { Database } from '../../db/connection.ts';
import { createProfile, deleteProfile, getProfile, listProfiles } from '../../db/profiles.ts';
import { NotFoundError } from '../../errors.ts';
import { profileSpecSchema } from '../../ffmpeg/profile.ts';
import { apiRouter, body, failures, idParams, json, pageOf, pageQuery } from './shared.ts';

const profileSchema = z
  .object({ id: z.uuid(), name: z.string(), spec: profileSpecSchema })
  .openapi('Profile');

const newProfileSchema = z
  .strictObject({ name: z.string().trim().min(1).max(100), spec: profileSpecSchema })
  .openapi('NewProfile');

const list = createRoute({
  method: 'get',
  path: '/profiles',
  tags: ['profiles'],
  summary: 'List the output formats',
  request: { query: pageQuery },
  responses: { 200: json(pageOf(profileSchema), 'The profiles'), ...failures },
});

const add = createRoute({
  method: 'post',
  path: '/profiles',
  tags: ['profiles'],
  summary: 'Add an output format',
  request: { body: body(newProfileSchema) },
  responses: { 201: json(profileSchema, 'The new profile'), ...failures },
});

const get = createRoute({
  method: 'get',
  path: '/profiles/{id}',
  tags: ['profiles'],
  summary: 'Read an output format',
  request: { params: idParams },
  responses: { 200: json(profileSchema, 'The profile'), ...failures },
});

const remove = createRoute({
  method: 'delete',
  path: '/profiles/{id}',
  tags: ['profiles'],
  summary: 'Delete an output format that no channel uses',
  request: { params: idParams },
  responses: { 204: { description: 'It is deleted' }, ...failures },
});

export function profileRoutes(deps: { db: Database }) {
  const app = apiRouter();

  app.openapi(list, async (c) => {
    const { limit, offset } = c.req.valid('query');
    const all = await listProfiles(deps.db);
    return c.json({ items: all.slice(offset, offset + limit), total: all.length }, 200);
  });

  app.openapi(add, async (c) => c.json(await createProfile(deps.db, c.req.valid('json')), 201));

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param');
    const profile = await getProfile(deps.db, id);
    if (profile === undefined)
      throw new NotFoundError(`There is no profile ${id}.`, { operation: 'reading' });
    return c.json(profile, 200);
  });

  app.openapi(remove, async (c) => {
    await deleteProfile(deps.db, c.req.valid('param').id);
    return c.body(null, 204);
  });

  return app;
}
