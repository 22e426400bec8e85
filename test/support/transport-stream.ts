import { readFile } from 'node:fs/promises';

/**
 * Reads an MPEG-TS the way a strict receiver does, and says what it saw. It shares no code with the server:
 * everything here is read off the bytes, PIDs included, so a mistake in the muxer cannot hide in it.
 *
 * Times are ticks of 90 kHz and run on over the 33-bit wrap; they are comparable within one analysis.
 */
export interface TransportStream {
  packets: number;
  /** Places where a packet should begin and there is no sync byte. */
  syncLosses: number;
  /** Bytes behind the last whole packet. */
  trailingBytes: number;
  continuityErrors: { pid: number; packet: number; expected: number; found: number }[];
  /** Packets with the discontinuity_indicator. */
  discontinuities: { pid: number; packet: number }[];
  /** Anything else that a standard forbids, in words. */
  malformed: string[];
  /** Programme clock references; `time` counts 27 MHz. */
  clock: { packet: number; pid: number; time: number }[];
  maxClockIntervalMs: number;
  pat: Table;
  pmt: Table;
  sdt: Table;
  service: { provider: string; name: string } | undefined;
  clockPid: number | undefined;
  streams: ElementaryStream[];
  /** The first stream of its kind; an empty one when there is none. */
  video: ElementaryStream;
  audio: ElementaryStream;
  /** What the first packets of the stream are: 'pat', 'pmt', 'sdt', 'video', 'video key', 'audio', 'other'. */
  opening: string[];
}

export interface Table {
  count: number;
  versions: number[];
  /** How many different contents there were. */
  variants: number;
  maxIntervalMs: number;
}

export interface ElementaryStream {
  pid: number;
  /** stream_type of the PMT. */
  type: number;
  units: Unit[];
}

/** One PES packet. */
export interface Unit {
  /** Index of its first packet. */
  packet: number;
  pts: number;
  dts: number;
  /** random_access_indicator. */
  key: boolean;
  /** Bytes behind the PES header. */
  bytes: number;
  /** DTS less the clock when its first and its last packet come, as far as there was a clock by then. */
  earlyBy: number | undefined;
  inTimeBy: number | undefined;
}

const packetSize = 188;
const videoTypes = [0x01, 0x02, 0x1b, 0x24];

export async function readTransportStream(file: string): Promise<TransportStream> {
  return analyse(await readFile(file));
}

export function analyse(bytes: Buffer): TransportStream {
  const reading = new Reading();
  let at = 0;
  while (at + packetSize <= bytes.length) {
    if (bytes[at] === 0x47) {
      reading.packet(bytes.subarray(at, at + packetSize));
      at += packetSize;
      continue;
    }
    reading.syncLosses++;
    while (at < bytes.length && bytes[at] !== 0x47) at++;
  }
  return reading.result(bytes.length - at);
}

/** Distances of the decoding times, in ticks, in the order of the stream. */
export function steps(units: readonly { dts: number }[]): number[] {
  return units.slice(1).map((unit, index) => unit.dts - units[index]!.dts);
}

export function largestStep(units: readonly { dts: number }[]): number {
  return steps(units).reduce((largest, step) => Math.max(largest, step), 0);
}

/** How often a decoding time does not lie behind the one before it. */
export function backwardSteps(units: readonly { dts: number }[]): number {
  return steps(units).filter((step) => step <= 0).length;
}

/**
 * Everything in a stream that a joint, or a fault of the muxer, could have left there; empty for a stream
 * that plays as one. Each entry is a sentence for the output of a failed test.
 */
