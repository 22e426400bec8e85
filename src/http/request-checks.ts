import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { problem } from './problems.ts';

/**
 * Refuses addresses that no route could make sense of, and ends what a HEAD request has begun: a route answers it
 * as it would answer GET, and nobody would ever read, or leave, an endless body.
 */
export const checkAddress: MiddlewareHandler = async (c, next) => {
  // Neither a database nor a file system takes NUL.
  if (c.req.url.includes('%00')) return problem(c, 400, 'An address cannot hold a NUL character.');
  if (userInAddress.test(c.req.url)) {
    return problem(c, 400, 'An address cannot hold a user or a password; send the key as a header.');
  }
  await next();
  if (c.req.method === 'HEAD') await c.res.body?.cancel();
};

/** Only of a request to a proxy, which names the whole URL. */
const userInAddress = /^https?:\/\/[^/?#]*@/;

export const limitBody: MiddlewareHandler = bodyLimit({
  maxSize: 1024 * 1024,
  onError: (c) => problem(c, 413, 'A request body may have 1 MiB at most.'),
});

/** Of a file with whole channels, whose lists by hand can be long: this is some 150,000 paths. */
export const limitImport: MiddlewareHandler = bodyLimit({
  maxSize: 16 * 1024 * 1024,
  onError: (c) => problem(c, 413, 'A file of channels may have 16 MiB at most.'),
});

/** Refuses bodies that are said to be something else than text in UTF-8. */
export const checkCoding: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD' || !hasBody(c.req.raw.headers)) return next();
  const coding = c.req.header('content-encoding')?.trim().toLowerCase();
  if (coding !== undefined && coding !== '' && coding !== 'identity') {
    return problem(c, 415, 'A body must be sent as it is, without a Content-Encoding.', {
      headers: { 'accept-encoding': 'identity' },
    });
  }
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(c.req.header('content-type') ?? '')?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    return problem(c, 415, 'A body must be UTF-8.');
  }
  return next();
};

/** Refuses bodies that cannot be read as the text that they are meant to be. What the text says is for the routes. */
export const checkBody: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD' || !hasBody(c.req.raw.headers)) return next();
  const text = utf8(await c.req.arrayBuffer());
  if (text === undefined) return problem(c, 400, 'The body is not UTF-8.');
  if (hasUnusableText(text)) {
    return problem(c, 422, 'A text holds a character that cannot be kept: NUL, or half of a surrogate pair.');
  }
  return next();
};

function hasBody(headers: Headers): boolean {
  return headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0;
}

function utf8(bytes: ArrayBuffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const suspiciousEscape = /\\u(?:0000|d[89a-f][\da-f]{2})/i;
const unusable = /\0|\p{Surrogate}/u;

/** Such characters can only stand in JSON as escapes, so nearly every body is passed by its looks. */
function hasUnusableText(json: string): boolean {
  if (!suspiciousEscape.test(json)) return false;
  let found = false;
  try {
    JSON.parse(json, (key, value: unknown) => {
      found ||= unusable.test(key) || (typeof value === 'string' && unusable.test(value));
      return value;
    });
  } catch {
    // It is no JSON, and the route will say so.
  }
  return found;
}
