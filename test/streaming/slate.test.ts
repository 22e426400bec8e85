import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProcessError } from '../../src/errors.ts';
import type { ProfileSpec } from '../../src/ffmpeg/profile.ts';
import { Muxer } from '../../src/mpegts/muxer.ts';
import { Splicer } from '../../src/mpegts/splicer.ts';
import { type Slate, SlateStore } from '../../src/streaming/slate.ts';
import { SlateSource } from '../../src/streaming/slate-source.ts';
import { complaintsOf, ffmpegPath, scratchFolder } from '../mpegts/real-ffmpeg.ts';
import { analyse, faultsOf, steps } from '../support/transport-stream.ts';

const log = pino({ level: 'silent' });

function profileAt(
  frameRate: { num: number; den: number },
  sampleRate: 44_100 | 48_000 = 48_000,
): ProfileSpec {
  return {
    video: {
      codec: 'h264',
      width: 160,
      height: 96,
      frameRate,
      bitrateKbps: 200,
      preset: 'ultrafast',
      keyframeMs: 1000,
    },
    audio: { codec: 'aac', sampleRate, channels: 2, bitrateKbps: 64 },
  };
}

const plain = profileAt({ num: 25, den: 1 });

describe('the store of slates', () => {
  it('renders a slate once, for all who ask, and keeps it', async () => {
    const folder = await scratchFolder();
    const store = new SlateStore({ folder, ffmpegPath, log });
    expect(store.peek(plain)).toBeUndefined();
    const [one, other] = await Promise.all([store.get(plain), store.get(plain)]);
    expect(one).toBe(other);
    expect(store.peek(plain)).toBe(one);
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
    // A later start reads what is there: its ffmpeg is never run.
    const later = await new SlateStore({ folder, ffmpegPath: '/nowhere/ffmpeg', log }).get(plain);
    expect(later.video.length).toBe(one.video.length);
    expect(later.silence.equals(one.silence)).toBe(true);
  });

  it('has one slate for each format', async () => {
    const store = new SlateStore({ folder: await scratchFolder(), ffmpegPath, log });
    const one = await store.get(plain);
    const other = await store.get(profileAt({ num: 30, den: 1 }));
    expect([one.video.length, other.video.length]).toEqual([100, 120]);
  });

  it('says so when there is no ffmpeg, and tries again the next time', async () => {
    const deps = { folder: await scratchFolder(), ffmpegPath: '/nowhere/ffmpeg', log };
    const store = new SlateStore(deps);
    await expect(store.get(plain)).rejects.toBeInstanceOf(ProcessError);
    expect(store.peek(plain)).toBeUndefined();
    deps.ffmpegPath = ffmpegPath;
    expect((await store.get(plain)).video.length).toBe(100);
  });
});

describe.each([
  ['25', { num: 25, den: 1 }, 48_000],
  ['23.976', { num: 24_000, den: 1001 }, 44_100],
  ['59.94', { num: 60_000, den: 1001 }, 48_000],
] as const)('a slate of %s pictures a second', (_, frameRate, audioRate) => {
  const frameTicks = (90_000 * frameRate.den) / frameRate.num;
  let folder: string;
  let slate: Slate;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aircheck-slate-'));
    slate = await new SlateStore({ folder, ffmpegPath, log }).get(profileAt(frameRate, audioRate));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('goes on for ever in steps of one frame, and can be entered often', () => {
    const source = new SlateSource(slate, { frameTicks, audioRate });
    const units = Array.from({ length: 20_000 }, () => {
      expect(source.peek()).toBe(source.peek());
      return source.shift();
    });
    const video = units.filter((unit) => unit.stream === 'video');
    const audio = units.filter((unit) => unit.stream === 'audio');
    expect(video[0]).toMatchObject({ pts: 0, key: true });
    expect(audio[0]!.pts).toBe(0);
    for (const [list, step] of [
      [video, frameTicks],
      [audio, (1024 * 90_000) / audioRate],
    ] as const) {
      expect(list.length).toBeGreaterThan(5_000);
      expect(list.every((unit) => unit.pts === unit.dts)).toBe(true);
      for (const found of new Set(steps(list))) expect(Math.abs(found - step)).toBeLessThan(1);
      expect(Math.abs(list.at(-1)!.pts - (list.length - 1) * step)).toBeLessThan(1);
    }
    // Neither runs ahead of the other.
    expect(Math.abs(video.at(-1)!.pts - audio.at(-1)!.pts)).toBeLessThan(2 * frameTicks + 2100);
    const keys = video.flatMap((unit) => (unit.key ? [unit.pts] : []));
    expect(video.at(-1)!.pts - keys.at(-1)!).toBeLessThanOrEqual(60_000);
    for (const distance of new Set(keys.slice(1).map((pts, index) => pts - keys[index]!))) {
      expect(distance).toBeLessThanOrEqual(60_000);
    }
  });

  it('decodes without a word, over its own end and after itself', async () => {
    const muxer = new Muxer({ provider: 'aircheck', name: 'Five' });
    const splicer = new Splicer({ muxer, clockStart: 900_000, frameRate, audioRate, silence: slate.silence });
    for (let turn = 0; turn < 3; turn++) {
      const source = new SlateSource(slate, { frameTicks, audioRate });
      splicer.begin({ shift: splicer.position, end: Number.POSITIVE_INFINITY });
      const until = splicer.position + 6.1 * 90_000;
      while (splicer.position < until) splicer.write(source.shift());
    }
    const { bytes } = muxer.take()!;
    const stream = analyse(bytes);
    expect(faultsOf(stream, { frameTicks, maxFrames: 1 })).toEqual([]);
    expect(stream.video.units.length).toBeGreaterThan(18 * (90_000 / frameTicks));
    expect(await complaintsOf(bytes)).toBe('');
  });
});