export function faultsOf(
  stream: TransportStream,
  options: { frameTicks: number; maxFrames?: number },
): string[] {
  const found: string[] = [];
  for (const [what, first, times] of summary(stream.malformed))
    found.push(`${times} times: ${what}, first in ${first}`);
  const count = (number: number, what: string) => number > 0 && found.push(`${number} ${what}`);
  count(stream.syncLosses, 'losses of sync');
  count(stream.trailingBytes, 'bytes of a cut-off packet');
  count(
    stream.continuityErrors.length,
    `continuity errors, first ${JSON.stringify(stream.continuityErrors[0])}`,
  );
  count(stream.discontinuities.length, 'discontinuity flags');
  for (const name of ['pat', 'pmt'] as const) {
    if (stream[name].variants !== 1) found.push(`${stream[name].variants} contents of the ${name}`);
    if (stream[name].maxIntervalMs > 500) found.push(`${stream[name].maxIntervalMs} ms without a ${name}`);
  }
  // A frame time that is no whole number of ticks is rounded at both ends of a step.
  const limit = (options.maxFrames ?? 2) * options.frameTicks + 2;
  if (stream.maxClockIntervalMs > Math.max(100, limit / 90)) {
    found.push(`${stream.maxClockIntervalMs} ms without a clock`);
  }
  steps(stream.video.units).forEach((step, index) => {
    const place = `at picture ${index + 1} of ${stream.video.units.length}`;
    if (step <= 0) found.push(`the decoding time steps back by ${-step} ticks ${place}`);
    if (step > limit) found.push(`a step of ${step / options.frameTicks} frames ${place}`);
  });
  steps(stream.audio.units).forEach((step, index) => {
    if (step <= 0) found.push(`sound steps back by ${-step} ticks at frame ${index + 1}`);
    if (step > 2_100) found.push(`sound steps by ${step} ticks at frame ${index + 1}`);
  });
  for (const { pid, units } of stream.streams) {
    const late = units.filter((unit) => (unit.inTimeBy ?? 0) < 0);
    const early = units.filter((unit) => (unit.earlyBy ?? 0) > 90_000);
    const wrong = units.filter((unit) => unit.pts < unit.dts);
    if (late[0] !== undefined) {
      found.push(`${late.length} units of ${pid} come too late, the first by ${-late[0].inTimeBy!} ticks`);
    }
    if (early[0] !== undefined) {
      found.push(`${early.length} units of ${pid} come too early, the first by ${early[0].earlyBy} ticks`);
    }
    count(wrong.length, `units of ${pid} are shown before they are decoded`);
  }
  return found.length > 20 ? [...found.slice(0, 20), `and ${found.length - 20} more`] : found;
}

/** What was wrong, where it was so first, and how often. */
function summary(malformed: readonly string[]): [what: string, first: string, times: number][] {
  const kinds = new Map<string, [string, string, number]>();
  for (const entry of malformed) {
    const [place, what] = entry.split(': ', 2) as [string, string];
    const kind = kinds.get(what) ?? [what, place, 0];
    kind[2]++;
    kinds.set(what, kind);
  }
  return [...kinds.values()];
}

class Reading {
  syncLosses = 0;
  private packets = 0;
  private readonly continuityErrors: TransportStream['continuityErrors'] = [];
  private readonly discontinuities: TransportStream['discontinuities'] = [];
  private readonly malformed: string[] = [];
  private readonly clock: TransportStream['clock'] = [];
  private readonly counters = new Map<number, { last: number; repeated: boolean }>();
  private readonly tables = { pat: new TableReading(), pmt: new TableReading(), sdt: new TableReading() };
  private readonly streams = new Map<number, ElementaryStream>();
  private readonly open = new Map<number, Unit>();
  private readonly opening: string[] = [];
  private pmtPid: number | undefined;
  private clockPid: number | undefined;
  private service: TransportStream['service'];
  private near: number | undefined;

  packet(packet: Buffer): void {
    const pid = packet.readUInt16BE(1) & 0x1fff;
    const starts = (packet[1]! & 0x40) !== 0;
    const control = (packet[3]! >> 4) & 3;
    const field = control & 2 ? packet.subarray(4, 5 + packet[4]!) : Buffer.alloc(0);
    const flags = field.length > 1 ? field[1]! : 0;
    const payload = packet.subarray(4 + field.length);
    if (packet[1]! & 0x80) this.wrong('transport_error_indicator');
    if (control === 0) this.wrong('no payload and no adaptation field');
    if (4 + field.length > packetSize) this.wrong('an adaptation field longer than its packet');
    if (control === 2 && field.length !== packetSize - 4)
      this.wrong('an adaptation field that leaves a hole');
    if (control === 3 && payload.length === 0) this.wrong('a payload of no bytes');
    if (flags & 0x80) this.discontinuities.push({ pid, packet: this.packets });
    this.count(pid, packet[3]! & 0x0f, (control & 1) !== 0, (flags & 0x80) !== 0);
    if (flags & 0x10) this.reference(pid, field);
    this.stuffing(field, flags);
    if (control & 1) this.payload(pid, payload, starts, (flags & 0x40) !== 0);
    this.packets++;
  }

