import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AccessUnit } from '../../src/mpegts/access-unit.ts';
import { Demuxer } from '../../src/mpegts/demuxer.ts';
import { Muxer } from '../../src/mpegts/muxer.ts';
import { reorderFrames, Splicer } from '../../src/mpegts/splicer.ts';
import { analyse, faultsOf, largestStep, steps, type TransportStream } from '../support/transport-stream.ts';
import { complaintsOf, ffmpeg, ffprobe } from './real-ffmpeg.ts';
import { adtsFrame, makeSource, type SourceOptions } from './units.ts';

const frameTicks = 3600;
const soundSlot = 1920;
const silence = adtsFrame(64, 0);

interface Options {
  clockStart?: number;
  frameRate?: { num: number; den: number };
  audioRate?: number;
}

/** A splicer and what came out of it, in order. */
class Broadcast {
  readonly sent: AccessUnit[] = [];
  readonly splicer: Splicer;
  private readonly chunks: Buffer[] = [];
  private readonly muxer = new Muxer({ provider: 'aircheck', name: 'Five' });
  readonly frameTicks: number;

  constructor({ clockStart = 900_000, frameRate = { num: 25, den: 1 }, audioRate = 48_000 }: Options = {}) {
    this.frameTicks = (90_000 * frameRate.den) / frameRate.num;
    const write = this.muxer.write.bind(this.muxer);
    this.muxer.write = (unit) => {
      this.sent.push(unit);
      write(unit);
    };
    this.splicer = new Splicer({ muxer: this.muxer, clockStart, frameRate, audioRate, silence });
  }

  /** Plays a source from the position that was reached, for so many frames, as the channel does. */
  play(
    units: readonly AccessUnit[],
    frames: number,
    entry = units.find((unit) => unit.stream === 'video')!,
  ): void {
    const start = Math.round(this.splicer.position);
    const end = Math.round(start + frames * this.frameTicks);
    this.splicer.begin({ shift: start - entry.pts, end });
    for (const unit of units) this.splicer.write(unit);
    this.splicer.holdUntil(end);
    this.take();
  }

  playMade(options: Omit<SourceOptions, 'frameTicks'> & { frameTicks?: number }): void {
    this.play(makeSource({ frameTicks: this.frameTicks, ...options }), options.frames);
  }

  /** What was sent, analysed. */
  read(): { bytes: Buffer; stream: TransportStream } {
    this.take();
    const bytes = Buffer.concat(this.chunks);
    return { bytes, stream: analyse(bytes) };
  }

  private take(): void {
    const chunk = this.muxer.take();
    if (chunk !== undefined) this.chunks.push(chunk.bytes);
  }

  of(stream: 'video' | 'audio', mark?: number): AccessUnit[] {
    return this.sent.filter(
      (unit) => unit.stream === stream && (mark === undefined || unit.payload[20] === mark),
    );
  }
}

/** Each joint leaves the picture one frame further and the sound one AAC frame. */
function expectSeamless(broadcast: Broadcast): void {
  const { stream } = broadcast.read();
  expect(faultsOf(stream, { frameTicks: broadcast.frameTicks, maxFrames: 1 })).toEqual([]);
  const pictures = new Set(steps(stream.video.units));
  // A frame time that is no whole number of ticks is rounded at both ends of a step.
  const rounding = broadcast.frameTicks % 1 === 0 ? 0 : 2;
  for (const step of pictures) expect(Math.abs(step - broadcast.frameTicks)).toBeLessThanOrEqual(rounding);
}

function expectEvenSound(broadcast: Broadcast, slot = soundSlot): void {
  for (const step of new Set(steps(broadcast.of('audio')))) {
    expect(Math.abs(step - slot)).toBeLessThanOrEqual(slot % 1 === 0 ? 0 : 1);
  }
}

