/** A text, digested to twice 32 bits. */
export interface Digest {
  low: number;
  high: number;
}

const nothing: Digest = { low: 0xdeadbeef, high: 0x41c6ce57 };

/**
 * Digests a text. The same on every machine (cyrb53).
 *
 * @param behind the digest of what stands before it
 */
export function digest(text: string, behind: Digest = nothing): Digest {
  let { low, high } = behind;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x9e3779b1);
    high = Math.imul(high ^ code, 0x5f356495);
  }
  return { low, high };
}

/** A whole number in [0, 2^53) for two digests, well mixed. */
export function mix(low: number, high: number, other: Digest): number {
  const l = Math.imul(low ^ other.low, 0x9e3779b1);
  const h = Math.imul(high ^ other.high, 0x5f356495);
  let a = Math.imul(l ^ (l >>> 16), 0x85ebca6b) ^ Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  let b = Math.imul(h ^ (h >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d);
  b = Math.imul(b ^ (b >>> 15), 0x2c1b3c6d);
  return 0x100000000 * ((b ^ (b >>> 12)) & 0x1fffff) + ((a ^ (a >>> 12)) >>> 0);
}
