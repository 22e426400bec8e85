import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProbeError, ProcessError } from '../../src/errors.ts';
import { probeFile } from '../../src/ffmpeg/probe.ts';
import { fast, ffmpeg, makeClip, probePath, temporaryFolder } from '../library/clips.ts';

let folder: string;
let remove: () => Promise<void>;
let clip: string;
const at = (name: string) => join(folder, name);
const probe = (path: string, timeoutMs = 20_000) => probeFile(path, { probePath, timeoutMs });
/** The reason for which a file is refused. */
const refusal = async (path: string) => {
  const error = await probe(path).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProbeError);
  return (error as ProbeError).message;
};

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  clip = await makeClip(at('clip.mkv'));
});
afterAll(async () => {
  await remove();
});

describe('a recording', () => {
  test('says what is in it', async () => {
    const result = await probe(clip);
    expect(result.format).toBe('matroska,webm');
    expect(result.durationMs).toBeGreaterThan(980);
    expect(result.durationMs).toBeLessThan(1_060);
    expect(result.bitrateKbps).toBeGreaterThan(50);
    expect(result.video).toMatchObject({
      index: 0,
      codec: 'h264',
      width: 160,
      height: 120,
      sampleAspect: { num: 1, den: 1 },
      frameRate: { num: 25, den: 1 },
      lowestRate: { num: 25, den: 1 },
      interlaced: false,
      reorderDepth: 0,
    });
    expect(result.audio).toMatchObject({
      index: 1,
      codec: 'aac',
      sampleRate: 48_000,
      channels: 2,
      layout: 'stereo',
    });
    expect(result.chaptersMs).toEqual([]);
  });

  test.each(['mp4', 'mov', 'ts', 'avi', 'flv', 'nut', 'mpg', 'm2ts', '3gp'])(
    'is read as .%s',
    async (kind) => {
      const path = at(`kind.${kind}`);
      const codecs =
        kind === 'mpg' ? ['-c:v', 'mpeg2video', '-c:a', 'mp2', '-ac', '2'] : [...fast, '-ar', '44100'];
      await makeClip(path, codecs);
      const result = await probe(path);
      expect(result.durationMs).toBeGreaterThan(900);
      expect(result.durationMs).toBeLessThan(1_150);
      expect(result.video?.width).toBe(160);
      expect(result.audio?.channels).toBe(2);
    },
  );

  test('without sound or without picture is one', async () => {
    const silent = await probe(await makeClip(at('silent.mp4'), ['-an', ...fast]));
    expect(silent.audio).toBeUndefined();
    expect(silent.video?.codec).toBe('h264');
    const dark = await probe(await makeClip(at('dark.mkv'), ['-vn', ...fast]));
    expect(dark.video).toBeUndefined();
    expect(dark.audio?.codec).toBe('aac');
  });

  test('with a varying frame rate shows two rates', async () => {
    const vary = ['-vf', "select='not(mod(n,3))+lt(n,10)'", '-vsync', 'vfr'];
    const { video } = await probe(await makeClip(at('vfr.mp4'), [...vary, ...fast]));
    expect(video?.frameRate).not.toEqual(video?.lowestRate);
  });

  test('of ten bits shows its pixel format', async () => {
    const { video } = await probe(await makeClip(at('ten.mkv'), [...fast, '-pix_fmt', 'yuv420p10le']));
    expect(video).toMatchObject({ pixelFormat: 'yuv420p10le', profile: 'High 10' });
  });

  test('with oblong pixels shows their shape', async () => {
    const { video } = await probe(await makeClip(at('wide.mp4'), ['-vf', 'setsar=16/15', ...fast]));
    expect(video?.sampleAspect).toEqual({ num: 16, den: 15 });
  });

  test('that is interlaced is seen as such', async () => {
    const fields = ['-vf', 'tinterlace=interleave_top', '-flags', '+ildct+ilme', '-x264-params', 'tff=1'];
    const { video } = await probe(await makeClip(at('fields.mkv'), [...fields, ...fast]));
    expect(video?.interlaced).toBe(true);
  });

  test('with B-frames tells how far they reorder', async () => {
    const { video } = await probe(await makeClip(at('b.mkv'), ['-c:v', 'libx264', '-bf', '2']));
    expect(video?.reorderDepth).toBe(2);
  });

  test('with cover art, subtitles and chapters: only the picture is the picture', async () => {
    await writeFile(
      at('chapters.txt'),
      ';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\n',
    );
    await writeFile(at('text.srt'), '1\n00:00:00,100 --> 00:00:00,900\nHello\n');
    await ffmpeg(['-f', 'lavfi', '-i', 'color=red:s=600x800', '-frames:v', '1', at('cover.png')]);
    const inputs = [at('cover.png'), clip, at('text.srt'), at('chapters.txt')].flatMap((name) => [
      '-i',
      name,
    ]);
    const maps = ['-map', '0:v', '-map', '1:v', '-map', '1:a', '-map', '2:s', '-map_chapters', '3'];
    const cover = ['-c', 'copy', '-c:s', 'mov_text', '-disposition:v:0', 'attached_pic'];
    await ffmpeg([...inputs, ...maps, ...cover, at('rich.mp4')]);
    const result = await probe(at('rich.mp4'));
    expect(result.video).toMatchObject({ codec: 'h264', width: 160 });
    expect(result.chaptersMs).toEqual([400]);
  });

  test('with several sounds: the default one, and no commentary', async () => {
    const inputs = ['-i', clip, '-f', 'lavfi', '-i', 'sine=d=1', '-f', 'lavfi', '-i', 'sine=d=1'];
    const maps = ['-map', '0:v', '-map', '0:a', '-map', '1:a', '-map', '2:a', '-c:v', 'copy', '-c:a', 'aac'];
    const flags = (first: string, second: string, third: string) => [
      ...['-disposition:a:0', first, '-disposition:a:1', second, '-disposition:a:2', third],
      ...[
        '-metadata:s:a:0',
        'language=ger',
        '-metadata:s:a:1',
        'language=eng',
        '-metadata:s:a:2',
        'language=und',
      ],
    ];
    await ffmpeg([...inputs, ...maps, ...flags('0', 'default', '0'), at('second.mkv')]);
    expect((await probe(at('second.mkv'))).audio).toMatchObject({ index: 2, language: 'eng' });
    await ffmpeg([...inputs, ...maps, ...flags('default+comment', '0', '0'), at('comment.mkv')]);
    expect((await probe(at('comment.mkv'))).audio).toMatchObject({ index: 2, language: 'eng' });
  });
});

