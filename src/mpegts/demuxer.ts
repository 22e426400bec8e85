import type { AccessUnit } from './access-unit.ts';
import { samplesPerFrame, splitAdts } from './adts.ts';
import { readTimestamp, ticksPerSecond, unwrap33 } from './clock.ts';
import { packetSize, pids, syncByte } from './packet.ts';

interface OpenUnit {
  key: boolean;
  parts: Buffer[];
}

/**
 * Takes the MPEG-TS of one encoder apart into access units. The PIDs are the ones that the encoder was told
 * to use, so its PAT and PMT need not be read. Times are unwrapped and begin where the encoder's begin.
 */
export class Demuxer {
  private rest: Buffer | undefined;
  private readonly open = new Map<number, OpenUnit>();

  /** @param near a time not far from the first one, in ticks: what the encoder was told to begin with */
  constructor(
    private readonly audioRate: number,
    private near = 0,
  ) {}

  /** Takes any number of bytes; returns the units that they complete, in stream order. */
  push(bytes: Buffer): AccessUnit[] {
    const units: AccessUnit[] = [];
    const input = this.rest === undefined ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (at + packetSize <= input.length) {
      if (input[at] !== syncByte) {
        at++;
        continue;
      }
      this.packet(input, at, units);
      at += packetSize;
    }
    this.rest = at < input.length ? input.subarray(at) : undefined;
    return units;
  }

  /** The units that were still open at the end of the stream. */
  flush(): AccessUnit[] {
    const units: AccessUnit[] = [];
    for (const pid of [...this.open.keys()]) this.close(pid, units);
    return units;
  }

  private packet(input: Buffer, at: number, units: AccessUnit[]): void {
    const pid = ((input[at + 1]! & 0x1f) << 8) | input[at + 2]!;
    if (pid !== pids.video && pid !== pids.audio) return;
    const control = input[at + 3]! & 0x30;
    const field = control & 0x20 ? 1 + input[at + 4]! : 0;
    if (!(control & 0x10) || field >= packetSize - 4) return;
    const payload = input.subarray(at + 4 + field, at + packetSize);
    if (input[at + 1]! & 0x40) {
      this.close(pid, units);
      const key = field > 1 && (input[at + 5]! & 0x40) !== 0;
      this.open.set(pid, { key: pid === pids.audio || key, parts: [payload] });
    } else {
      this.open.get(pid)?.parts.push(payload);
    }
  }

  private close(pid: number, units: AccessUnit[]): void {
    const unit = this.open.get(pid);
    if (unit === undefined) return;
    this.open.delete(pid);
    const pes = Buffer.concat(unit.parts);
    if (pes.length < 14 || pes.readUIntBE(0, 3) !== 1) return;
    const flags = pes[7]! >> 6;
    const payload = pes.subarray(9 + pes[8]!);
    if (!(flags & 2) || payload.length === 0) return;
    const pts = this.unwrap(readTimestamp(pes, 9));
    if (pid === pids.video) {
      const dts = flags === 3 && pes.length >= 19 ? this.unwrap(readTimestamp(pes, 14)) : pts;
      units.push({ stream: 'video', pts, dts, key: unit.key, payload });
      return;
    }
    splitAdts(payload).forEach((frame, index) => {
      const time = pts + Math.round((index * samplesPerFrame * ticksPerSecond) / this.audioRate);
      units.push({ stream: 'audio', pts: time, dts: time, key: true, payload: frame });
    });
  }

  private unwrap(wrapped: number): number {
    this.near = unwrap33(wrapped, this.near);
    return this.near;
  }
}
