import { readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProcessError } from '../../src/errors.ts';
import { probeFile } from '../../src/ffmpeg/probe.ts';
import { type AnalysisJob, type AnalysisOptions, analyseFile } from '../../src/library/analyse.ts';
import { ffmpeg, ffmpegPath, probePath, slowFfmpeg, temporaryFolder, toneOf } from './clips.ts';

const options: AnalysisOptions = { ffmpegPath, niceness: 19, stallMs: 20_000 };
const thresholds = { blackMs: 500, silenceDb: -50 };

let folder: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
});
afterAll(() => remove());

const inFolder = (name: string) => join(folder, name);

async function jobFor(kind: AnalysisJob['kind'], path: string): Promise<AnalysisJob> {
  const { size, mtimeMs } = await stat(path);
  const { durationMs, video, audio } = await probeFile(path, { probePath, timeoutMs: 20_000 });
  const file = { root: folder, path: basename(path), size, mtimeMs: Math.floor(mtimeMs), durationMs };
  return { kind, ...file, video, audio, thresholds };
}

/** Makes a file, and says what is found of it. */
async function found(kind: AnalysisJob['kind'], name: string, args: readonly string[]) {
  await ffmpeg([...args, inFolder(name)]);
  return await analyseFile(await jobFor(kind, inFolder(name)), options);
}

describe('loudness', () => {
  it.each([
    [-10, 'a.m4a', ['-c:a', 'aac', '-b:a', '192k']],
    [-23, 'b.mkv', ['-c:a', 'ac3', '-b:a', '192k']],
    [-30.5, 'c.flac', ['-ar', '44100']],
  ])('of a tone of %d LUFS is measured, in %s', async (lufs, name, codec) => {
    const analysis = await found('loudness', name, [...toneOf(lufs), '-t', '4', ...codec]);
    if (analysis.kind !== 'measured') throw new Error(JSON.stringify(analysis));
    expect(Math.abs(analysis.lufs - lufs)).toBeLessThan(0.5);
    expect(Math.abs(analysis.truePeakDb - lufs)).toBeLessThan(1);
  });

  it('is that of the sound that is aired, where there are several', async () => {
    const analysis = await found('loudness', 'two.mkv', [
      ...[...toneOf(-40), ...toneOf(-20), '-map', '0', '-map', '1', '-t', '3', '-c:a', 'aac'],
      ...['-disposition:a:0', '0', '-disposition:a:1', 'default'],
    ]);
    expect(analysis).toMatchObject({ kind: 'measured', lufs: expect.closeTo(-20, 0) });
  });

  it('is that of the stereo which is aired, where there are more channels', async () => {
    // Three tones of one loudness, of which the middle one comes from both sides.
    const waves = [300, 500, 700].map((hz) => `0.1*sin(2*PI*${hz}*t)`);
    const surround = `aevalsrc=exprs='${[...waves, '0', '0', '0'].join('|')}':c=5.1:s=48000`;
    const stereo = ['-filter:a', 'aformat=sample_fmts=fltp:channel_layouts=stereo'];
    const source = ['-f', 'lavfi', '-i', surround, '-t', '3'];
    const six = await found('loudness', 'six.mkv', [...source, '-c:a', 'flac']);
    const two = await found('loudness', 'mixed.mkv', [...source, ...stereo, '-c:a', 'flac']);
    expect(six.kind).toBe('measured');
    expect(six).toEqual(two);
  });

  it('of a file in which nothing is heard is silence', async () => {
    const nothing = ['-f', 'lavfi', '-i', 'anullsrc=r=48000', '-t', '2'];
    expect(await found('loudness', 'nothing.m4a', nothing)).toEqual({ kind: 'silent' });
  });
});

describe('breaks', () => {
  /** Black and silent at 12.2 to 13.5 and at 31 to 32 s; black alone at 20, silent alone at 26 s. */
  const programme = [
    ...[
      '-f',
      'lavfi',
      '-i',
      "testsrc2=s=160x90:r=25,drawbox=color=black:t=fill:enable='between(t,12,13.49)+between(t,20,20.99)+between(t,31,31.99)'",
    ],
    ...[
      '-f',
      'lavfi',
      '-i',
      "sine=sample_rate=48000,volume=0:enable='between(t,12.2,13.7)+between(t,26,27)+between(t,30.5,32.5)'",
    ],
    ...['-t', '40'],
  ];
  const expected = [12_850, 31_500];

  it.each([
    ['film.mkv', ['-c:v', 'libx264', '-preset', 'veryfast', '-c:a', 'aac']],
    // Its clock begins at 1.4 s.
    ['broadcast.ts', ['-c:v', 'mpeg2video', '-bf', '2', '-q:v', '5', '-c:a', 'mp2']],
  ])('are found where it is black and silent, in %s', async (name, codec) => {
    const analysis = await found('breaks', name, [...programme, ...codec]);
    if (analysis.kind !== 'found') throw new Error(JSON.stringify(analysis));
    expect(analysis.breaksMs).toHaveLength(expected.length);
    analysis.breaksMs.forEach((at, index) => {
      expect(Math.abs(at - expected[index]!)).toBeLessThan(300);
    });
  });

  it('are found where it is black, without sound', async () => {
    await ffmpeg(['-i', inFolder('film.mkv'), '-c', 'copy', '-an', inFolder('mute.mkv')]);
    const analysis = await analyseFile(await jobFor('breaks', inFolder('mute.mkv')), options);
    if (analysis.kind !== 'found') throw new Error(JSON.stringify(analysis));
    expect(analysis.breaksMs.map((at) => Math.round(at / 1000))).toEqual(
      [13, 20, 31].map((at) => expect.closeTo(at, -0.5)),
    );
  });

  it('need no less black than the setting says', async () => {
    const job = await jobFor('breaks', inFolder('film.mkv'));
    const longer = { ...job, thresholds: { ...thresholds, blackMs: 1_300 } };
    expect(await analyseFile(longer, options)).toEqual({
      kind: 'found',
      breaksMs: [expect.closeTo(12_850, -3)],
    });
  });
});

