import { type FileHandle, open } from 'node:fs/promises';

/**
 * How much of a file is there, from 0 to 1, by what its container says its length is: a Matroska segment's
 * size, the boxes of an MP4 or MOV, the first chunk of an AVI. ffprobe believes the duration in the header
 * of a file that was cut off; this reads a few bytes and does not. Undefined where the container says
 * nothing: in MPEG-TS and MPEG-PS, whose duration comes from the last clock in the file and is right
 * anyway, in fragmented MP4 and live Matroska, which may end anywhere, and in all other formats.
 */
export async function presentShare(path: string, size: number): Promise<number | undefined> {
  const file = await open(path, 'r');
  try {
    const head = await read(file, 0, 64);
    const expected = matroskaEnd(head) ?? aviEnd(head) ?? (await mp4End(file, head, size));
    return expected === undefined || expected === 0 ? undefined : Math.min(1, size / expected);
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

/** RFC 8794: the EBML header, then the Segment (RFC 9559) with its size; all ones is "unknown". */
function matroskaEnd(head: Buffer): number | undefined {
  if (head.length < 12 || head.readUInt32BE(0) !== 0x1a45dfa3) return undefined;
  const header = variableInt(head, 4);
  if (header?.value === undefined) return undefined;
  const segment = 4 + header.length + header.value;
  if (segment + 4 > head.length || head.readUInt32BE(segment) !== 0x18538067) return undefined;
  const size = variableInt(head, segment + 4);
  return size?.value === undefined ? undefined : segment + 4 + size.length + size.value;
}

function variableInt(buffer: Buffer, at: number): { length: number; value: number | undefined } | undefined {
  const first = buffer[at];
  if (first === undefined || first === 0) return undefined;
  const length = Math.clz32(first) - 23;
  if (at + length > buffer.length) return undefined;
  let value = first - 2 ** (8 - length);
  let allOnes = value === 2 ** (8 - length) - 1;
  for (const byte of buffer.subarray(at + 1, at + length)) {
    value = value * 256 + byte;
    allOnes &&= byte === 0xff;
  }
  return { length, value: allOnes ? undefined : value };
}

function aviEnd(head: Buffer): number | undefined {
  if (head.length < 12) return undefined;
  if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'AVI ') return undefined;
  const size = head.readUInt32LE(4);
  return size === 0 ? undefined : size + 8;
}

const maxBoxes = 200;

/** ISO/IEC 14496-12 4.2: top-level boxes, each with its size. A file with fragments may end anywhere. */
async function mp4End(file: FileHandle, head: Buffer, size: number): Promise<number | undefined> {
  if (!/^(ftyp|moov|mdat|free|skip|wide|pnot)$/.test(head.toString('latin1', 4, 8))) return undefined;
  let at = 0;
  for (let boxes = 0; boxes < maxBoxes && at + 8 <= size; boxes++) {
    const box = await read(file, at, 16);
    if (box.length < 8 || box.toString('latin1', 4, 8) === 'moof') return undefined;
    const short = box.readUInt32BE(0);
    if (short === 0) return size;
    if (short === 1 && box.length < 16) return undefined;
    const length = short === 1 ? Number(box.readBigUInt64BE(8)) : short;
    if (length < 8) return undefined;
    at += length;
    if (at > size) return at;
  }
  return at;
}
