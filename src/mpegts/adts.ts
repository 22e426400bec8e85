/** Samples in an AAC frame. */
export const samplesPerFrame = 1024;

/** The frames in a buffer of ADTS (ISO/IEC 13818-7 6.2). A cut-off frame at the end is left out. */
export function splitAdts(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  let at = 0;
  while (at + 7 <= bytes.length) {
    if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xf6) !== 0xf0) {
      at++;
      continue;
    }
    const length = ((bytes[at + 3]! & 0x03) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    if (length < 7 || at + length > bytes.length) break;
    frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  return frames;
}
