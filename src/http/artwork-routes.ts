import { Readable } from 'node:stream';
import { type Context, Hono } from 'hono';
import type { Config } from '../config.ts';
import type { Database } from '../db/connection.ts';
import { findArtwork } from '../db/guide.ts';
import { NotFoundError } from '../errors.ts';
import { isNotModified } from '../guide/validators.ts';
import { type ArtworkKind, artworkKinds, iconOf } from '../library/artwork.ts';
import { openArtwork } from '../library/artwork-file.ts';
import type { HttpEnvironment } from './environment.ts';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The pictures that the guide names: public, as it is. `/artwork/{id}.jpg` is the one that stands for a media,
 * `/artwork/{id}/poster.jpg` a certain one. The ending is for players that take the type from it; what is sent
 * says its own.
 */
export function artworkRoutes(deps: {
  db: Database;
  config: { guide: Pick<Config['guide'], 'episodeIcon'> };
}): Hono<HttpEnvironment> {
  const app = new Hono<HttpEnvironment>();

  app.get('/artwork/:file', (c) => send(c, nameOf(c.req.param('file'))));
  app.get('/artwork/:id/:file', (c) => send(c, c.req.param('id'), nameOf(c.req.param('file')) ?? ''));

  async function send(c: Context<HttpEnvironment>, mediaId = '', kind?: string): Promise<Response> {
    const found = uuid.test(mediaId) ? await findArtwork(deps.db, mediaId) : undefined;
    const chosen = kind ?? (found && iconOf(found.kind, found.artwork, deps.config.guide.episodeIcon));
    const path = isKind(chosen) ? found?.artwork[chosen] : undefined;
    const file = found && path && (await openArtwork(found.library, path));
    if (!file) throw new NotFoundError('There is no such picture.', { operation: 'sending a picture' });
    const { handle, type, bytes, etag, lastModified } = file;
    const headers = {
      'content-type': type,
      'content-length': String(bytes),
      'cache-control': 'public, max-age=86400',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
      etag,
      'last-modified': new Date(lastModified).toUTCString(),
    };
    const ifNoneMatch = c.req.header('if-none-match');
    const ifModifiedSince = c.req.header('if-modified-since');
    if (isNotModified({ ifNoneMatch, ifModifiedSince }, { etags: [etag], lastModified })) {
      await handle.close();
      const { 'content-length': _, ...kept } = headers;
      return c.body(null, 304, kept);
    }
    if (c.req.method === 'HEAD' || bytes === 0) {
      await handle.close();
      return c.body(null, 200, headers);
    }
    // Not more than was announced, should the file grow meanwhile. The stream closes the file.
    const picture = Readable.toWeb(handle.createReadStream({ end: bytes - 1 }));
    return c.body(picture as ReadableStream, 200, headers);
  }

  return app;
}

/** Undefined for what is no name of a picture. */
function nameOf(file: string): string | undefined {
  return /^(.+)\.(?:jpe?g|png|webp)$/.exec(file)?.[1];
}

function isKind(text: string | undefined): text is ArtworkKind {
  return artworkKinds.some((kind) => kind === text);
}
