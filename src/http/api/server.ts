import { createRoute, z } from '@hono/zod-openapi';
import { apiRouter, failures, instantSchema, iso, json } from './shared.ts';

const serverSchema = z
  .object({
    version: z.string(),
    startedAt: instantSchema,
    database: z.enum(['embedded', 'postgres']),
    memory: z.object({ rssBytes: z.int(), heapBytes: z.int() }),
    encoders: z.object({
      used: z.int(),
      max: z.int(),
      spawns: z.int(),
      refusals: z.int(),
      pids: z.array(z.int()),
    }),
    viewers: z.int(),
    eventLoop: z
      .object({ p50Ms: z.number(), p99Ms: z.number(), maxMs: z.number(), sinceMs: z.int() })
      .openapi({ description: 'How late the streaming thread came to its work, since this was last asked' }),
  })
  .openapi('Server');

export type ServerStatus = Omit<z.infer<typeof serverSchema>, 'startedAt'> & { startedAt: number };

const get = createRoute({
  method: 'get',
  path: '/server',
  tags: ['server'],
  summary: 'How the server is',
  responses: { 200: json(serverSchema, 'The server'), ...failures },
});

export function serverRoutes(deps: { status: () => ServerStatus }) {
  const app = apiRouter();
  app.openapi(get, (c) => {
    const status = deps.status();
    return c.json({ ...status, startedAt: iso(status.startedAt) }, 200);
  });
  return app;
}