describe('a file', () => {
  it('whose content is no recording has failed, with the reason', async () => {
    await ffmpeg([...toneOf(-20), '-t', '2', inFolder('broken.mkv')]);
    const job = await jobFor('loudness', inFolder('broken.mkv'));
    await writeFile(inFolder('broken.mkv'), Buffer.alloc(job.size, 'x'));
    await utimes(inFolder('broken.mkv'), job.mtimeMs / 1000, job.mtimeMs / 1000);
    const { mtimeMs } = await stat(inFolder('broken.mkv'));
    expect(await analyseFile({ ...job, mtimeMs: Math.floor(mtimeMs) }, options)).toEqual({
      kind: 'failed',
      reason: expect.stringMatching(/not a Matroska file/),
    });
  });

  it('of which only the beginning can be read has failed', async () => {
    const path = inFolder('half.mkv');
    await ffmpeg([...toneOf(-20), '-t', '20', '-c:a', 'flac', path]);
    const job = await jobFor('loudness', path);
    await truncate(path, 60_000);
    await writeFile(path, Buffer.alloc(job.size - 60_000, 0x42), { flag: 'a' });
    const { mtimeMs } = await stat(path);
    expect(await analyseFile({ ...job, mtimeMs: Math.floor(mtimeMs) }, options)).toEqual({
      kind: 'failed',
      reason: expect.stringMatching(/^only \d+ % of it can be read: ./),
    });
  });

  it('that is not as it was, or not there, is left alone', async () => {
    await ffmpeg([...toneOf(-20), '-t', '1', inFolder('moving.flac')]);
    const job = await jobFor('loudness', inFolder('moving.flac'));
    expect(await analyseFile({ ...job, size: job.size + 1 }, options)).toMatchObject({ kind: 'unclear' });
    await rm(inFolder('moving.flac'));
    expect(await analyseFile(job, options)).toEqual({ kind: 'unclear', reason: 'the file is not there' });
  });

  it('in which ffmpeg gets no further has failed', async () => {
    const hanging = inFolder('hanging');
    // It reports that it is still there, and no more.
    const script = 'while :; do echo out_time_us=1000; sleep 0.05; done';
    await writeFile(hanging, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const job = await jobFor('loudness', inFolder('a.m4a'));
    expect(await analyseFile(job, { ...options, ffmpegPath: hanging, stallMs: 500 })).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('got no further'),
    });
  });

  it('is not to blame for an ffmpeg that is not there, lacks a filter, or was killed', async () => {
    const job = await jobFor('loudness', inFolder('a.m4a'));
    const missing = analyseFile(job, { ...options, ffmpegPath: inFolder('no-ffmpeg') });
    await expect(missing).rejects.toThrow(ProcessError);
    const poor = inFolder('poor');
    await writeFile(poor, `#!/bin/sh\nexec ${ffmpegPath} -filter_complex nosuchfilter "$@"\n`, {
      mode: 0o755,
    });
    await expect(analyseFile(job, { ...options, ffmpegPath: poor })).rejects.toThrow(
      /cannot measure.*nosuchfilter/,
    );
    const doomed = inFolder('doomed');
    await writeFile(doomed, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
    expect(await analyseFile(job, { ...options, ffmpegPath: doomed })).toEqual({
      kind: 'unclear',
      reason: 'ffmpeg was killed',
    });
  });
});

describe('the ffmpeg that measures', () => {
  it('comes after everything else, and is gone when the measurement is given up', async () => {
    await ffmpeg([...toneOf(-20), '-t', '60', '-c:a', 'flac', inFolder('long.mkv')]);
    const job = await jobFor('loudness', inFolder('long.mkv'));
    const giveUp = new AbortController();
    const analysis = analyseFile(job, {
      ...options,
      ffmpegPath: await slowFfmpeg(inFolder('slow')),
      signal: giveUp.signal,
    });
    const pid = await vi.waitFor(async () => {
      const [found] = await processesReading(inFolder('long.mkv'));
      if (found === undefined) throw new Error('no ffmpeg yet');
      return found;
    });
    // Niceness is the 19th field of proc(5)'s stat, the 17th behind the name.
    await vi.waitFor(async () => {
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ');
      expect(fields?.[16]).toBe('19');
    });
    giveUp.abort(new Error('given up'));
    await expect(analysis).rejects.toThrow('given up');
    expect(await processesReading(inFolder('long.mkv'))).toEqual([]);
  });

  async function processesReading(path: string): Promise<number[]> {
    const found: number[] = [];
    for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
      const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
      if (command.includes(`file:${path}`)) found.push(Number(name));
    }
    return found;
  }
});
