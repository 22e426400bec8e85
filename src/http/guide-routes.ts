import { type Context, Hono } from 'hono';
import type { Config } from '../config.ts';
import type { GuideService } from '../guide/guide-service.ts';
import { renderPlaylist } from '../guide/playlist.ts';
import { baseUrl } from '../guide/urls.ts';
import { entityTag, isNotModified } from '../guide/validators.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import type { HttpEnvironment } from './environment.ts';

/** The playlist and the guide: public, so that players need nothing but the address. */
export function guideRoutes(deps: {
  guide: GuideService;
  lineup: () => readonly LineupChannel[];
  config: Pick<Config, 'publicUrl' | 'trustProxy'>;
}): Hono<HttpEnvironment> {
  const app = new Hono<HttpEnvironment>();

  app.get('/channels.m3u', (c) => {
    const body = renderPlaylist(deps.lineup(), originOf(c, deps.config));
    const headers = {
      'content-type': 'audio/x-mpegurl; charset=utf-8',
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      vary: 'Host, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix',
      etag: entityTag(body),
    };
    if (isNotModified(conditions(c), { etags: [headers.etag] })) return c.body(null, 304, headers);
    return c.body(body, 200, headers);
  });

  app.get('/xmltv.xml', async (c) => {
    const snapshot = await deps.guide.snapshot();
    const zipped = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
    const headers = {
      'content-type': 'application/xml; charset=utf-8',
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      vary: 'Accept-Encoding',
      etag: zipped ? snapshot.gzipEtag : snapshot.etag,
      'last-modified': new Date(snapshot.lastModified).toUTCString(),
    };
    const etags = [snapshot.etag, snapshot.gzipEtag];
    if (isNotModified(conditions(c), { etags, lastModified: snapshot.lastModified })) {
      return c.body(null, 304, headers);
    }
    const body = zipped ? snapshot.gzip : snapshot.body;
    return c.body(new Uint8Array(body.buffer, body.byteOffset, body.length), 200, {
      ...headers,
      ...(zipped ? { 'content-encoding': 'gzip' } : {}),
      'content-length': String(body.length),
    });
  });

  app.get('/xmltv.xml.gz', async (c) => {
    const snapshot = await deps.guide.snapshot();
    const headers = {
      'content-type': 'application/gzip',
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      etag: snapshot.gzipEtag,
      'last-modified': new Date(snapshot.lastModified).toUTCString(),
    };
    if (isNotModified(conditions(c), { etags: [snapshot.gzipEtag], lastModified: snapshot.lastModified })) {
      return c.body(null, 304, headers);
    }
    const body = snapshot.gzip;
    return c.body(new Uint8Array(body.buffer, body.byteOffset, body.length), 200, headers);
  });

  return app;
}

/** The address under which this client reaches the server. */
export function originOf(
  c: Context<HttpEnvironment>,
  config: Pick<Config, 'publicUrl' | 'trustProxy'>,
): string {
  const { socket } = c.env.incoming;
  return baseUrl({
    publicUrl: config.publicUrl,
    trustProxy: config.trustProxy,
    header: (name) => c.req.header(name),
    local: { protocol: 'http', address: socket.localAddress, port: socket.localPort },
  });
}

function conditions(c: Context): { ifNoneMatch: string | undefined; ifModifiedSince: string | undefined } {
  return { ifNoneMatch: c.req.header('if-none-match'), ifModifiedSince: c.req.header('if-modified-since') };
}
