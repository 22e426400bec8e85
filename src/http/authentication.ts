import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { problem } from './problems.ts';

/**
 * Lets through what carries the admin key as `Authorization: Bearer`. Where `basic` is set, the key is also
 * taken as the password of HTTP Basic, so that a browser can open a page by itself.
 */
export function requireAdminKey(adminKey: string, options: { basic: boolean }): MiddlewareHandler {
  const wanted = digest(adminKey);
  const challenge = options.basic ? 'Basic realm="aircheck", charset="UTF-8"' : 'Bearer realm="aircheck"';
  return async (c, next) => {
    const given = keyOf(c.req.header('authorization'), options.basic);
    if (given !== undefined && timingSafeEqual(digest(given), wanted)) return next();
    const hint = options.basic ? ' (or, in a browser, as the password)' : '';
    return problem(c, 401, `Send the admin key as "Authorization: Bearer <key>"${hint}.`, {
      headers: { 'www-authenticate': challenge },
    });
  };
}

function keyOf(header: string | undefined, basic: boolean): string | undefined {
  const match = /^(bearer|basic) +(\S+) *$/i.exec(header ?? '');
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  if (match[1].toLowerCase() === 'bearer') return match[2];
  if (!basic) return undefined;
  const pair = Buffer.from(match[2], 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

/** Equal lengths, whatever was sent. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
