import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { except } from 'hono/combine';
import { requireAdminKey } from '../authentication.ts';
import { checkBody, checkCoding, limitBody, limitImport } from '../request-checks.ts';
import { channelRoutes } from './channels.ts';
import { collectionRoutes } from './collections.ts';
import { diagnosticsRoutes } from './diagnostics.ts';
import { libraryRoutes } from './libraries.ts';
import { logRoutes } from './logs.ts';
import { mediaRoutes } from './media.ts';
import { previewRoutes } from './preview.ts';
import { profileRoutes } from './profiles.ts';
import { serverRoutes } from './server.ts';
import { apiRouter } from './shared.ts';
import { streamApiRoutes } from './streams.ts';
import { taskRoutes } from './tasks.ts';
import { transferRoutes } from './transfer.ts';

export type ApiDeps = { adminKey: string; version: string } & Parameters<typeof libraryRoutes>[0] &
  Parameters<typeof mediaRoutes>[0] &
  Parameters<typeof collectionRoutes>[0] &
  Parameters<typeof channelRoutes>[0] &
  Parameters<typeof diagnosticsRoutes>[0] &
  Parameters<typeof previewRoutes>[0] &
  Parameters<typeof profileRoutes>[0] &
  Parameters<typeof streamApiRoutes>[0] &
  Parameters<typeof taskRoutes>[0] &
  Parameters<typeof transferRoutes>[0] &
  Parameters<typeof logRoutes>[0] &
  Parameters<typeof serverRoutes>[0];

/** The admin API. Every route wants the admin key, the description of the API too. */
export function apiRoutes(deps: ApiDeps) {
  const app = apiRouter();
  for (const path of ['/docs', '/docs/*', '/openapi.json']) {
    app.use(path, requireAdminKey(deps.adminKey, { basic: true }));
  }
  const isPage = (path: string) => /^\/api\/(docs(\/|$)|openapi\.json$)/.test(path);
  const guard = requireAdminKey(deps.adminKey, { basic: false });
  app.use('*', (c, next) => (isPage(c.req.path) ? next() : guard(c, next)));
  // Behind the key: nothing is read for somebody who may not send it.
  app.use('*', checkCoding);
  // A file with whole channels is large: it is read in a worker thread, and checked there.
  app.use('/import', limitImport);
  const isImport = (path: string) => path === '/api/import';
  app.use(
    '*',
    except((c) => isImport(c.req.path), limitBody, checkBody),
  );

  app.route('/', libraryRoutes(deps));
  app.route('/', mediaRoutes(deps));
  app.route('/', collectionRoutes(deps));
  app.route('/', profileRoutes(deps));
  app.route('/', channelRoutes(deps));
  app.route('/', previewRoutes(deps));
  app.route('/', diagnosticsRoutes(deps));
  app.route('/', streamApiRoutes(deps));
  app.route('/', taskRoutes(deps));
  app.route('/', transferRoutes(deps));
  app.route('/', logRoutes(deps));
  app.route('/', serverRoutes(deps));

  app.openAPIRegistry.registerComponent('securitySchemes', 'adminKey', { type: 'http', scheme: 'bearer' });
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'aircheck',
      version: deps.version,
      description: 'The admin API. Send the admin key as `Authorization: Bearer <key>`.',
    },
    servers: [{ url: '/api' }],
    security: [{ adminKey: [] }],
  });

  app.get('/docs', (c) => c.html(docsPage));
  app.get('/docs/:file{[a-z-]+\\.(js|css)}', async (c) => {
    const file = c.req.param('file');
    const content = docsFiles[file];
    if (content === undefined) return c.notFound();
    return c.body(await content(), 200, {
      'content-type': file.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8',
      'cache-control': 'max-age=3600',
    });
  });
  return app;
}

const docsPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>aircheck API</title><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="docs"></div><script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
`;

const startScript = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', persistAuthorization: true });\n`;

/** From the package itself: the page needs no other host. */
const docsFiles: Record<string, () => Promise<Uint8Array<ArrayBuffer>>> = {
  'swagger-ui.css': () => packaged('swagger-ui.css'),
  'swagger-ui-bundle.js': () => packaged('swagger-ui-bundle.js'),
  'start.js': async () => new TextEncoder().encode(startScript),
};

async function packaged(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  return new Uint8Array(await readFile(join(folder, name)));
}
