import { Hono } from 'hono';

/** Says that the process answers; asks nothing of anybody else. */
export function healthRoutes(deps: { isReady: () => boolean }): Hono {
  const app = new Hono();
  app.get('/live', (c) => c.json({ status: 'ok' }));
  app.get('/ready', (c) =>
    deps.isReady()
      ? c.json({ status: 'ready' })
      : c.json({ status: 'starting' }, 503, { 'retry-after': '2' }),
  );
  return app;
}