  result(trailingBytes: number): TransportStream {
    const streams = [...this.streams.values()];
    for (const pid of [...this.open.keys()]) this.complete(pid);
    const none: ElementaryStream = { pid: -1, type: -1, units: [] };
    const intervals = this.clock.slice(1).map(({ time }, index) => time - this.clock[index]!.time);
    return {
      packets: this.packets,
      syncLosses: this.syncLosses,
      trailingBytes,
      continuityErrors: this.continuityErrors,
      discontinuities: this.discontinuities,
      malformed: this.malformed,
      clock: this.clock,
      maxClockIntervalMs: intervals.reduce((max, interval) => Math.max(max, Math.abs(interval)), 0) / 27_000,
      pat: this.tables.pat.result(),
      pmt: this.tables.pmt.result(),
      sdt: this.tables.sdt.result(),
      service: this.service,
      clockPid: this.clockPid,
      streams,
      video: streams.find(({ type }) => videoTypes.includes(type)) ?? none,
      audio: streams.find(({ type }) => !videoTypes.includes(type)) ?? none,
      opening: this.opening,
    };
  }

  private wrong(what: string): void {
    this.malformed.push(`packet ${this.packets}: ${what}`);
  }

  /** ISO/IEC 13818-1 2.4.3.3: one more with each payload; a packet may be sent twice. */
  private count(pid: number, counter: number, hasPayload: boolean, jumps: boolean): void {
    if (pid === 0x1fff) return;
    const before = this.counters.get(pid);
    if (before === undefined || jumps) {
      this.counters.set(pid, { last: counter, repeated: !hasPayload });
      return;
    }
    const expected = hasPayload ? (before.last + 1) % 16 : before.last;
    const repeats = hasPayload && counter === before.last && !before.repeated;
    if (counter !== expected && !repeats) {
      this.continuityErrors.push({ pid, packet: this.packets, expected, found: counter });
    }
    // Only what has a payload can be repeated.
    this.counters.set(pid, { last: counter, repeated: repeats || !hasPayload });
  }

  private reference(pid: number, field: Buffer): void {
    if (field.length < 8) {
      this.wrong('an adaptation field too short for its clock');
      return;
    }
    if ((field[6]! & 0x7e) !== 0x7e) this.wrong('reserved bits of a clock reference are zero');
    const base = field.readUInt32BE(2) * 2 + (field[6]! >> 7);
    const extension = (field[6]! & 1) * 256 + field[7]!;
    if (extension > 299) this.wrong('the extension of a clock reference is above 299');
    this.near = this.unwrap(base);
    this.clock.push({ packet: this.packets, pid, time: this.near * 300 + extension });
  }

  private stuffing(field: Buffer, flags: number): void {
    if (field.length < 2) return;
    const begin = 2 + (flags & 0x10 ? 6 : 0) + (flags & 0x08 ? 6 : 0) + (flags & 0x04 ? 1 : 0);
    if (flags & 0x03) return;
    if (field.subarray(begin).some((byte) => byte !== 0xff)) this.wrong('stuffing that is not 0xff');
  }

  private payload(pid: number, payload: Buffer, starts: boolean, random: boolean): void {
    const kind = this.kindOf(pid);
    if (kind === 'pat' || kind === 'pmt' || kind === 'sdt') {
      if (starts) this.section(kind, payload.subarray(1 + payload[0]!));
    } else if (this.streams.has(pid)) {
      if (starts) this.begin(pid, payload, random);
      else this.more(pid, payload.length);
    }
    if (this.opening.length < 12) this.opening.push(random && kind !== 'other' ? `${kind} key` : kind);
  }

  private kindOf(pid: number): string {
    if (pid === 0) return 'pat';
    if (pid === 0x11) return 'sdt';
    if (pid === this.pmtPid) return 'pmt';
    const stream = this.streams.get(pid);
    if (stream === undefined) return 'other';
    return videoTypes.includes(stream.type) ? 'video' : 'audio';
  }

  private section(kind: 'pat' | 'pmt' | 'sdt', bytes: Buffer): void {
    const length = 3 + (bytes.readUInt16BE(1) & 0x0fff);
    const section = bytes.subarray(0, length);
    if (length > bytes.length) {
      this.wrong(`a ${kind} that does not fit its packet`);
      return;
    }
    if (remainder(section) !== 0) this.wrong(`the checksum of the ${kind} is wrong`);
    const { near } = this;
    this.tables[kind].saw(section, near);
    const body = section.subarray(8, -4);
    if (kind === 'pat') this.pmtPid = body.readUInt16BE(2) & 0x1fff;
    else if (kind === 'pmt') this.map(body);
    else this.service = serviceOf(body);
  }