describe('the joint of two sources', () => {
  const second = 90_000;
  it.each<[string, Partial<SourceOptions>]>([
    ['sound as long as its picture', {}],
    ['sound that ends early', { soundTo: 2.4 * second }],
    ['sound that goes on longer', { soundTo: 5 * second }],
    ['sound that begins before its picture', { soundFrom: -0.3 * second }],
    ['sound that begins late', { soundFrom: 0.7 * second }],
    ['sound that begins more than a second late', { soundFrom: 1.9 * second }],
    ['sound in the middle only', { soundFrom: 1.2 * second, soundTo: 1.6 * second }],
    ['no sound', { soundTo: -1 }],
  ])('keeps the steps of picture and sound, behind and before %s', (_, special) => {
    const broadcast = new Broadcast();
    broadcast.playMade({ frames: 80 });
    broadcast.playMade({ frames: 75, ...special });
    broadcast.playMade({ frames: 81, ...special });
    broadcast.playMade({ frames: 60 });
    broadcast.splicer.begin({ shift: 0, end: 0 });
    expectEvenSound(broadcast);
    expectSeamless(broadcast);
    expect(broadcast.of('video')).toHaveLength(296);
    const [first, last] = [broadcast.of('audio')[0]!, broadcast.of('audio').at(-1)!];
    expect(first.pts).toBe(900_000);
    expect(Math.abs(last.pts + soundSlot / 2 - 900_000 - 296 * frameTicks)).toBeLessThanOrEqual(soundSlot);
  });

  it('stays even for ever: a hundred sources of any length, sound and picture rate', () => {
    const one = fc.record({
      frames: fc.integer({ min: 2, max: 60 }),
      from: fc.integer({ min: 0, max: 300_000 }),
      soundFrom: fc.integer({ min: -40_000, max: 40_000 }),
      extra: fc.integer({ min: -60_000, max: 60_000 }),
      between: fc.constantFrom(0, 2),
    });
    const rate = fc.constantFrom(
      { num: 24_000, den: 1001 },
      { num: 25, den: 1 },
      { num: 30_000, den: 1001 },
      { num: 60, den: 1 },
    );
    const audio = fc.constantFrom(44_100, 48_000);
    const clockStart = fc.constantFrom(0, 900_000, 2 ** 33 - 400_000);
    fc.assert(
      fc.property(
        fc.array(one, { minLength: 100, maxLength: 100 }),
        rate,
        audio,
        clockStart,
        (sources, frameRate, audioRate, start) => {
          const broadcast = new Broadcast({ frameRate, audioRate, clockStart: start });
          for (const { extra, ...source } of sources) {
            const soundTo = source.frames * broadcast.frameTicks + extra;
            broadcast.playMade({ ...source, soundTo, audioRate });
          }
          expectEvenSound(broadcast, (1024 * 90_000) / audioRate);
          expectSeamless(broadcast);
        },
      ),
      { numRuns: 6 },
    );
  });

  it('leaves every sound within 11 ms of its picture, and does not add up', () => {
    const broadcast = new Broadcast();
    const shifts: number[] = [];
    for (let item = 0; item < 60; item++) {
      const mark = 2 + 2 * item;
      broadcast.playMade({ frames: 50 + item, soundFrom: item * 37, mark });
      const sound = broadcast.of('audio', mark)[0];
      const shownAt = broadcast.of('video', mark)[0]!.pts;
      // The very first sound of an item may be what the joint leaves out; the next one stands for it.
      const next = broadcast.of('audio', mark + 1)[0]!;
      shifts.push(
        sound === undefined ? next.pts - soundSlot - shownAt - item * 37 : sound.pts - shownAt - item * 37,
      );
    }
    expect(Math.max(...shifts.map(Math.abs))).toBeLessThanOrEqual(990);
    expect(Math.max(...shifts.map(Math.abs))).toBeGreaterThan(500);
  });

  it('sends no sound that belongs behind the end of its source', () => {
    const broadcast = new Broadcast();
    const units = makeSource({ frames: 100, frameTicks, mark: 10 });
    broadcast.splicer.begin({ shift: 900_000 - 90_000, end: 900_000 + 50 * frameTicks });
    const within = units.map((unit) => broadcast.splicer.write(unit));
    expect(within.filter((sent) => !sent).length).toBeGreaterThan(90);
    expect(broadcast.of('video')).toHaveLength(50);
    const sound = [...broadcast.of('audio', 10), ...broadcast.of('audio', 11)];
    expect(Math.max(...sound.map((unit) => unit.pts))).toBeLessThan(
      900_000 + 50 * frameTicks + soundSlot / 2,
    );
    expect(broadcast.splicer.position).toBe(900_000 + 50 * frameTicks);
  });

  it('obeys an end that was moved while the source is on', () => {
    const broadcast = new Broadcast();
    const units = makeSource({ frames: 100, frameTicks });
    broadcast.splicer.begin({ shift: 900_000 - 90_000, end: 900_000 + 100 * frameTicks });
    for (const unit of units.slice(0, 120)) broadcast.splicer.write(unit);
    const reached = broadcast.splicer.position;
    broadcast.splicer.endAt(reached);
    expect(
      units
        .slice(120)
        .filter((unit) => unit.stream === 'video')
        .map((unit) => broadcast.splicer.write(unit)),
    ).not.toContain(true);
    expect(broadcast.splicer.position).toBe(reached);
  });

  it('loses nothing of a sound whose times were rounded to milliseconds, as they are in Matroska', () => {
    // Wherever the joint falls, the rounding must not make a frame miss its place.
    for (let offset = 0; offset < soundSlot; offset += 60) {
      const broadcast = new Broadcast();
      const jitter = (index: number) =>
        Math.round(Math.round((index * soundSlot) / 90) * 90 - index * soundSlot);
      broadcast.playMade({ frames: 100, soundFrom: offset, jitter, mark: 10 });
      const own = broadcast
        .of('audio')
        .filter((unit) => unit.pts > 900_000 + 2 * soundSlot && unit.pts < 900_000 + 98 * frameTicks);
      expect(own.filter((unit) => unit.payload[20] === 0).length, `silence at offset ${offset}`).toBe(0);
      expectEvenSound(broadcast);
    }
  });

  it('does so at 44.1 kHz too, where a frame is no whole number of ticks', () => {
    for (let offset = 1000; offset < 1100; offset++) {
      const broadcast = new Broadcast({ audioRate: 44_100 });
      broadcast.playMade({ frames: 50, soundFrom: offset, audioRate: 44_100, mark: 10 });
      const own = broadcast
        .of('audio')
        .filter((unit) => unit.pts > 905_000 && unit.pts < 900_000 + 48 * frameTicks);
      expect(own.filter((unit) => unit.payload[20] === 0).length, `silence at offset ${offset}`).toBe(0);
    }
  });
});

