import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '../../src/mpegts/access-unit.ts';
import { Demuxer } from '../../src/mpegts/demuxer.ts';
import { type Chunk, Muxer } from '../../src/mpegts/muxer.ts';
import { analyse, faultsOf } from '../support/transport-stream.ts';
import { complaintsOf, ffmpeg, ffprobe } from './real-ffmpeg.ts';
import { adtsFrame, expectSame, makeSource, picture } from './units.ts';

const service = { provider: 'aircheck', name: 'Five' };
const frameTicks = 3600;

function mux(units: readonly AccessUnit[]): Chunk {
  const muxer = new Muxer(service);
  for (const unit of units) muxer.write(unit);
  return muxer.take()!;
}

function demux(bytes: Buffer, near: number): AccessUnit[] {
  const demuxer = new Demuxer(48_000, near);
  return [...demuxer.push(bytes), ...demuxer.flush()];
}

/** A second and a half of the same source again and again would show nothing of counters: this is long. */
const minute = makeSource({ frames: 1500, frameTicks });

describe('a unit', () => {
  it('of any size fills whole packets with the right stuffing', () => {
    const muxer = new Muxer(service);
    const chunks: Buffer[] = [];
    for (let size = 1; size <= 2000; size++) {
      const time = 90_000 + size * frameTicks;
      muxer.write({
        stream: 'video',
        pts: time,
        dts: time,
        key: size % 30 === 1,
        payload: picture(size, size),
      });
      muxer.write({
        stream: 'audio',
        pts: time,
        dts: time,
        key: true,
        payload: adtsFrame(Math.max(7, size), size),
      });
      chunks.push(muxer.take()!.bytes);
    }
    expect(chunks.every((chunk) => chunk.length % 188 === 0)).toBe(true);
    const bytes = Buffer.concat(chunks);
    const found = analyse(bytes);
    expect([found.syncLosses, found.continuityErrors, found.malformed]).toEqual([0, [], []]);
    expect(found.video.units.map((unit) => unit.bytes)).toEqual(
      Array.from({ length: 2000 }, (_, i) => i + 1),
    );
    expect(found.audio.units.map((unit) => unit.bytes)).toEqual(
      Array.from({ length: 2000 }, (_, i) => Math.max(7, i + 1)),
    );
  });

  it('takes no more packets than it needs', () => {
    // In the first packet 4 + 8 bytes of headers and clock, and 19 of the PES; 184 in the others.
    for (const [size, packets] of [
      [1, 1],
      [157, 1],
      [158, 2],
      [341, 2],
      [342, 3],
    ] as const) {
      const { bytes } = mux([
        { stream: 'video', pts: 90_000, dts: 90_000, key: false, payload: picture(size) },
      ]);
      expect(analyse(bytes).packets - 3, `${size} bytes`).toBe(packets);
    }
  });

  it('larger than a slab is written whole', () => {
    const payload = picture(1_000_000, 9);
    const { bytes } = mux([{ stream: 'video', pts: 90_000, dts: 90_000, key: true, payload }]);
    expect(analyse(bytes).malformed).toEqual([]);
    expect(demux(bytes, 90_000)[0]!.payload.equals(payload)).toBe(true);
  });

  it('comes back from the demuxer as it was written', () => {
    const unit = fc.record({
      video: fc.boolean(),
      size: fc.integer({ min: 7, max: 3000 }),
      key: fc.boolean(),
      ahead: fc.nat(20_000),
    });
    const start = fc.constantFrom(0, 90_000, 2 ** 32 - 50_000, 2 ** 33 - 50_000, 2 ** 40 + 12_345);
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 40 }), start, (parts, from) => {
        const units = parts.map(({ video, size, key, ahead }, index): AccessUnit => {
          const dts = from + index * frameTicks;
          if (video) return { stream: 'video', pts: dts + ahead, dts, key, payload: picture(size, index) };
          return { stream: 'audio', pts: dts, dts, key: true, payload: adtsFrame(size, index) };
        });
        // The demuxer gives a unit when its stream goes on; the order within a stream is what counts.
        const of = (list: AccessUnit[], stream: string) => list.filter((entry) => entry.stream === stream);
        const found = demux(mux(units).bytes, from);
        for (const stream of ['video', 'audio']) expectSame(of(found, stream), of(units, stream));
      }),
      { numRuns: 150 },
    );
  });
});

