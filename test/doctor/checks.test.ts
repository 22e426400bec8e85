import { chmod, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accelerationCheck } from '../../src/doctor/acceleration.ts';
import { type Check, type Finding, runChecks } from '../../src/doctor/check.ts';
import { clockCheck, synchronisationFinding } from '../../src/doctor/clock.ts';
import { encoderCheck, ffmpegCheck, ffprobeCheck, neededParts } from '../../src/doctor/ffmpeg.ts';
import { dataFolderCheck, libraryCheck } from '../../src/doctor/folders.ts';
import { fontCheck } from '../../src/doctor/fonts.ts';
import { portCheck } from '../../src/doctor/port.ts';
import { limitsCheck, memoryCheck, nodeFinding } from '../../src/doctor/system.ts';
import { breaksArguments, loudnessArguments } from '../../src/ffmpeg/analysis-arguments.ts';
import { encodeArguments, silenceArguments, slateArguments } from '../../src/ffmpeg/arguments.ts';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import type { MediaProbe } from '../../src/library/media.ts';

const programs = { path: 'ffmpeg', probePath: 'ffprobe', niceness: 0, threads: 0 };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-checks-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function findings(check: Check): Promise<Finding[]> {
  const all: Finding[] = [];
  for await (const finding of runChecks([check])) all.push(finding);
  // Whatever is not fine comes with what to do about it.
  for (const { verdict, remedy, found } of all) {
    if (verdict === 'warning' || verdict === 'problem') expect(remedy, found).toMatch(/^[A-Z].+/);
    expect(found).not.toMatch(/undefined|\[object/);
  }
  return all;
}

const verdicts = async (check: Check) => (await findings(check)).map(({ verdict }) => verdict);

/** A program that does what the script says, and is ffmpeg otherwise. */
async function fakeFfmpeg(name: string, script: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\n${script}\nexec ffmpeg "$@"\n`);
  await chmod(file, 0o755);
  return file;
}

describe('ffmpeg', () => {
  it('is fine with the one that the tests run on', async () => {
    expect(await verdicts(ffmpegCheck(programs))).toEqual(['ok', 'ok']);
    expect(await verdicts(ffprobeCheck(programs))).toEqual(['ok']);
    expect(['ok', 'warning']).toContain((await findings(encoderCheck(programs)))[0]?.verdict);
    expect(await verdicts(accelerationCheck(programs))).toEqual(['note']);
  });

  it('is a problem where there is none, once; what needs it is skipped', async () => {
    const none = { ...programs, path: '/no/such/ffmpeg', probePath: '/no/such/ffprobe' };
    const [finding, ...more] = await findings(ffmpegCheck(none));
    expect(finding).toMatchObject({ verdict: 'problem', found: 'there is no program "/no/such/ffmpeg"' });
    expect(finding?.remedy).toMatch('apt-get install ffmpeg');
    expect(finding?.remedy).toMatch('AIRCHECK_FFMPEG_PATH');
    expect(more).toEqual([]);
    expect((await findings(ffprobeCheck(none)))[0]?.remedy).toMatch('AIRCHECK_FFMPEG_PROBE_PATH');
    for (const check of [encoderCheck(none), accelerationCheck(none), fontCheck(none)]) {
      expect(await verdicts(check)).toEqual(['skipped']);
    }
  });

  it('is a problem when it does not run, or is something else', async () => {
    const path = await fakeFfmpeg(
      'broken',
      'echo "error while loading shared libraries: libx264.so" >&2; exit 127',
    );
    const [broken] = await findings(ffmpegCheck({ ...programs, path }));
    expect(broken).toMatchObject({ verdict: 'problem', found: expect.stringContaining('libx264.so') });
    expect(await verdicts(ffmpegCheck({ ...programs, path: 'echo' }))).toEqual(['problem']);
    const plain = join(folder, 'plain');
    await writeFile(plain, '');
    expect((await findings(ffmpegCheck({ ...programs, path: plain })))[0]?.found).toMatch('EACCES');
  });

  it('is a problem without an encoder that channels need, and a warning without one that recordings may', async () => {
    const without = async (list: string, name: string) => {
      const script = `for a in "$@"; do [ "$a" = -${list} ] && exec sh -c "ffmpeg -hide_banner -${list} | grep -v ' ${name} '"; done`;
      return findings(ffmpegCheck({ ...programs, path: await fakeFfmpeg(`no-${name}`, script) }));
    };
    expect((await without('encoders', 'libx264'))[1]).toMatchObject({
      verdict: 'problem',
      found: 'missing: encoder libx264',
    });
    expect((await without('filters', 'yadif'))[1]?.verdict).toBe('problem');
    expect((await without('decoders', 'hevc'))[1]).toMatchObject({
      verdict: 'warning',
      found: 'missing: decoder hevc',
    });
  });

  it('is a problem when it encodes nothing, or too little', async () => {
    const failing = await fakeFfmpeg(
      'failing',
      'case "$*" in *x264*) echo "Unknown encoder" >&2; exit 1;; esac',
    );
    const [failed] = await findings(encoderCheck({ ...programs, path: failing }));
    expect(failed).toMatchObject({ verdict: 'problem', found: expect.stringContaining('Unknown encoder') });
    const short = await fakeFfmpeg('short', 'case "$*" in *filter_complex*) exit 0;; esac');
    const [little] = await findings(encoderCheck({ ...programs, path: short }));
    expect(little?.found).toMatch('0 of 30 pictures');
  });

  it('is asked for all filters, encoders and formats that the server names', () => {
    const [profile] = shippedProfiles;
    const video = {
      ...{ index: 0, codec: 'mpeg2video', width: 720, height: 576, sampleAspect: { num: 16, den: 11 } },
      ...{ interlaced: true, reorderDepth: 0 },
    };
    const audio = { index: 1, codec: 'mp2', sampleRate: 44_100, channels: 1 };
    const probes: MediaProbe[] = [
      { format: 'mpeg', durationMs: 9_000, chaptersMs: [], video, audio },
      { format: 'mpeg', durationMs: 9_000, chaptersMs: [] },
    ];
    const request = { path: '/a', profile: profile!.spec, fromMs: 0, frames: 9, copy: false, threads: 0 };
    const all = [
      slateArguments(profile!.spec, 1, undefined),
      silenceArguments(profile!.spec),
      ...probes.map((probe) => encodeArguments({ ...request, probe, manyEntries: true, gainDb: 3 })),
      loudnessArguments('/a', audio),
      breaksArguments('/a', { video, audio }, { blackMs: 500, silenceDb: -50 }),
    ];
    const named = (option: RegExp) =>
      all.flatMap((args) => args.filter((_, at) => option.test(args[at - 1] ?? '')));
    const filters = named(/^(-filter_complex|-i|-af|-vf)$/)
      .filter((graph) => !graph.startsWith('file:'))
      .flatMap((graph) => graph.replaceAll(/\[[^\]]*\]/g, '').split(/[;,]/))
      .map((filter) => filter.split('=')[0] ?? '');
    expect(neededParts.filters).toEqual(expect.arrayContaining([...new Set(filters)]));
    expect(new Set(filters).size).toBeGreaterThan(10);
    expect(neededParts.encoders).toEqual(expect.arrayContaining([...new Set(named(/^-c:[va]$/))]));
    const formats = named(/^-f$/).filter((name) => name !== 'lavfi' && name !== 'null');
    expect(neededParts.muxers).toEqual(expect.arrayContaining([...new Set(formats)]));
  });
});

describe('the font of the slate', () => {
  it('is tried, and missed where there is none or ffmpeg cannot draw with it', async () => {
    const drawless = await fakeFfmpeg(
      'drawless',
      'case "$*" in *drawtext*) echo "No such filter: drawtext" >&2; exit 1;; esac',
    );
    const existing = [join(folder, 'font.ttf')];
    await writeFile(existing[0]!, '');
    expect((await findings(fontCheck(programs, ['/no/such/font.ttf'])))[0]).toMatchObject({
      verdict: 'warning',
      remedy: expect.stringContaining('fonts-dejavu-core'),
    });
    expect((await findings(fontCheck({ ...programs, path: drawless }, existing)))[0]).toMatchObject({
      verdict: 'warning',
      found: expect.stringContaining('No such filter'),
    });
  });
});

describe('folders', () => {
  it('are fine when they can be used, also before the data folder is made', async () => {
    const data = join(folder, 'data');
    await mkdir(data);
    expect((await findings(dataFolderCheck(data, undefined)))[0]).toMatchObject({
      verdict: 'ok',
      found: data,
    });
    expect((await findings(dataFolderCheck(data, '123')))[0]?.found).toMatch('pid 123');
    const [later] = await findings(dataFolderCheck(join(folder, 'not', 'yet'), undefined));
    expect(later).toMatchObject({ verdict: 'ok', found: expect.stringContaining('will be made') });
    await writeFile(join(data, 'admin-key'), 'key', { mode: 0o644 });
    expect((await findings(dataFolderCheck(data, undefined))).at(-1)).toMatchObject({
      subject: 'admin key',
      verdict: 'warning',
      remedy: `Run: chmod 600 ${join(data, 'admin-key')}`,
    });
  });

  it('are a problem where nothing can be written', async () => {
    const file = join(folder, 'a file');
    await writeFile(file, '');
    expect(await verdicts(dataFolderCheck(file, undefined))).toEqual(['problem']);
    expect(await verdicts(dataFolderCheck(join(file, 'below'), undefined))).toEqual(['problem']);
    expect(await verdicts(dataFolderCheck('/proc/aircheck', undefined))).toEqual(['problem']);
  });

  it('of libraries are a warning when they are away, no folder, or empty', async () => {
    const empty = join(folder, 'empty');
    await mkdir(empty);
    const found = async (path: string) => (await findings(libraryCheck({ name: 'Films', path })))[0];
    expect(await found(folder)).toMatchObject({ verdict: 'ok', found: `Films: ${folder}` });
    expect(await found(empty)).toMatchObject({
      verdict: 'warning',
      remedy: expect.stringContaining('mounted'),
    });
    expect(await found(join(folder, 'away'))).toMatchObject({ verdict: 'warning' });
    expect((await found(join(folder, 'a file')))?.found).toMatch('not a folder');
  });
});

describe('the port', () => {
  it('is free, in use by a program that is named, not of this machine, or any', async () => {
    const server = createServer((_, response) => response.end('I am another one'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const at = (host: string, number: number, holder?: string) =>
      findings(portCheck({ host, port: number }, holder));
    const [taken] = await at('127.0.0.1', port);
    expect(taken?.verdict).toBe('problem');
    if (process.platform === 'linux') expect(taken?.found).toMatch(`(pid ${process.pid})`);
    await new Promise((resolve) => server.close(resolve));
    expect((await at('127.0.0.1', port))[0]).toMatchObject({
      verdict: 'ok',
      found: `127.0.0.1:${port} is free`,
    });
    expect((await at('127.0.0.1', port, '7'))[0]).toMatchObject({
      verdict: 'note',
      found: expect.stringContaining('pid 7'),
    });
    expect((await at('0.0.0.0', 0))[0]?.verdict).toBe('ok');
    expect((await at('192.0.2.1', port))[0]).toMatchObject({
      verdict: 'problem',
      found: expect.stringContaining('not an address of this machine'),
    });
  });
});

describe('the clock', () => {
  it('is a problem when it is before this release, and a warning when it is before what was written', async () => {
    const data = await mkdtemp(join(folder, 'clock-'));
    const verdict = async (now: number) => (await findings(clockCheck(data, () => now)))[0]?.verdict;
    expect(await verdict(Date.now())).toBe('ok');
    expect(await verdict(Date.UTC(1970, 0, 2))).toBe('problem');
    await writeFile(join(data, 'later'), '');
    await utimes(join(data, 'later'), new Date(), new Date(Date.now() + 3_600_000));
    expect(await verdict(Date.now())).toBe('warning');
  });

  it('is held against what the system says of its time service, if it says anything', () => {
    expect(synchronisationFinding(true).verdict).toBe('ok');
    expect(synchronisationFinding(false)).toMatchObject({
      verdict: 'warning',
      remedy: expect.stringContaining('set-ntp'),
    });
    expect(synchronisationFinding(undefined).verdict).toBe('skipped');
  });
});

describe('the machine', () => {
  it('is a problem with an old Node', () => {
    expect(nodeFinding().verdict).toBe('ok');
    for (const version of ['18.20.4', '20.18.9', '20.9.0'])
      expect(nodeFinding(version).verdict).toBe('problem');
    for (const version of ['20.19.0', '20.20.2', '24.1.0']) expect(nodeFinding(version).verdict).toBe('ok');
  });

  it('is a warning with little memory or few files', async () => {
    const memory = (availableBytes: number) => memoryCheck(() => ({ availableBytes, totalBytes: 2 ** 31 }));
    expect(await verdicts(memory(2 ** 30))).toEqual(['ok']);
    expect((await findings(memory(2 ** 28)))[0]).toMatchObject({
      verdict: 'warning',
      found: expect.stringContaining('0.3 GiB of 2.0 GiB free'),
    });
    expect(await verdicts(memoryCheck())).toHaveLength(1);
    const settings = { maxViewers: 2_000, maxProcesses: 16 };
    expect(await verdicts(limitsCheck(settings, () => 4_096))).toEqual(['ok']);
    expect(await verdicts(limitsCheck(settings, () => 1_024))).toEqual(['warning']);
    expect(await verdicts(limitsCheck(settings, () => Number.POSITIVE_INFINITY))).toEqual(['ok']);
    expect(await verdicts(limitsCheck(settings, () => undefined))).toEqual(['skipped']);
    if (process.platform === 'linux')
      expect((await findings(limitsCheck(settings)))[0]?.found).toMatch(/^\d+|any/);
  });
});
