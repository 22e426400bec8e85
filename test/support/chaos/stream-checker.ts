const packetSize = 188;
const nullPid = 0x1fff;
const videoTypes = [0x01, 0x02, 0x1b, 0x24];
const turn = 2 ** 33;
/**
 * A picture that repeats the one before it takes some 20 bytes in these formats, and one of a recording in motion
 * never less than 430. A slate begins, and begins again, with a few that are finished bit by bit: up to four of them
 * in a row are larger.
 */
const stillBytes = 250;
const picturesToGoStill = 5;
const picturesToMove = 10;

/** A time without motion in the picture, which is what a slate looks like. By arrival, in monotonic milliseconds. */
export interface Still {
  from: number;
  /** Undefined while it goes on. */
  to: number | undefined;
}

/** What was wrong with a stream so far. Times of the stream are milliseconds. */
export interface StreamFigures {
  bytes: number;
  packets: number;
  pictures: number;
  syncLosses: number;
  continuityErrors: number;
  discontinuities: number;
  /** Decoding times that do not lie behind the one before, of any stream. */
  stepsBack: number;
  /** The longest step of a decoding time of the picture. */
  longestStepMs: number;
  /** When that came, in monotonic milliseconds. */
  longestStepAt: number;
  /** Bytes behind the last whole packet. */
  trailingBytes: number;
  /** How much of the stream stood still, by the stream's own clock. */
  stillMs: number;
}

/**
 * Reads an MPEG-TS while it comes, for as long as one likes: keeps counters and nothing else. What it finds is
 * what a player would stumble over; `transport-stream.ts` says more about a stream that is kept whole.
 */
export class StreamChecker {
  /** The last ones, oldest first. */
  readonly stills: Still[] = [];
  private rest: Buffer = Buffer.alloc(0);
  private readonly counters = new Map<number, number>();
  private readonly lastDts = new Map<number, number>();
  private readonly elementary = new Map<number, 'video' | 'audio'>();
  private pmtPid: number | undefined;
  private picture: { bytes: number; key: boolean } | undefined;
  private alike = 0;
  /** When the first of the pictures that are alike came, and at which tick of the stream it belongs. */
  private change = { at: 0, tick: 0 };
  private stillFromTick = 0;
  private stillTicks = 0;
  /** Of the picture, since the beginning. */
  private ticks = 0;
  private readonly seen = {
    bytes: 0,
    packets: 0,
    pictures: 0,
    syncLosses: 0,
    continuityErrors: 0,
    discontinuities: 0,
    stepsBack: 0,
    longestStepMs: 0,
    longestStepAt: 0,
  };

  /** @param now monotonic milliseconds at which the bytes came */
  push(bytes: Buffer, now: number): void {
    this.seen.bytes += bytes.length;
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (at + packetSize <= all.length) {
      if (all[at] === 0x47) {
        this.packet(all.subarray(at, at + packetSize), now);
        at += packetSize;
        continue;
      }
      this.seen.syncLosses++;
      while (at < all.length && all[at] !== 0x47) at++;
    }
    this.rest = Buffer.from(all.subarray(at));
  }

  /** Whether the picture moves, that is, whether a programme is to be seen. */
  get moving(): boolean {
    return this.seen.pictures > picturesToMove && !this.isStill;
  }

  private get isStill(): boolean {
    const last = this.stills.at(-1);
    return last !== undefined && last.to === undefined;
  }

  figures(): StreamFigures {
    const openTicks = this.isStill ? this.ticks - this.stillFromTick : 0;
    const stillMs = Math.round((this.stillTicks + openTicks) / 90);
    return { ...this.seen, trailingBytes: this.rest.length, stillMs };
  }

