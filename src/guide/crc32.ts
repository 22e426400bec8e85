// CRC-32 of texts that are joined, from the CRC-32 of each: a gzip file ends with that of all of its content, and the
// guide's pieces are compressed once and joined often. Polynomials over GF(2), with the coefficient of x^0 in the
// highest bit, as CRC-32 has them (RFC 1952 8; the idea is that of zlib's crc32_combine).

/** x^32 + x^26 + … + 1, without x^32. */
const polynomial = 0xedb88320;
/** The polynomial 1. */
export const noShift = 0x80000000;

/** What so many bytes behind a text do to its CRC: x^(8 · bytes). To be kept with a text that is joined often. */
export function shiftOf(bytes: number): number {
  let shift = noShift;
  let square = 0x00800000; // x^8
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = product(shift, square);
    square = product(square, square);
  }
  return shift;
}

/** The CRC of a text with another one behind it. */
export function joinedCrc(before: number, behind: { crc: number; shift: number }): number {
  return (product(before, behind.shift) ^ behind.crc) >>> 0;
}

function product(a: number, b: number): number {
  let result = 0;
  let shifted = b;
  for (let bit = a | 0; bit !== 0; bit <<= 1) {
    if (bit < 0) result ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return result >>> 0;
}
