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

/** What `mix` gives is below it. */
export const mixes = 2 ** 53;

/** A whole number in [0, 2^53) for two digests, well mixed. */
export function mix(low: number, high: number, other: Digest): number {
  const l = Math.imul(low ^ other.low, 0x9e3779b1);
  const h = Math.imul(high ^ other.high, 0x5f356495);
  const a = Math.imul(l ^ (l >>> 16), 0x85ebca6b) ^ Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  const least = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d);
  return mixTop(low, high, other) * mixTopUnit + ((least ^ (least >>> 12)) >>> 0);
}

/** How many of `mix` one of `mixTop` stands for. */
export const mixTopUnit = 2 ** 32;

/** The upper 21 bits of `mix`, for half its time. */
export function mixTop(low: number, high: number, other: Digest): number {
  const l = Math.imul(low ^ other.low, 0x9e3779b1);
  const h = Math.imul(high ^ other.high, 0x5f356495);
  const a = Math.imul(l ^ (l >>> 16), 0x85ebca6b) ^ Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  const b = Math.imul(h ^ (h >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  const most = Math.imul(b ^ (b >>> 15), 0x2c1b3c6d);
  return (most ^ (most >>> 12)) & 0x1fffff;
}
