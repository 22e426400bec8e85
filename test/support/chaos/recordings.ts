import { createHash } from 'node:crypto';
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { execa } from 'execa';

/** The one format of the cheap recordings: an encoder of it takes some 3 % of a core. */
export const cheapProfile = {
  video: {
    codec: 'h264',
    width: 320,
    height: 180,
    frameRate: { num: 25, den: 1 },
    bitrateKbps: 200,
    preset: 'ultrafast',
    keyframeMs: 1000,
  },
  audio: { codec: 'aac', bitrateKbps: 64 },
} as const;

/**
 * Short ones, in the containers in which damage shows differently, and some in exactly the channel's format,
 * so that they are copied and not encoded. The picture is always in motion: what stands still is a slate.
 */
const recipes = [
  { name: 'Clip 1.mp4', seconds: 14, preset: 'ultrafast' },
  { name: 'Clip 2.mkv', seconds: 18, preset: 'veryfast' },
  { name: 'Clip 3.ts', seconds: 16, preset: 'ultrafast' },
  { name: 'Clip 4.mp4', seconds: 24, preset: 'veryfast' },
  { name: 'Clip 5.mkv', seconds: 20, preset: 'ultrafast' },
  { name: 'Clip 6.ts', seconds: 28, preset: 'ultrafast' },
];

const kept = join(import.meta.dirname, '../../../.demo/cheap-recordings');

/** Puts the cheap recordings into a folder. They are made once and kept. Returns their paths. */
export async function copyCheapRecordings(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const copies: string[] = [];
  for (const original of await cheapRecordings()) {
    const copy = join(folder, basename(original));
    await copyFile(original, copy);
    copies.push(copy);
  }
  return copies;
}

/** The originals, which nobody may change. */
export async function cheapRecordings(): Promise<string[]> {
  const folder = join(kept, createHash('sha256').update(JSON.stringify(recipes)).digest('hex').slice(0, 12));
  await mkdir(folder, { recursive: true });
  return Promise.all(recipes.map((recipe, index) => made(join(folder, recipe.name), recipe, index)));
}

/** Puts a recording of ten minutes into a folder, for timelines of few rows. Kept like the others. */
export async function copyLongRecording(folder: string): Promise<void> {
  const [clip] = await cheapRecordings();
  const file = join(clip as string, '../long.mkv');
  await once(file, (part) => [
    ...['-nostdin', '-v', 'error', '-y', '-stream_loop', '-1', '-i', clip as string],
    ...['-t', '600', '-c', 'copy', part],
  ]);
  await mkdir(folder, { recursive: true });
  await copyFile(file, join(folder, 'Long.mkv'));
}

async function made(file: string, recipe: (typeof recipes)[number], index: number): Promise<string> {
  const { width, height, frameRate } = cheapProfile.video;
  const picture = `testsrc2=s=${width}x${height}:r=${frameRate.num}:d=${recipe.seconds},hue=h=${index * 60}`;
  const sound = `sine=frequency=${300 + 100 * index}:sample_rate=48000:duration=${recipe.seconds}`;
  await once(file, (part) => [
    ...['-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', sound],
    ...['-c:v', 'libx264', '-preset', recipe.preset, '-profile:v', 'high', '-bf', '0', '-g', '25'],
    ...['-b:v', '200k', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '64k', '-ac', '2', part],
  ]);
  return file;
}

/** Has ffmpeg make a file that is not there yet; it appears when it is whole. */
async function once(file: string, args: (part: string) => string[]): Promise<void> {
  if ((await stat(file).catch(() => undefined)) !== undefined) return;
  const part = `${file}.${process.pid}.part${extname(file)}`;
  try {
    await execa(process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg', args(part));
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}
