import { createHash } from 'node:crypto';

/** What a client may hold up to ask whether its copy is still good (RFC 9110 8.8). */
export interface Validators {
  /** With quotes; one for each encoding of the same content. */
  etags: readonly string[];
  lastModified?: number;
}

/** A strong entity tag of content (RFC 9110 8.8.3), with its quotes. */
export function entityTag(content: string | Uint8Array): string {
  return `"${createHash('sha256').update(content).digest('base64url')}"`;
}

/** Whether to answer 304 (RFC 9110 13.1.2 and 13.1.3): If-Modified-Since counts only without If-None-Match. */
export function isNotModified(
  request: { ifNoneMatch?: string | undefined; ifModifiedSince?: string | undefined },
  { etags, lastModified }: Validators,
): boolean {
  const { ifNoneMatch, ifModifiedSince } = request;
  if (ifNoneMatch !== undefined) {
    const held = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    return held.some((tag) => tag === '*' || etags.includes(tag));
  }
  if (ifModifiedSince === undefined || lastModified === undefined) return false;
  // A date that cannot be read is NaN, and no comparison with that holds.
  return Math.floor(lastModified / 1000) * 1000 <= Date.parse(ifModifiedSince);
}