describe('a stream', () => {
  it('is free of faults over a minute, whatever chunks it is taken in', () => {
    const muxer = new Muxer(service);
    const chunks: Buffer[] = [];
    minute.forEach((unit, index) => {
      muxer.write({ ...unit, dts: unit.dts, pts: unit.pts });
      if (index % 37 === 0) chunks.push(muxer.take()?.bytes ?? Buffer.alloc(0));
    });
    chunks.push(muxer.take()?.bytes ?? Buffer.alloc(0));
    expect(chunks.every((chunk) => chunk.length % 188 === 0)).toBe(true);
    const pieces = Buffer.concat(chunks);
    expect(pieces.equals(mux(minute).bytes)).toBe(true);
    expect(faultsOf(analyse(pieces), { frameTicks, maxFrames: 1 })).toEqual([]);
  });

  it('gives a chunk only when there is something in it', () => {
    const muxer = new Muxer(service);
    expect(muxer.take()).toBeUndefined();
    muxer.write(minute[0]!);
    expect(muxer.take()).toBeDefined();
    expect(muxer.take()).toBeUndefined();
  });

  it('never writes again into a chunk that was taken', () => {
    const muxer = new Muxer(service);
    const taken: { bytes: Buffer; copy: Buffer }[] = [];
    for (const unit of minute) {
      muxer.write({ ...unit, payload: Buffer.concat([unit.payload, Buffer.alloc(2000)]) });
      const chunk = muxer.take();
      if (chunk !== undefined) taken.push({ bytes: chunk.bytes, copy: Buffer.from(chunk.bytes) });
    }
    expect(taken.every(({ bytes, copy }) => bytes.equals(copy))).toBe(true);
  });

  it.each([
    ['23.976', 3753.75],
    ['25', 3600],
    ['30', 3000],
    ['59.94', 1501.5],
  ])('has its tables again within a tenth of a second and a frame, at %s frames a second', (_, ticks) => {
    const found = analyse(mux(makeSource({ frames: 600, frameTicks: ticks, gop: 600 })).bytes);
    for (const table of [found.pat, found.pmt]) {
      expect(table.maxIntervalMs).toBeLessThanOrEqual(100 + ticks / 90 + 1);
      expect(table.versions).toEqual([0]);
      expect(table.variants).toBe(1);
      expect(table.count).toBeGreaterThan(50);
    }
    expect(found.sdt.maxIntervalMs).toBeLessThanOrEqual(1200);
    expect(found.sdt.count).toBeGreaterThan(8);
    expect(found.maxClockIntervalMs).toBeLessThanOrEqual(ticks / 90 + 0.1);
  });

  it('has a clock that comes before every picture, and at most a second before', () => {
    const found = analyse(mux(makeSource({ frames: 500, frameTicks, between: 2 })).bytes);
    expect(found.clock.every(({ pid }) => pid === found.clockPid && pid === found.video.pid)).toBe(true);
    expect(found.video.units).toHaveLength(500);
    for (const unit of found.video.units) {
      expect(unit.inTimeBy).toBeGreaterThanOrEqual(0);
      expect(unit.earlyBy).toBeLessThanOrEqual(90_000);
    }
  });
});

describe('an entry', () => {
  it('is there for each key frame, and begins with PAT, PMT and that key frame', () => {
    const { bytes, entries } = mux(minute);
    const keys = minute.filter((unit) => unit.stream === 'video' && unit.key);
    expect(entries.map((entry) => entry.pts)).toEqual(keys.map((unit) => unit.pts));
    for (const entry of entries) {
      const { opening, video } = analyse(bytes.subarray(entry.offset));
      const first = opening.filter((kind) => kind !== 'sdt');
      expect(first.slice(0, 3)).toEqual(['pat', 'pmt', 'video key']);
      expect(video.units[0]!.pts).toBe(entry.pts);
    }
  });

  it('knows the counters of the packets before it', () => {
    const { bytes, entries } = mux(minute);
    for (const entry of entries.slice(0, 8)) {
      const before = new Map<number, number>();
      for (let at = 0; at < entry.offset; at += 188) {
        before.set(bytes.readUInt16BE(at + 1) & 0x1fff, bytes[at + 3]! & 15);
      }
      expect(new Map(entry.counters)).toEqual(before);
    }
  });

  it('has its place in its own chunk', () => {
    const muxer = new Muxer(service);
    for (const unit of minute) {
      muxer.write(unit);
      const chunk = muxer.take();
      for (const entry of chunk?.entries ?? []) {
        expect(analyse(chunk!.bytes.subarray(entry.offset)).opening[0]).toBe('pat');
      }
    }
  });

  it('is where a viewer can begin to decode: nothing is missing from there on', async () => {
    const made = await ffmpeg([
      ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=160x96:r=25', '-f', 'lavfi', '-i', 'sine=r=48000'],
      ...['-t', '3', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-flags', '+cgop', '-bf', '0'],
      ...['-c:a', 'aac', '-f', 'mpegts', '-mpegts_start_pid', '256', '-muxdelay', '0', '-'],
    ]);
    const { bytes, entries } = mux(
      demux(made, 0).map((unit) => ({ ...unit, pts: unit.pts + 90_000, dts: unit.dts + 90_000 })),
    );
    expect(entries).toHaveLength(3);
    for (const [index, entry] of entries.entries()) {
      const rest = bytes.subarray(entry.offset);
      expect(await complaintsOf(rest)).toBe('');
      const { streams } = await ffprobe(rest, '-count_frames');
      const video = streams.find((stream) => stream.codec_type === 'video');
      expect(Number(video!.nb_read_frames)).toBe(75 - 25 * index);
    }
  });
});
