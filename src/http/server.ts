import { createServer, type Server, type ServerOptions } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { Logger } from 'pino';
import { inHaste } from '../db/patience.ts';
import { messageOf, StartError } from '../errors.ts';
import { type ApiDeps, apiRoutes } from './api/api.ts';
import { artworkRoutes } from './artwork-routes.ts';
import type { HttpEnvironment } from './environment.ts';
import { guideRoutes } from './guide-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { countAnswers, metricsRoutes } from './metrics-routes.ts';
import { answerBeforeRouting, answerError, problem } from './problems.ts';
import { checkAddress } from './request-checks.ts';
import { streamRoutes } from './stream-routes.ts';

const graceMs = 1_000;

type Deps = ApiDeps &
  Parameters<typeof guideRoutes>[0] &
  Parameters<typeof artworkRoutes>[0] &
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
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const allow = methods.join(', ');
        const detail = `${c.req.method} is not possible at ${c.req.path}, but ${allow} is.`;
        return problem(c, 405, detail, { headers: { allow } });
      },
    }),
  );
  app.use(checkAddress);
  // Somebody waits: while the database is away, better a 503 soon than an answer in a minute.
  app.use('/api/*', (_, next) => inHaste(next));
  app.route('/health', healthRoutes(deps));
  app.route('/metrics', metricsRoutes(deps));
  app.route('/iptv', guideRoutes(deps));
  app.route('/iptv', artworkRoutes(deps));
  app.route('/iptv', streamRoutes(deps));
  app.route('/api', apiRoutes(deps));
  return app;
}

/**
 * What a client may take of the server's time and memory before its request is whole. None of this touches an answer
 * that is under way: a stream goes on for days.
 */
const requestLimits: ServerOptions = {
  // Real clients send their headers in one go; who does not within this time holds a socket for nothing.
  headersTimeout: 15_000,
  // For the whole request: the largest body there may be, on a line of 150 kbit/s.
  requestTimeout: 60_000,
  // How often these two are looked after.
  connectionsCheckingInterval: 5_000,
  // Longer than the 60 s for which proxies keep an idle connection: otherwise one that is being closed here is
  // chosen there for the next request, which is then lost.
  keepAliveTimeout: 65_000,
  // Of all headers together, as Node has it by default. More is answered with 431.
  maxHeaderSize: 16_384,
};

/** A port that is listened on. */
export class HttpServer {
  private readonly server: Server;

  constructor(
    app: OpenAPIHono<HttpEnvironment>,
    private readonly where: { host: string; port: number },
    limits: ServerOptions = {},
  ) {
    const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
      // HTTP/1.0 knows no Host header, and some old players speak it.
      hostname: 'localhost',
      errorHandler: answerBeforeRouting,
    });
    this.server = createServer({ ...requestLimits, ...limits }, listener);
    // Of a connection on which nothing moves, at whatever stage: a paused player would be cut off.
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
