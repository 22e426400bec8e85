import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isCopyable } from '../../src/ffmpeg/arguments.ts';
import { analyseFile } from '../../src/library/analyse.ts';
import type { TimelineMedia } from '../../src/playout/timeline.ts';
import { toneOf } from '../library/clips.ts';
import { complaintsOf, ffmpeg, ffmpegPath } from '../mpegts/real-ffmpeg.ts';
import { analyse, faultsOf } from '../support/transport-stream.ts';
import { brightness, Shelf, Station, smallProfile, timeline } from './station.ts';

const target = -23;
const profile = { ...smallProfile, audio: { ...smallProfile.audio, loudnessLufs: target } };

let shelf: Shelf;
let loud: TimelineMedia;
let quiet: TimelineMedia;

beforeAll(async () => {
  shelf = await Shelf.open();
  await shelf.prepareSlates(profile);
  const input = (gray: string, lufs: number) => [
    ...['-f', 'lavfi', '-i', `color=c=0x${gray}:s=320x180:r=25`],
    ...toneOf(lufs),
  ];
  loud = await measured(
    await shelf.record('loud.mkv', 120, { seconds: 10, input: input('787878', -10), args: ['-c:a', 'ac3'] }),
  );
  quiet = await measured(
    await shelf.record('quiet.mp4', 220, {
      seconds: 10,
      input: input('dcdcdc', -30),
      args: ['-preset', 'fast', '-profile:v', 'high', '-g', '25', '-x264-params', 'b-pyramid=0:scenecut=0'],
    }),
  );
}, 60_000);

afterAll(() => shelf.close());

async function measured(media: TimelineMedia): Promise<TimelineMedia> {
  const { absolutePath, durationMs, probe } = media;
  const { size, mtimeMs } = await stat(absolutePath);
  const file = {
    root: dirname(absolutePath),
    path: basename(absolutePath),
    size,
    mtimeMs: Math.floor(mtimeMs),
  };
  const analysis = await analyseFile(
    {
      ...{ kind: 'loudness', ...file, durationMs, video: probe.video, audio: probe.audio },
      thresholds: { blackMs: 500, silenceDb: -50 },
    },
    { ffmpegPath, niceness: 0, stallMs: 20_000 },
  );
  if (analysis.kind !== 'measured') throw new Error(JSON.stringify(analysis));
  return { ...media, loudness: { ...analysis, at: 0 } };
}

/** The integrated loudness of a part of a stream, in seconds of its own clock. */
async function loudnessOf(stream: Buffer, from: number, to: number): Promise<number> {
  const part = `atrim=start=${from}:end=${to},ebur128=metadata=1`;
  const text = await ffmpeg(
    [
      ...['-v', 'error', '-copyts', '-f', 'mpegts', '-i', 'pipe:0', '-map', '0:a'],
      ...['-af', `${part},ametadata=print:key=lavfi.r128.I:file=-`, '-f', 'null', '-'],
    ],
    stream,
  );
  return Number([...text.toString('utf8').matchAll(/r128\.I=(\S+)/g)].at(-1)?.[1]);
}

describe('a channel whose profile has a target loudness', () => {
  it('airs what is loud and what is quiet alike', async ({ onTestFinished }) => {
    expect([loud, quiet].map(({ probe }) => isCopyable(probe, profile))).toEqual([false, true]);
    const station = await Station.open(shelf);
    onTestFinished(() => station.stop());
    const items = timeline(
      Date.now(),
      { media: loud, ms: 3_500 },
      { media: quiet, ms: 2_500 },
      // The same once more, from amid it, and unmeasured.
      { media: { ...quiet, id: 'unmeasured', loudness: { kind: 'silent', at: 0 } }, ms: 60_000, inMs: 2_000 },
    );
    const id = station.add('5', items, profile);
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)?.item?.id === 3);
    const bytes = watcher.bytes;

    const levels = new Map<string, number>();
    for (const { luma, from, to } of await brightness(bytes)) {
      const name = luma > 190 ? 'quiet' : luma > 100 ? 'loud' : 'slate';
      if (to - from > 1) levels.set(name, await loudnessOf(bytes, from + 0.2, to - 0.2));
    }
    expect([...levels.keys()].sort()).toEqual(['loud', 'quiet']);
    for (const [name, lufs] of levels) expect(Math.abs(lufs - target), `${name}: ${lufs}`).toBeLessThan(1);

    const [first, second, third] = station.manager.encoderRuns(id).map(({ args }) => args.join(' '));
    expect(first).toMatch(/volume=-1[23]\.\ddB,apad/);
    expect(second).toMatch(/-c:v copy -af \S+,volume=[67]\.\ddB -c:a aac/);
    expect(third).toContain('-c copy');
    expect(faultsOf(analyse(bytes), { frameTicks: 3600 })).toEqual([]);
    expect(await complaintsOf(bytes)).toBe('');
  });
});