describe('a name', () => {
  test.each([
    '-y.mkv',
    'two  words.mkv',
    `it's "quoted"; touch gone.mkv`,
    '$(touch gone) `touch gone` & | > gone.mkv',
    'p%20%03d?x#y:z.mkv',
    'pipe:0.mkv',
    'concat:a|b.mkv',
    '😀 é ñ 日本.mkv',
    'line\nbreak.mkv',
    '[a]{b}*.mkv',
    '\\back.mkv',
  ])('%j is only a name', async (name) => {
    await mkdir(at('names'), { recursive: true });
    await copyFile(clip, at(join('names', name)));
    expect((await probe(at(join('names', name)))).video?.width).toBe(160);
  });
});

describe('the duration', () => {
  test('of a live recording without one is read from its packets', async () => {
    const script = `exec ffmpeg -v error -i "$1" -c copy -f matroska -live 1 - | cat > "$2"`;
    execFileSync('sh', ['-c', script, 'sh', clip, at('live.mkv')]);
    const shown = execFileSync(probePath, [
      '-v',
      'error',
      '-show_entries',
      'format=duration',
      at('live.mkv'),
    ]);
    expect(shown.toString()).toContain('N/A');
    const { durationMs } = await probe(at('live.mkv'));
    expect(durationMs).toBeGreaterThan(950);
    expect(durationMs).toBeLessThan(1_060);
  });

  test('of a transport stream that was cut is that of what is left', async () => {
    const whole = await makeClip(at('whole.ts'), ['-b:v', '300k', ...fast], 8);
    const before = await probe(whole);
    await copyFile(whole, at('cut.ts'));
    await truncate(at('cut.ts'), Math.floor((await stat(whole)).size / 2));
    const after = await probe(at('cut.ts'));
    expect(before.durationMs).toBeGreaterThan(7_900);
    expect(after.durationMs).toBeLessThan(before.durationMs * 0.75);
  });
});