describe('pictures', () => {
  it('before the key frame of an open GOP are left out', () => {
    const broadcast = new Broadcast();
    broadcast.playMade({ frames: 50 });
    const joint = broadcast.splicer.position;
    broadcast.play(makeSource({ frames: 50, frameTicks, leading: 2, between: 2, mark: 10 }), 50);
    const shown = broadcast.of('video', 10).map((unit) => unit.pts);
    expect(Math.min(...shown)).toBe(joint);
    expect(shown).toHaveLength(50);
    const { stream } = broadcast.read();
    expect(largestStep(stream.video.units)).toBeLessThanOrEqual(3 * frameTicks);
    expect(faultsOf(stream, { frameTicks, maxFrames: 3 })).toEqual([]);
  });

  it('of a source that does not begin with a key frame wait for one', () => {
    const broadcast = new Broadcast();
    const units = makeSource({ frames: 60, frameTicks, gop: 25 }).slice(20);
    broadcast.play(units, 60, units.find((unit) => unit.stream === 'video' && unit.key)!);
    expect(broadcast.of('video')[0]).toMatchObject({ key: true, pts: 900_000 });
  });

  it('that are reordered keep the step of one frame behind such as are not, and the other way round', () => {
    const broadcast = new Broadcast();
    for (const between of [0, 2, 0, 3, 2, 0]) broadcast.playMade({ frames: 75, between });
    expectSeamless(broadcast);
    expect(broadcast.of('video').every((unit) => unit.pts >= unit.dts)).toBe(true);
    const shown = broadcast
      .of('video')
      .map((unit) => unit.pts)
      .sort((a, b) => a - b);
    shown.slice(1).forEach((pts, index) => {
      expect(pts - shown[index]!).toBe(frameTicks);
    });
  });

  it('are decoded a constant time before they are shown, so that every source fits behind every other', () => {
    const broadcast = new Broadcast();
    broadcast.playMade({ frames: 10 });
    expect(broadcast.of('video')[0]!.pts - broadcast.of('video')[0]!.dts).toBe(reorderFrames * frameTicks);
  });

  it('of many sources in a row that are cut amid reordered ones do not come later and later', () => {
    const broadcast = new Broadcast();
    for (let item = 0; item < 12; item++) {
      broadcast.play(makeSource({ frames: 60, frameTicks, between: 2 }), 30 + (item % 3));
    }
    const { stream } = broadcast.read();
    expect(faultsOf(stream, { frameTicks })).toEqual([]);
    const shown = stream.video.units.map((unit) => unit.pts).sort((a, b) => a - b);
    expect(new Set(shown.slice(1).map((pts, index) => pts - shown[index]!))).toEqual(new Set([frameTicks]));
    for (const unit of stream.video.units) expect(unit.pts - unit.dts).toBeGreaterThan(frameTicks / 2);
  });

  it('that are missing at the end are made up by the one before them', () => {
    const broadcast = new Broadcast();
    broadcast.play(makeSource({ frames: 48, frameTicks }), 52);
    broadcast.playMade({ frames: 20 });
    const { stream } = broadcast.read();
    const shown = stream.video.units.map(({ pts }) => pts);
    expect(shown[48]! - shown[47]!).toBe(5 * frameTicks);
    // The decoder goes on evenly, and is as far ahead as before in the end.
    expect(largestStep(stream.video.units)).toBe(2 * frameTicks);
    const last = stream.video.units.at(-1)!;
    expect(last.pts - last.dts).toBe(reorderFrames * frameTicks);
    expect(faultsOf(stream, { frameTicks, maxFrames: 2 })).toEqual([]);
    expectEvenSound(broadcast);
  });
});

