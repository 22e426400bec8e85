import { Hono } from 'hono';
import pino from 'pino';
import type { Database } from '../../src/db/connection.ts';
import type { GuideService } from '../../src/guide/guide-service.ts';
import { artworkRoutes } from '../../src/http/artwork-routes.ts';
import type { HttpEnvironment } from '../../src/http/environment.ts';
import { guideRoutes } from '../../src/http/guide-routes.ts';
import { answerError } from '../../src/http/problems.ts';
import { HttpServer } from '../../src/http/server.ts';
import type { LineupChannel } from '../../src/playout/lineup.ts';

/** The public part of the server that has to do with the guide, on a free loopback port. */
export async function startGuideServer(deps: {
  db: Database;
  guide: GuideService;
  lineup: () => readonly LineupChannel[];
}): Promise<{ base: string; stop(): Promise<void> }> {
  const app = new Hono<HttpEnvironment>();
  app.onError((error, c) => answerError(error, c, pino({ level: 'silent' })));
  const config = { publicUrl: undefined, trustProxy: true, guide: { episodeIcon: 'still' as const } };
  app.route('/iptv', guideRoutes({ ...deps, config }));
  app.route('/iptv', artworkRoutes({ ...deps, config }));
  const server = new HttpServer(app as never, { host: '127.0.0.1', port: 0 });
  await server.start();
  return { base: `http://127.0.0.1:${server.port}`, stop: () => server.stop() };
}
