import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { presentShare } from '../../src/library/cut-file.ts';
import { fast, ffmpeg, makeClip, temporaryFolder } from './clips.ts';

let folder: string;
let remove: () => Promise<void>;
const share = async (path: string) => await presentShare(path, (await stat(path)).size);

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
});
afterAll(async () => {
  await remove();
});

test.each([
  ['mkv', []],
  ['webm', ['-c:v', 'libvpx', '-c:a', 'libopus']],
  ['mp4', ['-movflags', '+faststart']],
  ['mov', ['-movflags', '+faststart']],
  ['avi', []],
])('a .%s that was cut off is seen, and a whole one is whole', async (kind, args) => {
  const whole = await makeClip(join(folder, `whole.${kind}`), [...fast, ...args]);
  expect(await share(whole)).toBe(1);
  const cut = join(folder, `cut.${kind}`);
  await copyFile(whole, cut);
  await truncate(cut, Math.floor((await stat(whole)).size * 0.6));
  expect(await share(cut)).toBeCloseTo(0.6, 1);
});

test('what may end anywhere is not judged', async () => {
  const whole = await makeClip(join(folder, 'a.mkv'));
  const live = join(folder, 'live.mkv');
  await ffmpeg(['-i', whole, '-c', 'copy', '-f', 'matroska', '-live', '1', live]);
  const fragments = join(folder, 'fragments.mp4');
  await ffmpeg(['-i', whole, '-c', 'copy', '-movflags', 'empty_moov+frag_keyframe', fragments]);
  const stream = await makeClip(join(folder, 'a.ts'));
  for (const path of [live, fragments, stream]) {
    await truncate(path, Math.floor((await stat(path)).size * 0.6));
    expect(await share(path)).toBeUndefined();
  }
});

test('bytes that only begin like a container are not judged', async () => {
  const path = join(folder, 'odd.bin');
  const head = (await readFile(join(folder, 'a.mkv'))).subarray(0, 12);
  for (const bytes of [Buffer.alloc(3), head, Buffer.from('RIFF'), Buffer.from('\0\0\0\x04ftyp\0\0\0\0')]) {
    await writeFile(path, bytes);
    expect(await share(path)).toBeUndefined();
  }
});
