import { Hono, type MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Metrics } from '../metrics/metrics.ts';
import { requireAdminKey } from './authentication.ts';

/** The metrics, for Prometheus. They want the admin key as any admin route does, unless they are open. */
export function metricsRoutes(deps: {
  metrics: Pick<Metrics, 'text' | 'contentType'>;
  adminKey: string;
  config: { metrics: { open: boolean } };
}): Hono {
  const app = new Hono();
  if (!deps.config.metrics.open) app.use('/', requireAdminKey(deps.adminKey, { basic: false }));
  app.get('/', async (c) =>
    c.body(await deps.metrics.text(), 200, {
      'content-type': deps.metrics.contentType,
      'cache-control': 'no-store',
    }),
  );
  return app;
}

/** Counts every answer under the pattern of its route: there are as many of these as there are routes. */
export function countAnswers(metrics: Pick<Metrics, 'answered'>): MiddlewareHandler {
  return async (c, next) => {
    await next();
    // What ends in a star is for many routes, and leaves the answer to one of them.
    const route = matchedRoutes(c).findLast(({ path }) => !path.endsWith('*'))?.path;
    metrics.answered({
      method: c.req.method,
      // A pattern says which texts a parameter may have; its name is enough.
      route: route?.replaceAll(/\{.*?\}(?=\/|$)/g, '') ?? 'none',
      status: c.res.status,
    });
  };
}
