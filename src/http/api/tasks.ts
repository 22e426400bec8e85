import { createRoute, z } from '@hono/zod-openapi';
import type { TaskRunner, TaskStatus } from '../../tasks/task-runner.ts';
import { apiRouter, failures, instantSchema, iso, json, pageOf, pageQuery } from './shared.ts';

const taskSchema = z
  .object({
    name: z.string(),
    everyMs: z.int(),
    running: z.boolean(),
    runs: z.int(),
    failures: z.int(),
    lastStartedAt: instantSchema.optional(),
    lastDurationMs: z.int().optional(),
    lastSucceededAt: instantSchema.optional(),
    lastResult: z.unknown().optional(),
    lastError: z.string().optional(),
    progress: z.unknown().optional().openapi({ description: 'How far a task is that takes long' }),
    nextRunAt: instantSchema.optional(),
  })
  .openapi('Task');

const list = createRoute({
  method: 'get',
  path: '/tasks',
  tags: ['tasks'],
  summary: 'What the server does by itself, and how its last run went',
  request: { query: pageQuery },
  responses: { 200: json(pageOf(taskSchema), 'The tasks'), ...failures },
});

const run = createRoute({
  method: 'post',
  path: '/tasks/{name}/run',
  tags: ['tasks'],
  summary: 'Run a task now and wait for its result',
  request: { params: z.object({ name: z.string().min(1).max(100) }) },
  responses: { 200: json(taskSchema, 'The task after the run; a failure is in `lastError`'), ...failures },
});

export function taskRoutes(deps: { tasks: TaskRunner }) {
  const app = apiRouter();

  app.openapi(list, (c) => {
    const { limit, offset } = c.req.valid('query');
    const all = deps.tasks.list();
    return c.json({ items: all.slice(offset, offset + limit).map(shown), total: all.length }, 200);
  });

  app.openapi(run, async (c) => c.json(shown(await deps.tasks.runNow(c.req.valid('param').name)), 200));

  return app;
}

function shown(status: TaskStatus): z.infer<typeof taskSchema> {
  const { lastStartedAt, lastSucceededAt, nextRunAt, ...task } = status;
  return {
    ...task,
    ...(lastStartedAt === undefined ? {} : { lastStartedAt: iso(lastStartedAt) }),
    ...(lastSucceededAt === undefined ? {} : { lastSucceededAt: iso(lastSucceededAt) }),
    ...(nextRunAt === undefined ? {} : { nextRunAt: iso(nextRunAt) }),
  };
}