  private map(body: Buffer): void {
    this.clockPid = body.readUInt16BE(0) & 0x1fff;
    let at = 4 + (body.readUInt16BE(2) & 0x0fff);
    while (at + 5 <= body.length) {
      const pid = body.readUInt16BE(at + 1) & 0x1fff;
      if (!this.streams.has(pid)) this.streams.set(pid, { pid, type: body[at]!, units: [] });
      at += 5 + (body.readUInt16BE(at + 3) & 0x0fff);
    }
  }

  private begin(pid: number, payload: Buffer, key: boolean): void {
    this.complete(pid);
    if (payload.length < 9 || payload.readUIntBE(0, 3) !== 1) {
      this.wrong('a PES packet without its start code');
      return;
    }
    const has = payload[7]! >> 6;
    if (has !== 2 && has !== 3) {
      this.wrong('a PES packet without a time');
      return;
    }
    const pts = this.time(payload, 9, has);
    const dts = has === 3 ? this.time(payload, 14, 1) : pts;
    const earlyBy = this.near === undefined ? undefined : dts - this.near;
    const unit = { packet: this.packets, pts, dts, key, bytes: 0, earlyBy, inTimeBy: earlyBy };
    this.open.set(pid, unit);
    this.more(pid, payload.length - 9 - payload[8]!);
    const declared = payload.readUInt16BE(4);
    if (declared > 0) this.declared.set(unit, declared - 3 - payload[8]!);
  }

  private readonly declared = new Map<Unit, number>();

  private more(pid: number, bytes: number): void {
    const unit = this.open.get(pid);
    if (unit === undefined) return;
    unit.bytes += bytes;
    if (this.near !== undefined) unit.inTimeBy = unit.dts - this.near;
  }

  private complete(pid: number): void {
    const unit = this.open.get(pid);
    if (unit === undefined) return;
    this.open.delete(pid);
    const declared = this.declared.get(unit);
    this.declared.delete(unit);
    if (declared !== undefined && declared !== unit.bytes) {
      this.wrong(`a PES packet of ${unit.bytes} bytes that says ${declared}`);
    }
    this.streams.get(pid)!.units.push(unit);
  }

  /** A 33-bit time of a PES header, with its marker bits. */
  private time(bytes: Buffer, at: number, marker: number): number {
    const [a, b, c] = [bytes[at]!, bytes.readUInt16BE(at + 1), bytes.readUInt16BE(at + 3)];
    if (a >> 4 !== marker || !(a & 1) || !(b & 1) || !(c & 1)) this.wrong('wrong marker bits in a time');
    return this.unwrap(Math.floor((a % 16) / 2) * 2 ** 30 + Math.floor(b / 2) * 2 ** 15 + Math.floor(c / 2));
  }

  /** Of all times with these 33 bits the one nearest to the clock. */
  private unwrap(bits: number): number {
    if (this.near === undefined) return bits;
    const turns = Math.round((this.near - bits) / 2 ** 33);
    return bits + turns * 2 ** 33;
  }
}

class TableReading {
  private readonly contents = new Set<string>();
  private readonly versions = new Set<number>();
  private count = 0;
  private last: number | undefined;
  private longest = 0;

  saw(section: Buffer, at: number | undefined): void {
    this.count++;
    this.versions.add((section[5]! >> 1) & 0x1f);
    this.contents.add(section.toString('latin1'));
    if (at !== undefined && this.last !== undefined) this.longest = Math.max(this.longest, at - this.last);
    this.last = at ?? this.last;
  }

  result(): Table {
    const { count, contents, longest } = this;
    return { count, versions: [...this.versions], variants: contents.size, maxIntervalMs: longest / 90 };
  }
}

function serviceOf(body: Buffer): TransportStream['service'] {
  const descriptor = body.subarray(8);
  if (descriptor[0] !== 0x48) return undefined;
  const first = descriptor.subarray(4, 4 + descriptor[3]!);
  const second = descriptor.subarray(5 + first.length, 5 + first.length + descriptor[4 + first.length]!);
  const text = (bytes: Buffer) => bytes.subarray(bytes[0] === 0x15 ? 1 : 0).toString('utf8');
  return { provider: text(first), name: text(second) };
}

/** Long division by the generator of ISO/IEC 13818-1 annex A: nothing is left of a section with its checksum. */
function remainder(bytes: Buffer): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    for (let mask = 0x80; mask >= 1; mask /= 2) {
      const out = register >= 0x80000000 !== (byte & mask) > 0;
      register = (register * 2) % 2 ** 32;
      if (out) register = (register ^ 0x04c11db7) >>> 0;
    }
  }
  return register;
}
