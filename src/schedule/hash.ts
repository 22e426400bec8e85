/**
 * A hash of `prefix` followed by the text it is given: a whole number in [0, 2^53), well mixed, and the same
 * on every machine (cyrb53). The prefix is digested once.
 */
export function hashAfter(prefix: string): (text: string) => number {
  const start = digest(prefix, 0xdeadbeef, 0x41c6ce57);
  return (text) => finish(digest(text, start.low, start.high));
}

interface HashState {
  low: number;
  high: number;
}

function digest(text: string, low: number, high: number): HashState {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x9e3779b1);
    high = Math.imul(high ^ code, 0x5f356495);
  }
  return { low, high };
}

function finish({ low, high }: HashState): number {
  let a = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  let b = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d);
  b = Math.imul(b ^ (b >>> 15), 0x2c1b3c6d);
  return 0x100000000 * ((b ^ (b >>> 12)) & 0x1fffff) + ((a ^ (a >>> 12)) >>> 0);
}
