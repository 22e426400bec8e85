/** Ticks a second of PTS and DTS. */
export const ticksPerSecond = 90_000;

/** PTS, DTS and the base of a PCR have 33 bits (ISO/IEC 13818-1 2.4.3.5 and 2.4.3.7). */
export const wrapTicks = 2 ** 33;

/** A 64-bit count of ticks, as a whole number of 33 bits. Times before zero wrap too. */
export function wrap33(ticks: number): number {
  return ((Math.round(ticks) % wrapTicks) + wrapTicks) % wrapTicks;
}

/** The count nearest to `near` whose lower 33 bits are `wrapped`. */
export function unwrap33(wrapped: number, near: number): number {
  const distance = wrap33(wrapped - near);
  return near + (distance >= wrapTicks / 2 ? distance - wrapTicks : distance);
}

export function msToTicks(ms: number): number {
  return Math.round(ms * 90);
}

export function ticksToMs(ticks: number): number {
  return ticks / 90;
}

/** Reads the 33-bit time of a PES header at `at`. */
export function readTimestamp(from: Uint8Array, at: number): number {
  const high = (from[at]! >> 1) & 0x07;
  const middle = (from[at + 1]! << 7) | (from[at + 2]! >> 1);
  const low = (from[at + 3]! << 7) | (from[at + 4]! >> 1);
  return high * 2 ** 30 + middle * 2 ** 15 + low;
}

/**
 * Writes a time into the five bytes of a PES header at `at`.
 *
 * @param marker the four bits in front: 2 for a PTS alone, 3 for a PTS before a DTS, 1 for that DTS
 */
export function writeTimestamp(to: Uint8Array, at: number, marker: number, ticks: number): void {
  const time = wrap33(ticks);
  const high = Math.floor(time / 2 ** 30);
  const middle = Math.floor(time / 2 ** 15) % 2 ** 15;
  const low = time % 2 ** 15;
  to[at] = (marker << 4) | (high << 1) | 1;
  to[at + 1] = middle >> 7;
  to[at + 2] = ((middle & 0x7f) << 1) | 1;
  to[at + 3] = low >> 7;
  to[at + 4] = ((low & 0x7f) << 1) | 1;
}

/** Writes a programme clock reference into the six bytes at `at`; the 27 MHz extension is zero. */
export function writePcr(to: Uint8Array, at: number, ticks: number): void {
  const base = wrap33(ticks);
  const high = Math.floor(base / 2);
  to[at] = Math.floor(high / 2 ** 24) % 256;
  to[at + 1] = Math.floor(high / 2 ** 16) % 256;
  to[at + 2] = Math.floor(high / 2 ** 8) % 256;
  to[at + 3] = high % 256;
  to[at + 4] = (base % 2) * 0x80 + 0x7e;
  to[at + 5] = 0;
}