  private packet(packet: Buffer, now: number): void {
    this.seen.packets++;
    const pid = packet.readUInt16BE(1) & 0x1fff;
    if (pid === nullPid) return;
    const hasPayload = (packet[3]! & 0x10) !== 0;
    const fieldBytes = packet[3]! & 0x20 ? 1 + packet[4]! : 0;
    const flags = fieldBytes > 1 ? packet[5]! : 0;
    const starts = (packet[1]! & 0x40) !== 0;
    this.count(pid, packet[3]! & 0x0f, hasPayload, (flags & 0x80) !== 0);
    if (!hasPayload || 4 + fieldBytes >= packetSize) return;
    const payload = packet.subarray(4 + fieldBytes);
    if (pid === 0 && starts) this.pmtPid = payload.readUInt16BE(payload[0]! + 11) & 0x1fff;
    else if (pid === this.pmtPid && starts) this.map(payload.subarray(1 + payload[0]!));
    else if (this.elementary.has(pid)) this.payload(pid, payload, starts, (flags & 0x40) !== 0, now);
  }

  /** ISO/IEC 13818-1 2.4.3.3. This server never sends a packet twice. */
  private count(pid: number, counter: number, hasPayload: boolean, jumps: boolean): void {
    if (jumps) this.seen.discontinuities++;
    const before = this.counters.get(pid);
    this.counters.set(pid, counter);
    if (before === undefined || jumps) return;
    if (counter !== (hasPayload ? (before + 1) % 16 : before)) this.seen.continuityErrors++;
  }

  private map(section: Buffer): void {
    const end = 3 + (section.readUInt16BE(1) & 0x0fff) - 4;
    let at = 12 + (section.readUInt16BE(10) & 0x0fff);
    while (at + 5 <= end) {
      const kind = videoTypes.includes(section[at]!) ? 'video' : 'audio';
      this.elementary.set(section.readUInt16BE(at + 1) & 0x1fff, kind);
      at += 5 + (section.readUInt16BE(at + 3) & 0x0fff);
    }
  }

  private payload(pid: number, payload: Buffer, starts: boolean, key: boolean, now: number): void {
    const isVideo = this.elementary.get(pid) === 'video';
    if (!starts) {
      if (isVideo && this.picture !== undefined) this.picture.bytes += payload.length;
      return;
    }
    this.time(pid, isVideo, payload, now);
    if (!isVideo) return;
    if (this.picture !== undefined) this.sawPicture(this.picture, now);
    this.picture = { bytes: payload.length - 9 - payload[8]!, key };
  }

  private time(pid: number, isVideo: boolean, payload: Buffer, now: number): void {
    const has = payload[7]! >> 6;
    if (has < 2) return;
    const dts = timeAt(payload, has === 3 ? 14 : 9);
    const before = this.lastDts.get(pid);
    this.lastDts.set(pid, dts);
    if (before === undefined) return;
    const forward = (dts - before + turn) % turn;
    const step = forward > turn / 2 ? forward - turn : forward;
    if (isVideo) this.ticks += step;
    if (step <= 0) this.seen.stepsBack++;
    else if (isVideo && step / 90 > this.seen.longestStepMs) {
      this.seen.longestStepMs = step / 90;
      this.seen.longestStepAt = now;
    }
  }

  /** Key frames are large in any case and say nothing. */
  private sawPicture({ bytes, key }: { bytes: number; key: boolean }, now: number): void {
    this.seen.pictures++;
    if (key) return;
    const { isStill } = this;
    if (bytes < stillBytes === isStill) {
      this.alike = 0;
      return;
    }
    if (this.alike++ === 0) this.change = { at: now, tick: this.ticks };
    if (this.alike < (isStill ? picturesToMove : picturesToGoStill)) return;
    this.alike = 0;
    if (isStill) this.endStill(this.stills.at(-1) as Still);
    else this.beginStill();
  }

  private beginStill(): void {
    this.stills.push({ from: this.change.at, to: undefined });
    if (this.stills.length > 20) this.stills.shift();
    this.stillFromTick = this.change.tick;
  }

  private endStill(still: Still): void {
    still.to = this.change.at;
    this.stillTicks += this.change.tick - this.stillFromTick;
  }
}

/** A 33-bit time of a PES header. */
function timeAt(bytes: Buffer, at: number): number {
  const [a, b, c] = [bytes[at]!, bytes.readUInt16BE(at + 1), bytes.readUInt16BE(at + 3)];
  return Math.floor((a % 16) / 2) * 2 ** 30 + Math.floor(b / 2) * 2 ** 15 + Math.floor(c / 2);
}