describe('the first picture', () => {
  it('is put where it belongs', () => {
    const broadcast = new Broadcast();
    broadcast.splicer.startAt(945_000);
    broadcast.playMade({ frames: 10 });
    expect(broadcast.of('video')[0]!.pts).toBe(945_000);
    const sound = broadcast.of('audio')[0]!.pts;
    expect(sound).toBeGreaterThanOrEqual(945_000);
    expect(sound).toBeLessThan(945_000 + soundSlot);
  });
});

describe('the clock', () => {
  it.each([
    ['2^33', 2 ** 33],
    ['2^32', 2 ** 32],
    ['twice 2^33', 2 ** 34],
  ])('passes %s without a trace, begun five seconds before', (_, border) => {
    const broadcast = new Broadcast({ clockStart: border - 5 * 90_000 });
    for (let item = 0; item < 8; item++) broadcast.playMade({ frames: 50 + item, between: item % 3 });
    const { stream } = broadcast.read();
    expect(faultsOf(stream, { frameTicks, maxFrames: 1 })).toEqual([]);
    expect(stream.video.units).toHaveLength(428);
    expect(stream.video.units.at(-1)!.pts - stream.video.units[0]!.pts).toBeGreaterThan(16 * 90_000);
    expect(Math.abs(stream.clock.at(-1)!.time - stream.clock[0]!.time - 427 * frameTicks * 300)).toBe(0);
  });

  describe('of real sources', () => {
    let sources: { units: AccessUnit[]; frames: number }[];

    beforeAll(async () => {
      sources = await Promise.all([
        real('testsrc2', 'sine=f=440:r=48000', ['-bf', '0', '-t', '2']),
        real('mandelbrot', 'sine=f=880:r=48000', ['-bf', '2', '-g', '20', '-t', '2.2']),
        real('smptebars', 'anullsrc=r=48000', ['-bf', '0', '-g', '50', '-t', '1.6']),
      ]);
    });

    async function real(
      picture: string,
      sound: string,
      args: string[],
    ): Promise<{ units: AccessUnit[]; frames: number }> {
      const bytes = await ffmpeg([
        ...['-v', 'error', '-f', 'lavfi', '-i', `${picture}=s=160x96:r=25`, '-f', 'lavfi', '-i', sound],
        ...[
          '-map',
          '0:v',
          '-map',
          '1:a',
          '-pix_fmt',
          'yuv420p',
          '-c:v',
          'libx264',
          '-preset',
          'fast',
          '-profile:v',
          'high',
        ],
        ...['-flags', '+cgop', '-sc_threshold', '0', '-c:a', 'aac', '-ac', '2', ...args],
        ...[
          '-f',
          'mpegts',
          '-mpegts_start_pid',
          '256',
          '-mpegts_pmt_start_pid',
          '4096',
          '-muxdelay',
          '0',
          '-',
        ],
      ]);
      const demuxer = new Demuxer(48_000);
      const units = [...demuxer.push(bytes), ...demuxer.flush()];
      return { units, frames: units.filter((unit) => unit.stream === 'video').length };
    }

    it('decodes where a source with reordered pictures is cut short, wherever that is', async () => {
      const complaints: string[] = [];
      for (let frames = 30; frames < 36; frames++) {
        const broadcast = new Broadcast();
        broadcast.play(sources[1]!.units, frames);
        broadcast.play(sources[0]!.units, sources[0]!.frames);
        const { bytes, stream } = broadcast.read();
        complaints.push(await complaintsOf(bytes), ...faultsOf(stream, { frameTicks, maxFrames: 2 }));
        const shown = stream.video.units.map((unit) => unit.pts).sort((a, b) => a - b);
        expect(shown).toHaveLength(frames + sources[0]!.frames);
      }
      expect(complaints.filter((complaint) => complaint !== '')).toEqual([]);
    });

    it.each([
      ['2^33', 2 ** 33],
      ['2^32', 2 ** 32],
      ['nothing in particular', 2_000_000],
    ])('passes %s, and ffmpeg decodes every picture on both sides without a word', async (_, border) => {
      const broadcast = new Broadcast({ clockStart: border - 5 * 90_000 });
      let frames = 0;
      for (let item = 0; item < 7; item++) {
        const source = sources[item % 3]!;
        broadcast.play(source.units, source.frames);
        frames += source.frames;
      }
      const { bytes, stream } = broadcast.read();
      expect(faultsOf(stream, { frameTicks, maxFrames: 1 })).toEqual([]);
      expect(await complaintsOf(bytes)).toBe('');
      const { streams } = await ffprobe(bytes, '-count_frames');
      expect(Number(streams.find((found) => found.codec_type === 'video')!.nb_read_frames)).toBe(frames);
    });
  });
});
