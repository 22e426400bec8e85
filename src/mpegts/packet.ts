/** Length of a transport stream packet in bytes (ISO/IEC 13818-1 2.4.3.2). */
export const packetSize = 188;

export const syncByte = 0x47;

/** The PIDs of every stream that this server sends. They never change, whatever is on. */
export const pids = { pat: 0x0000, sdt: 0x0011, video: 0x0100, audio: 0x0101, pmt: 0x1000 } as const;

export type Pid = (typeof pids)[keyof typeof pids];

/** Continuity counters, one a PID (ISO/IEC 13818-1 2.4.3.3). */
export class ContinuityCounters {
  private readonly next = new Map<Pid, number>();

  /** The counter of the next packet with payload. */
  take(pid: Pid): number {
    const value = this.next.get(pid) ?? 0;
    this.next.set(pid, (value + 1) % 16);
    return value;
  }

  /** The counter of the packet that went last, for each PID that is in use. */
  last(): ReadonlyMap<Pid, number> {
    return new Map([...this.next].map(([pid, next]) => [pid, (next + 15) % 16]));
  }
}

/**
 * Packets without payload that tell a reader that the counters and clocks of all PIDs jump here
 * (discontinuity_indicator, ISO/IEC 13818-1 2.4.3.5).
 *
 * @param last the counter that the packet before the next one on each PID would have had
 */
export function discontinuityPackets(last: ReadonlyMap<Pid, number>): Buffer {
  const out = Buffer.alloc(last.size * packetSize, 0xff);
  let at = 0;
  for (const [pid, counter] of last) {
    out[at] = syncByte;
    out[at + 1] = pid >> 8;
    out[at + 2] = pid & 0xff;
    out[at + 3] = 0x20 | counter; // adaptation field only
    out[at + 4] = packetSize - 5;
    out[at + 5] = 0x80;
    at += packetSize;
  }
  return out;
}