describe('what is no recording is refused with a reason', () => {
  test('an empty file, without starting ffprobe', async () => {
    await writeFile(at('empty.mkv'), '');
    const result = probeFile(at('empty.mkv'), { probePath: '/does/not/exist', timeoutMs: 1_000 });
    await expect(result).rejects.toThrow('the file is empty');
  });

  test('text under the name of a recording', async () => {
    await writeFile(at('text.mkv'), 'This is not a recording.\n'.repeat(200));
    expect(await refusal(at('text.mkv'))).toMatch(/not a Matroska file/);
    await writeFile(at('text.mp4'), 'This is not a recording.\n'.repeat(200));
    expect(await refusal(at('text.mp4'))).toMatch(/not complete, or no MP4|not that of a recording/);
    await writeFile(at('code.ts'), 'export const x = 1;\n'.repeat(200));
    expect(await refusal(at('code.ts'))).not.toBe('');
  });

  test('a playlist, which could name other files', async () => {
    await writeFile(at('list.mp4'), `ffconcat version 1.0\nfile clip.mkv\n`);
    expect(await refusal(at('list.mp4'))).toBe('it is not a recording');
    await writeFile(at('hls.ts'), '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.mkv\n#EXT-X-ENDLIST\n');
    expect(await refusal(at('hls.ts'))).toBe('it is not a recording');
  });

  test('a picture', async () => {
    await ffmpeg(['-f', 'lavfi', '-i', 'color=red:s=64x64', '-frames:v', '1', at('picture.png')]);
    await copyFile(at('picture.png'), at('picture.mp4'));
    expect(await refusal(at('picture.mp4'))).toBe('it is not a recording');
  });

  test('an MP4 that was cut off before its index', async () => {
    await makeClip(at('full.mp4'));
    await writeFile(at('cut.mp4'), (await readFile(at('full.mp4'))).subarray(0, 5_000));
    expect(await refusal(at('cut.mp4'))).toContain('moov atom not found');
  });

  test('random bytes', async () => {
    const bytes = Buffer.alloc(20_000, 0).map((_, n) => (n * 7919 + ((n * n) >> 3)) & 0xff);
    await writeFile(at('random.avi'), bytes);
    expect(await refusal(at('random.avi'))).not.toBe('');
  });

  test('subtitles alone', async () => {
    await writeFile(at('only.srt'), '1\n00:00:00,100 --> 00:00:00,900\nHello\n');
    await ffmpeg(['-i', at('only.srt'), '-c', 'copy', at('only.mkv')]);
    expect(await refusal(at('only.mkv'))).toBe('there is no picture and no sound in it');
  });

  test('what is not there, and a folder', async () => {
    expect(await refusal(at('nowhere.mkv'))).toBe('the file is not there');
    await mkdir(at('folder.mkv'));
    expect(await refusal(at('folder.mkv'))).toBe('it is not a file');
  });
});

describe('ffprobe', () => {
  const stub = async (name: string, body: string) => {
    await writeFile(at(name), `#!/bin/sh\n${body}\n`);
    await chmod(at(name), 0o755);
    return at(name);
  };
  const isRunning = (pid: number) => {
    try {
      // A zombie whose parent has not asked for it yet counts as ended.
      return !/^\d+ \(.*\) Z/.test(execFileSync('cat', [`/proc/${pid}/stat`], { stdio: 'pipe' }).toString());
    } catch {
      return false;
    }
  };

  test('that hangs is killed with its children at the deadline', async () => {
    const hanging = await stub('hang', `sleep 60 & echo $! > ${at('pid')}; wait`);
    const result = probeFile(clip, { probePath: hanging, timeoutMs: 300 });
    await expect(result).rejects.toThrow('did not finish within 0.3 s');
    const pid = Number(await readFile(at('pid'), 'utf8'));
    expect(pid).toBeGreaterThan(0);
    expect(isRunning(pid)).toBe(false);
  });

  test('is killed when nobody wants its answer any more', async () => {
    const hanging = await stub('hang2', `exec sleep 60`);
    const controller = new AbortController();
    const result = probeFile(clip, { probePath: hanging, timeoutMs: 30_000, signal: controller.signal });
    controller.abort(new Error('stopped'));
    await expect(result).rejects.toThrow('stopped');
  });

  test('that talks without end fills no memory', async () => {
    const loud = await stub(
      'loud',
      `yes 'an error' | head -c 30000000 >&2; yes | head -c 30000000; echo 'the end' >&2; exit 1`,
    );
    const before = process.memoryUsage().rss;
    await expect(probeFile(clip, { probePath: loud, timeoutMs: 20_000 })).rejects.toThrow('the end');
    expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
  });

  test('that is not there is no fault of the file', async () => {
    const result = probeFile(clip, { probePath: at('no-ffprobe'), timeoutMs: 1_000 });
    await expect(result).rejects.toThrow(ProcessError);
    await expect(result).rejects.toThrow('ffprobe cannot be started');
  });
});
