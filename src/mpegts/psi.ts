import { pids } from './packet.ts';

const programNumber = 1;
const transportStreamId = 1;
const originalNetworkId = 0xff01;

/** stream_type of ISO/IEC 13818-1, table 2-34. */
const streamTypes = { h264: 0x1b, aac: 0x0f } as const;

/** The programme association table: one programme. */
export function programAssociation(): Buffer {
  return section(0x00, transportStreamId, [programNumber >> 8, programNumber & 0xff, ...pidBytes(pids.pmt)]);
}

/** The programme map table: one video and one audio stream, the clock with the video. */
export function programMap(): Buffer {
  return section(0x02, programNumber, [
    ...pidBytes(pids.video),
    ...lengthBytes(0),
    streamTypes.h264,
    ...pidBytes(pids.video),
    ...lengthBytes(0),
    streamTypes.aac,
    ...pidBytes(pids.audio),
    ...lengthBytes(0),
  ]);
}

/** The service description table (ETSI EN 300 468 5.2.3): names the channel. */
export function serviceDescription(provider: string, service: string): Buffer {
  const descriptor = [0x01, ...dvbString(provider), ...dvbString(service)];
  return section(0x42, transportStreamId, [
    originalNetworkId >> 8,
    originalNetworkId & 0xff,
    0xff,
    programNumber >> 8,
    programNumber & 0xff,
    0xfc,
    0x80, // running, not scrambled
    descriptor.length + 2,
    0x48,
    descriptor.length,
    ...descriptor,
  ]);
}

/** UTF-8 by its DVB prefix, cut on a character so that a section stays within one packet. */
function dvbString(text: string): number[] {
  let cut = text;
  while (Buffer.byteLength(cut) > 60) cut = [...cut].slice(0, -1).join('');
  const bytes = [0x15, ...Buffer.from(cut)];
  return [bytes.length, ...bytes];
}

function pidBytes(pid: number): [number, number] {
  return [0xe0 | (pid >> 8), pid & 0xff];
}

function lengthBytes(length: number): [number, number] {
  return [0xf0 | (length >> 8), length & 0xff];
}

/** A whole section, version 0, with its checksum (ISO/IEC 13818-1 2.4.4). */
function section(tableId: number, extension: number, body: number[]): Buffer {
  const length = 5 + body.length + 4;
  const bytes = Buffer.from([
    tableId,
    (tableId === 0x42 ? 0xf0 : 0xb0) | (length >> 8),
    length & 0xff,
    extension >> 8,
    extension & 0xff,
    0xc1,
    0,
    0,
    ...body,
    0,
    0,
    0,
    0,
  ]);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

/** The checksum of ISO/IEC 13818-1 annex A: polynomial 0x04c11db7, not reflected (zlib's is). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  return crc >>> 0;
}
