import type { AccessUnit } from './access-unit.ts';
import { writePcr, writeTimestamp } from './clock.ts';
import { ContinuityCounters, type Pid, packetSize, pids, syncByte } from './packet.ts';
import { programAssociation, programMap, serviceDescription } from './psi.ts';

/** A place where a viewer can enter: the packet of the PAT in front of a key frame. */
export interface EntryPoint {
  /** Bytes from the beginning of the chunk. */
  offset: number;
  /** The key frame's presentation time in ticks. */
  pts: number;
  /** The counters of the packets before it. */
  counters: ReadonlyMap<Pid, number>;
}

/** Whole packets, in the order in which they are to be sent. */
export interface Chunk {
  bytes: Buffer;
  entries: EntryPoint[];
}

/** The clock runs so far behind the decoding times: what a decoder's buffer may hold. */
const pcrLead = 54_000;
const psiEvery = 9_000;
const sdtEvery = 90_000;
const slabSize = packetSize * 2_048;
const body = packetSize - 4;

/**
 * Writes access units as one MPEG-TS (ISO/IEC 13818-1) with constant PIDs, tables and counters that run on
 * from item to item. The bytes are collected until `take`; they lie in slabs that are never written again.
 */
export class Muxer {
  private readonly counters = new ContinuityCounters();
  private readonly tables: { pat: Buffer; pmt: Buffer; sdt: Buffer };
  private slab = Buffer.allocUnsafeSlow(slabSize);
  private start = 0;
  private end = 0;
  private entries: EntryPoint[] = [];
  private psiAt = Number.NEGATIVE_INFINITY;
  private sdtAt = Number.NEGATIVE_INFINITY;

  constructor(service: { provider: string; name: string }) {
    this.tables = {
      pat: programAssociation(),
      pmt: programMap(),
      sdt: serviceDescription(service.provider, service.name),
    };
  }

  /** Writes a unit whose times are those of the output. */
  write(unit: AccessUnit): void {
    if (unit.stream === 'audio') {
      this.audio(unit);
      return;
    }
    const sdt = unit.dts - this.sdtAt >= sdtEvery;
    if (unit.key || unit.dts - this.psiAt >= psiEvery) this.psi(unit, sdt);
    this.video(unit);
  }

  /** What was written since the last call; undefined when that is nothing. */
  take(): Chunk | undefined {
    if (this.end === this.start) return undefined;
    const chunk = { bytes: this.slab.subarray(this.start, this.end), entries: this.entries };
    this.start = this.end;
    this.entries = [];
    return chunk;
  }

  private psi(unit: AccessUnit, sdt: boolean): void {
    this.reserve(3);
    if (unit.key) {
      this.entries.push({ offset: this.end - this.start, pts: unit.pts, counters: this.counters.last() });
    }
    this.section(pids.pat, this.tables.pat);
    this.section(pids.pmt, this.tables.pmt);
    this.psiAt = unit.dts;
    if (!sdt) return;
    this.section(pids.sdt, this.tables.sdt);
    this.sdtAt = unit.dts;
  }

  private section(pid: Pid, section: Buffer): void {
    const at = this.header(pid, true, 0x10);
    this.slab.fill(0xff, at, at + body);
    this.slab[at] = 0; // pointer_field
    section.copy(this.slab, at + 1);
  }

  private video(unit: AccessUnit): void {
    const pes = Buffer.alloc(19);
    pes.set([0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10]);
    writeTimestamp(pes, 9, 3, unit.pts);
    writeTimestamp(pes, 14, 1, unit.dts);
    const field = Buffer.alloc(7);
    field[0] = unit.key ? 0x50 : 0x10;
    writePcr(field, 1, unit.dts - pcrLead);
    this.packetize(pids.video, pes, unit.payload, field);
  }

  private audio(unit: AccessUnit): void {
    const pes = Buffer.alloc(14);
    const length = 8 + unit.payload.length;
    pes.set([0, 0, 1, 0xc0, length >> 8, length & 0xff, 0x84, 0x80, 5]);
    writeTimestamp(pes, 9, 2, unit.pts);
    this.packetize(pids.audio, pes, unit.payload, undefined);
  }

  /** @param field flags and body of the first packet's adaptation field, if it has one */
  private packetize(pid: Pid, pes: Buffer, payload: Buffer, field: Buffer | undefined): void {
    this.reserve(2 + Math.ceil((pes.length + payload.length + 8) / body));
    let sent = 0;
    let first = true;
    while (first || sent < payload.length) {
      const head = first ? pes.length : 0;
      const wanted = first && field !== undefined ? 1 + field.length : 0;
      const room = body - wanted - head;
      const length = Math.min(room, payload.length - sent);
      const stuffing = room - length;
      const adaptation = wanted + stuffing;
      let at = this.header(pid, first, adaptation > 0 ? 0x30 : 0x10);
      if (adaptation > 0) {
        this.adaptation(at, adaptation, first ? field : undefined);
        at += adaptation;
      }
      if (first) {
        pes.copy(this.slab, at);
        at += pes.length;
      }
      payload.copy(this.slab, at, sent, sent + length);
      sent += length;
      first = false;
    }
  }

  private adaptation(at: number, length: number, field: Buffer | undefined): void {
    this.slab[at] = length - 1;
    if (length === 1) return;
    this.slab.fill(0xff, at + 1, at + length);
    if (field === undefined) this.slab[at + 1] = 0;
    else field.copy(this.slab, at + 1);
  }

  /** Begins a packet; returns where its body begins. */
  private header(pid: Pid, unitStart: boolean, control: number): number {
    const at = this.end;
    this.slab[at] = syncByte;
    this.slab[at + 1] = (unitStart ? 0x40 : 0) | (pid >> 8);
    this.slab[at + 2] = pid & 0xff;
    this.slab[at + 3] = control | this.counters.take(pid);
    this.end += packetSize;
    return at + 4;
  }

  /** Makes sure that so many packets fit behind what is already there. */
  private reserve(packets: number): void {
    const size = packets * packetSize;
    if (this.end + size <= this.slab.length) return;
    const pending = this.slab.subarray(this.start, this.end);
    this.slab = Buffer.allocUnsafeSlow(Math.max(slabSize, pending.length + size));
    pending.copy(this.slab);
    this.end = pending.length;
    this.start = 0;
  }
}
