import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const probePath = process.env.AIRCHECK_FFPROBE_PATH ?? 'ffprobe';
export const ffmpegPath = process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg';

const picture = ['-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=25'];
const sound = ['-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
export const fast = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '-ac', '2'];

/** A folder of a test's own, and what removes it. */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'aircheck-library-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Makes a small file with picture and sound; `args` stand before its name, and may say otherwise. */
export async function makeClip(path: string, args: readonly string[] = fast, seconds = 1): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await ffmpeg([...picture, ...sound, '-t', String(seconds), ...args, `file:${path}`]);
  return path;
}

export async function ffmpeg(args: readonly string[]): Promise<void> {
  await run(ffmpegPath, ['-v', 'error', '-y', '-nostdin', ...args]);
}

/** A tone of a known integrated loudness: by EBU Tech 3341, in stereo, that is the level of its peaks. */
export function toneOf(lufs: number): string[] {
  const level = (10 ** (lufs / 20)).toFixed(6);
  const wave = `${level}*sin(2*PI*997*t)`;
  return ['-f', 'lavfi', '-i', `aevalsrc=exprs='${wave}|${wave}':s=48000`];
}

/** An ffmpeg that reads no faster than the recording lasts, so that something can happen to it meanwhile. */
export async function slowFfmpeg(path: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\nexec ${ffmpegPath} -re "$@"\n`, { mode: 0o755 });
  return path;
}
