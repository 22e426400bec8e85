import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { messageOf, StartError } from '../errors.ts';
import { type ApiDeps, apiRoutes } from './api/api.ts';
import type { HttpEnvironment } from './environment.ts';
import { guideRoutes } from './guide-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { countAnswers, metricsRoutes } from './metrics-routes.ts';
import { answerError, problem } from './problems.ts';
import { streamRoutes } from './stream-routes.ts';

const largestBody = 1024 * 1024;
const graceMs = 1_000;

type Deps = ApiDeps &
  Parameters<typeof guideRoutes>[0] &
  Parameters<typeof streamRoutes>[0] &
  Parameters<typeof healthRoutes>[0] &
  Parameters<typeof metricsRoutes>[0] & { log: Logger; metrics: Parameters<typeof countAnswers>[0] };

/** The whole HTTP surface. Nothing listens yet. */
export function httpApp(deps: Deps): OpenAPIHono<HttpEnvironment> {
  const app = new OpenAPIHono<HttpEnvironment>();
  app.onError((error, c) => answerError(error, c, deps.log));
  app.notFound((c) => problem(c, 404, `There is nothing at ${c.req.path}.`));
  app.use(countAnswers(deps.metrics));
  app.use(
    '/api/*',
    bodyLimit({
      maxSize: largestBody,
      onError: (c) => problem(c, 413, 'A request body may have 1 MiB at most.'),
    }),
  );
  app.route('/health', healthRoutes(deps));
  app.route('/metrics', metricsRoutes(deps));
  app.route('/iptv', guideRoutes(deps));
  app.route('/iptv', streamRoutes(deps));
  app.route('/api', apiRoutes(deps));
  return app;
}

/** A port that is listened on. */
export class HttpServer {
  private readonly server: Server;

  constructor(
    app: OpenAPIHono<HttpEnvironment>,
    private readonly where: { host: string; port: number },
  ) {
    this.server = createAdaptorServer({ fetch: app.fetch }) as Server;
    // Players keep a stream for days; only the request itself has a deadline.
    this.server.timeout = 0;
  }

  /** The port, also where the system was to choose one. */
  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : this.where.port;
  }

  async start(): Promise<void> {
    const { host, port } = this.where;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port, backlog: 1024 }, resolve);
    }).catch((error: NodeJS.ErrnoException) => {
      const remedy =
        error.code === 'EADDRINUSE'
          ? 'another program uses it. Stop that one, or set AIRCHECK_PORT to another port.'
          : messageOf(error);
      throw new StartError(`The server cannot listen on ${host}:${port}: ${remedy}`, {
        operation: 'listening',
        cause: error,
      });
    });
  }

  /** Takes no new connections, gives the requests that run a moment to end, and closes what is still open then. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    await Promise.race([closed, delay(graceMs, undefined, { ref: false })]);
    this.server.closeAllConnections();
  }
}
