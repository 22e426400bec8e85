import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AccessUnit } from '../../src/mpegts/access-unit.ts';
import { Demuxer } from '../../src/mpegts/demuxer.ts';
import { ffmpeg, ffprobe } from './real-ffmpeg.ts';
import { expectSame } from './units.ts';

let real: Buffer;
let whole: AccessUnit[];

beforeAll(async () => {
  real = await ffmpeg([
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=160x96:r=25', '-f', 'lavfi', '-i', 'sine=r=48000'],
    ...['-t', '4', '-c:v', 'libx264', '-preset', 'fast', '-bf', '2', '-g', '25', '-sc_threshold', '0'],
    ...['-c:a', 'aac', '-ac', '2', '-f', 'mpegts', '-mpegts_start_pid', '256', '-muxdelay', '0'],
    ...['-mpegts_pmt_start_pid', '4096', '-'],
  ]);
  whole = demux([real]);
});

function demux(pieces: readonly Buffer[]): AccessUnit[] {
  const demuxer = new Demuxer(48_000);
  return [...pieces.flatMap((piece) => demuxer.push(piece)), ...demuxer.flush()];
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const edges = [0, ...[...places].sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index]!, edge));
}

describe('the units of a stream', () => {
  it('are the pictures and the sound frames that ffprobe counts', async () => {
    const { streams } = await ffprobe(real, '-count_packets');
    const counted = streams.map(({ codec_type, nb_read_packets }) => [codec_type, Number(nb_read_packets)]);
    const count = (stream: string) => whole.filter((unit) => unit.stream === stream).length;
    expect(counted).toEqual([
      ['video', count('video')],
      ['audio', count('audio')],
    ]);
    expect(count('video')).toBe(100);
  });

  it('have the times and the key frames that ffprobe sees', async () => {
    const { packets } = await ffprobe(real, '-show_packets');
    for (const stream of ['video', 'audio']) {
      const seen = packets!.filter((packet) => packet.codec_type === stream);
      const found = whole.filter((unit) => unit.stream === stream);
      const times = seen.map(({ pts_time, dts_time }) =>
        [pts_time, dts_time].map((time) => Math.round(Number(time) * 90_000)),
      );
      expect(found.map(({ pts, dts }) => [pts, dts])).toEqual(
        times.map((pair) => pair.map((time) => expect.closeTo(time, -1))),
      );
      expect(found.map(({ key }) => key)).toEqual(seen.map(({ flags }) => flags.startsWith('K')));
    }
  });

  it('do not depend on where the bytes were cut on their way', () => {
    const places = fc.array(fc.nat(real.length), { maxLength: 60 });
    fc.assert(
      fc.property(places, (cuts) => expectSame(demux(cutAt(real, cuts)), whole)),
      { numRuns: 40 },
    );
  });

  it('do not depend on it when they come byte by byte either', () => {
    const some = real.subarray(0, 188 * 60);
    expectSame(demux([...some].map((byte) => Buffer.from([byte]))), demux([some]));
  });

  it('are all there behind bytes that are no packets', () => {
    const noise = fc
      .uint8Array({ maxLength: 500 })
      .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0x47 ? 0 : byte))));
    fc.assert(
      fc.property(noise, fc.nat(400), (before, cut) => {
        const bytes = Buffer.concat([before, real]);
        expectSame(demux(cutAt(bytes, [cut])), whole);
      }),
      { numRuns: 30 },
    );
  });

  it('go on behind bytes that were lost in the middle', () => {
    const hole = 188 * 40 + 77;
    const found = demux([real.subarray(0, hole), real.subarray(hole + 250)]);
    expect(found.length).toBeGreaterThan(whole.length - 6);
    expect(found.at(-1)).toEqual(whole.at(-1));
  });

  it('come out as soon as the next one of their stream has begun', () => {
    const demuxer = new Demuxer(48_000);
    let held = 0;
    for (const piece of cutAt(
      real,
      Array.from({ length: real.length / 188 }, (_, index) => index * 188),
    )) {
      held = demuxer.push(piece).length === 0 ? held + 1 : 0;
      expect(held).toBeLessThan(200);
    }
    expect(demuxer.flush()).toHaveLength(2);
    expect(demuxer.flush()).toHaveLength(0);
  });
});

describe('the times of a stream', () => {
  it('run on over the wrap, from the time that was announced', async () => {
    const wrap = 2 ** 33;
    const offset = (wrap - 90_000) / 90_000;
    const late = await ffmpeg(
      [
        ...['-v', 'error', '-f', 'mpegts', '-i', 'pipe:0', '-c', 'copy', '-copyts', '-f', 'mpegts'],
        ...['-output_ts_offset', String(offset), '-mpegts_start_pid', '256', '-muxdelay', '0', '-'],
      ],
      real,
    );
    for (const near of [wrap, 2 * wrap]) {
      const demuxer = new Demuxer(48_000, near);
      const video = [...demuxer.push(late), ...demuxer.flush()].filter((unit) => unit.stream === 'video');
      expect(video[0]!.pts).toBeLessThan(near);
      expect(video.at(-1)!.pts).toBeGreaterThan(near);
      video.slice(1).forEach((unit, index) => {
        expect(unit.dts - video[index]!.dts).toBe(3600);
      });
    }
  });
});
