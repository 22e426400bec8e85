import { ReadableStream } from 'node:stream/web';
import { setTimeout as delay } from 'node:timers/promises';
import { type Context, Hono } from 'hono';
import type { Config } from '../config.ts';
import { UnavailableError } from '../errors.ts';
import type { GuideBody, GuideDocument } from '../guide/guide-document.ts';
import type { GuideSelection, GuideService } from '../guide/guide-service.ts';
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
      vary: dependsOn,
      etag: entityTag(body),
    };
    if (isNotModified(conditions(c), { etags: [headers.etag] })) return c.body(null, 304, headers);
    return c.body(body, 200, headers);
  });

  app.get('/xmltv.xml', async (c) => {
    const encoding = acceptsGzip(c.req.header('accept-encoding')) ? 'gzip' : 'identity';
    return await sendGuide(c, 'application/xml; charset=utf-8', encoding);
  });

  /** For players that know a compressed guide by its address: the same file, and nothing to be undone on the way. */
  app.get('/xmltv.xml.gz', (c) => sendGuide(c, 'application/gzip', 'file'));

  async function sendGuide(
    c: Context<HttpEnvironment>,
    type: string,
    encoding: 'identity' | 'gzip' | 'file',
  ): Promise<Response> {
    const base = originOf(c, deps.config);
    const { document, lastModified } = await deps.guide.snapshot(selectionOf(c));
    const etag = document.etag(base);
    const gzipEtag = etag.replace(/"$/, '-gzip"');
    const headers = {
      'content-type': type,
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      vary: `${encoding === 'file' ? '' : 'Accept-Encoding, '}${dependsOn}`,
      'last-modified': new Date(lastModified).toUTCString(),
    };
    const etags = encoding === 'file' ? [gzipEtag] : [etag, gzipEtag];
    if (isNotModified(conditions(c), { etags, lastModified })) {
      return c.body(null, 304, { ...headers, etag: encoding === 'identity' ? etag : gzipEtag });
    }
    const packed = encoding === 'identity' ? undefined : await packedGuide(document, base, encoding);
    const body = packed ?? document.plain(base);
    const all = {
      ...headers,
      etag: packed === undefined ? etag : gzipEtag,
      'content-length': String(body.bytes),
      ...(packed !== undefined && encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
    };
    if (c.req.method === 'HEAD') return c.body(null, 200, all);
    return c.body(ReadableStream.from(body.chunks) as ReadableStream, 200, all);
  }

  return app;
}

/** What the server's address in an answer depends on. */
const dependsOn = 'Host, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix';
/** Who can take the guide uncompressed does not wait longer for it to be compressed for an address that is new. */
const packingWaitMs = 1_000;

/** Undefined when it takes too long or fails, and is not what was asked for by name. It goes on by itself. */
async function packedGuide(
  document: GuideDocument,
  base: string,
  encoding: 'gzip' | 'file',
): Promise<GuideBody | undefined> {
  const packing = document.gzip(base);
  if (encoding === 'file') return await packing;
  const late = new AbortController();
  try {
    return await Promise.race([packing, delay(packingWaitMs, undefined, { signal: late.signal })]);
  } catch (error) {
    if (error instanceof UnavailableError) return undefined;
    throw error;
  } finally {
    late.abort();
  }
}

/** `?days=3&channels=5,5.1`. Throws InvalidError. */
function selectionOf(c: Context): GuideSelection {
  const { days, channels } = c.req.query();
  return {
    // What is no number is no number of days either.
    days: days === undefined ? undefined : /^\d{1,3}$/.test(days) ? Number(days) : Number.NaN,
    channels: channels
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  };
}

/** RFC 9110 12.5.3, as far as it is about gzip. */
function acceptsGzip(header: string | undefined): boolean {
  for (const part of (header ?? '').split(',')) {
    const [coding, ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    if (coding !== 'gzip' && coding !== 'x-gzip') continue;
    return !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  }
  return false;
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
