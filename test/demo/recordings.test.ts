import { mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoLineup, demoSchedule } from '../../src/demo/lineup.ts';
import { recipes } from '../../src/demo/recipes.ts';
import { makeRecordings, type RecordingInfo, type RecordingsProgress } from '../../src/demo/recordings.ts';
import { collectionQuerySchema } from '../../src/library/media.ts';
import { scheduleSchema } from '../../src/schedule/types.ts';
import { readPictureClock } from '../support/picture-clock.ts';
import { sampleRecordings } from '../support/recordings.ts';

const ffmpegPath = process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg';
const ffprobePath = process.env.AIRCHECK_FFMPEG_PROBE_PATH ?? 'ffprobe';

let scratch: string;
let recordings: RecordingInfo[];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'aircheck-recordings-'));
  recordings = await sampleRecordings();
}, 240_000);

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

describe('the sample recordings', () => {
  test('are what their recipes say', async () => {
    expect(recordings.map((recording) => recording.number)).toEqual(recipes.map((recipe) => recipe.number));
    for (const recording of recordings) {
      const { format, streams } = await probe(recording.file);
      const video = streams.find((stream) => stream.codec_type === 'video');
      const audio = streams.find((stream) => stream.codec_type === 'audio');
      expect(video?.width, recording.path).toBe(recording.video?.width);
      expect(video?.height, recording.path).toBe(recording.video?.height);
      expect(audio === undefined, recording.path).toBe(recording.audio === undefined);
      expect(Math.abs(Number(format.duration) * 1000 - recording.durationMs), recording.path).toBeLessThan(
        150,
      );
    }
  });

  test('stay when they are whole, and are made again when they are not', async () => {
    const folder = join(scratch, 'kept');
    const only = [3, 10];
    const [old, radio] = (await makeRecordings(folder, { ffmpegPath, only })) as [
      RecordingInfo,
      RecordingInfo,
    ];
    const before = await stat(old.file);
    await truncate(radio.file, 1000);
    const seen: RecordingsProgress[] = [];
    await makeRecordings(folder, { ffmpegPath, only, onProgress: (progress) => seen.push(progress) });
    expect(
      seen.map((progress) => progress.kind === 'note' || [progress.kind, progress.recording.number]),
    ).toEqual([
      ['kept', old.number],
      ['made', radio.number],
    ]);
    expect((await stat(radio.file)).size).toBeGreaterThan(1000);
    expect((await stat(old.file)).mtimeMs).toBe(before.mtimeMs);
    // Nothing is left to do, so no ffmpeg is needed.
    await expect(makeRecordings(folder, { ffmpegPath: '/nowhere/ffmpeg', only })).resolves.toHaveLength(2);
  });

  test('that are called off leave neither files nor encoders', async () => {
    const other = join(scratch, 'called-off');
    const controller = new AbortController();
    const making = makeRecordings(other, { ffmpegPath, signal: controller.signal, only: [7, 4, 10] });
    setTimeout(() => controller.abort(new Error('enough')), 700);
    await expect(making).rejects.toThrow('enough');
    const { stdout } = await execa('find', [
      other,
      '-type',
      'f',
      '-not',
      '-name',
      '*.mka',
      '-not',
      '-name',
      '.recordings.json',
    ]);
    expect(stdout).toBe('');
  });

  test('fail with what ffmpeg said', async () => {
    await expect(makeRecordings(join(scratch, 'none'), { ffmpegPath: '/nowhere/ffmpeg' })).rejects.toThrow(
      '/nowhere/ffmpeg does not run',
    );
  });
});

describe('the picture clock', () => {
  test.each(recipes.filter((recipe) => recipe.video !== undefined))(
    'of $title says where each frame is from, also after it was encoded for a 480p channel',
    async (recipe) => {
      const { file } = recordings.find((recording) => recording.number === recipe.number)!;
      const copy = join(scratch, `${recipe.number}.ts`);
      const fromMs = 9_000;
      await encodeFor480p(file, copy, fromMs, 3_000);
      const frames = await readPictureClock(copy, { ffmpegPath });
      expect(frames.length).toBeGreaterThanOrEqual(88);
      const start = frames[0]!.ptsMs;
      // A frame of the source stays until the next one, and the copy has a grid of its own.
      const frameMs = recipe.video!.uneven
        ? 1000 / 15
        : Math.max(1000 / 30, 1000 / rateOf(recipe.video!.rate));
      for (const frame of frames) {
        expect(frame.recording).toBe(recipe.number);
        const due = fromMs + frame.ptsMs - start;
        expect(Math.abs(frame.positionMs! - due), `at ${frame.ptsMs} ms`).toBeLessThanOrEqual(frameMs + 5);
      }
    },
  );

  test('is not seen where there is none', async () => {
    const bare = join(scratch, 'bare.ts');
    await execa(ffmpegPath, ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=854x480:r=30', '-t', '1', bare]);
    const frames = await readPictureClock(bare, { ffmpegPath });
    expect(frames).toHaveLength(30);
    expect(frames.every((frame) => frame.recording === undefined && frame.positionMs === undefined)).toBe(
      true,
    );
  });
});

describe('the demo lineup', () => {
  test('has schedules and collections that the server takes', () => {
    const ids = new Map(demoLineup.collections.map(({ key }) => [key, crypto.randomUUID() as string]));
    for (const collection of demoLineup.collections) {
      expect(() => collectionQuerySchema.parse(collection.query)).not.toThrow();
    }
    for (const channel of demoLineup.channels) {
      const schedule = scheduleSchema.parse(demoSchedule(channel, ids));
      expect(schedule.slots.every((slot) => [...ids.values()].includes(slot.play))).toBe(true);
    }
  });
});

test('the sample recordings are unique by number, path and tone', () => {
  for (const key of ['number', 'path'] as const) {
    expect(new Set(recipes.map((recipe) => recipe[key])).size).toBe(recipes.length);
  }
  const tones = recipes.flatMap((recipe) => recipe.audio?.toneHz ?? []);
  expect(new Set(tones).size).toBe(tones.length);
});

async function encodeFor480p(input: string, output: string, fromMs: number, durationMs: number) {
  const fit = 'scale=w=min(854\\,trunc(480*dar/2)*2):h=min(480\\,trunc(854/dar/2)*2)';
  await execa(ffmpegPath, [
    ...['-v', 'error', '-y', '-ss', String(fromMs / 1000), '-i', input, '-t', String(durationMs / 1000)],
    ...['-an', '-vf', `${fit},setsar=1,pad=854:480:-1:-1,fps=30,format=yuv420p`],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-b:v', '1400k', '-maxrate', '1400k', '-bufsize', '1400k'],
    output,
  ]);
}

interface Probe {
  format: { duration: string };
  streams: { codec_type: string; width?: number; height?: number }[];
}

async function probe(file: string): Promise<Probe> {
  const args = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', file];
  return JSON.parse((await execa(ffprobePath, args)).stdout) as Probe;
}

function rateOf(rate: string): number {
  const [num, den = 1] = rate.split('/').map(Number);
  return num! / den;
}
