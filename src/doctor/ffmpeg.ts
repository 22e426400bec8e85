import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { messageOf } from '../errors.ts';
import { encodeArguments, slateArguments } from '../ffmpeg/arguments.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { type ProfileSpec, shippedProfiles } from '../ffmpeg/profile.ts';
import { Demuxer } from '../mpegts/demuxer.ts';
import type { Check, Finding } from './check.ts';
import { lastLine, namesIn, runFfmpeg } from './run-ffmpeg.ts';

type Programs = Config['ffmpeg'];

/** What the server's own arguments name; a test holds the two together. */
export const neededParts = {
  encoders: ['libx264', 'aac'],
  muxers: ['mpegts', 'adts'],
  filters: [
    ...['color', 'fps', 'scale', 'pad', 'setsar', 'format', 'tpad', 'yadif'],
    ...['sine', 'volume', 'anullsrc', 'aresample', 'aformat', 'apad'],
    ...['ebur128', 'blackdetect', 'silencedetect'],
  ],
} as const;

/** What recordings are made of. A file that needs one of them and finds none is listed as failed. */
const usualParts = {
  demuxers: ['matroska', 'mov', 'mpegts', 'mpeg', 'avi'],
  decoders: [
    ...['h264', 'hevc', 'mpeg2video', 'mpeg4', 'vp9', 'av1'],
    ...['aac', 'ac3', 'eac3', 'mp2', 'mp3', 'opus', 'vorbis', 'flac', 'dca'],
  ],
} as const;

const install =
  'Install it (Debian: apt-get install ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg)';

/** Whether there is an ffmpeg, and whether it was built with what the server and recordings need. */
export function ffmpegCheck({ path }: Programs): Check {
  const subject = 'ffmpeg';
  return {
    subject,
    deadlineMs: 20_000,
    run: async (signal) => {
      const version = await versionOf(subject, path, 'AIRCHECK_FFMPEG_PATH', signal);
      if (version.verdict !== 'ok') return version;
      const groups = { ...neededParts, ...usualParts };
      const missing = await Promise.all(
        (Object.keys(groups) as (keyof typeof groups)[]).map(async (group) => {
          const { stdout } = await runFfmpeg(path, ['-hide_banner', `-${group}`], signal);
          const there = namesIn(stdout.toString('utf8'));
          const names = groups[group].filter((name) => !there.has(name));
          return { needed: group in neededParts, text: names.map((name) => `${group.slice(0, -1)} ${name}`) };
        }),
      );
      return [version, ...partFindings(missing)];
    },
  };
}

export function ffprobeCheck({ probePath }: Programs): Check {
  const subject = 'ffprobe';
  return {
    subject,
    deadlineMs: 20_000,
    run: (signal) => versionOf(subject, probePath, 'AIRCHECK_FFMPEG_PROBE_PATH', signal),
  };
}

/** Makes a recording of two seconds and encodes one of them as for a channel: the whole way, as on air. */
export function encoderCheck(programs: Programs): Check {
  const subject = 'trial encoding';
  return {
    subject,
    deadlineMs: 60_000,
    run: async (signal) => {
      const folder = await mkdtemp(join(tmpdir(), 'aircheck-doctor-'));
      try {
        return await tryEncoding(subject, programs, join(folder, 'sample.ts'), signal);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function versionOf(
  subject: string,
  program: string,
  variable: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { stdout, stderr, failed, startError } = await runFfmpeg(program, ['-version'], signal);
  const said = /^\S+ version (\S+)/.exec(stdout.toString('utf8'))?.[1];
  if (!failed && said !== undefined) return { subject, verdict: 'ok', found: `${said} (${program})` };
  if (startError === 'ENOENT') {
    const remedy = `${install}, or name it in ${variable}.`;
    return { subject, verdict: 'problem', found: `there is no program "${program}"`, remedy };
  }
  const remedy = `See whether ${program} can be run by this user, or name another one in ${variable}.`;
  const found = `${program} does not run: ${startError ?? (lastLine(stderr) || 'it says nothing')}`;
  return { subject, verdict: 'problem', found, remedy };
}

function partFindings(missing: readonly { needed: boolean; text: string[] }[]): Finding[] {
  const subject = 'ffmpeg parts';
  const needed = missing.filter((group) => group.needed).flatMap(({ text }) => text);
  const usual = missing.filter((group) => !group.needed).flatMap(({ text }) => text);
  if (needed.length + usual.length === 0) {
    return [{ subject, verdict: 'ok', found: 'everything that channels and usual recordings need' }];
  }
  const findings: Finding[] = [];
  if (needed.length > 0) {
    const remedy =
      'This build of ffmpeg cannot make channels: install a full one, or name it in AIRCHECK_FFMPEG_PATH.';
    findings.push({ subject, verdict: 'problem', found: `missing: ${needed.join(', ')}`, remedy });
  }
  if (usual.length > 0) {
    const remedy = 'Recordings made with these cannot be aired; a full build of ffmpeg reads them.';
    findings.push({ subject, verdict: 'warning', found: `missing: ${usual.join(', ')}`, remedy });
  }
  return findings;
}

async function tryEncoding(
  subject: string,
  programs: Programs,
  file: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { name, spec } = smallestProfile();
  const failure = (what: string, reason: string): Finding => ({
    subject,
    verdict: 'problem',
    found: `${what} failed: ${reason || 'it says nothing'}`,
    remedy: 'This ffmpeg cannot make channels: install another build, or name one in AIRCHECK_FFMPEG_PATH.',
  });
  const sample = await runFfmpeg(programs.path, slateArguments(spec, 2, undefined), signal);
  if (sample.startError !== undefined) {
    return { subject, verdict: 'skipped', found: 'there is no ffmpeg to try' };
  }
  if (sample.failed) return failure('making a sample', lastLine(sample.stderr));
  await writeFile(file, sample.stdout);
  const probe = await probeFile(file, { probePath: programs.probePath, timeoutMs: 20_000, signal }).catch(
    messageOf,
  );
  if (typeof probe === 'string') return failure('probing it', probe);

  const { num, den } = spec.video.frameRate;
  const frames = Math.round(num / den);
  const request = { path: file, probe, profile: spec, fromMs: 0, frames, copy: false, manyEntries: false };
  const args = encodeArguments({ ...request, threads: programs.threads });
  const encoded = await runFfmpeg(programs.path, args, signal);
  if (encoded.failed) return failure('encoding it', lastLine(encoded.stderr));
  const pictures = picturesIn(encoded.stdout, spec);
  if (pictures < frames) return failure('encoding it', `${pictures} of ${frames} pictures came out`);
  const found = `a second of ${name} in ${(encoded.tookMs / 1000).toFixed(1)} s, its start included`;
  if (encoded.tookMs <= 1_000) return { subject, verdict: 'ok', found };
  return {
    subject,
    verdict: 'warning',
    found: `${found}: too slow, if this machine has nothing else to do now`,
    remedy:
      'Use smaller profiles or a faster preset, or recordings in the format of the profile, which are not encoded.',
  };
}

function smallestProfile(): { name: string; spec: ProfileSpec } {
  const sorted = [...shippedProfiles].sort((a, b) => a.spec.video.height - b.spec.video.height);
  const [smallest] = sorted;
  if (smallest === undefined) throw new Error('there are no profiles');
  return smallest;
}

/** 0 when the first one is no key frame: nobody could tune in. */
function picturesIn(stream: Buffer, { audio }: ProfileSpec): number {
  const demuxer = new Demuxer(audio.sampleRate);
  const units = [...demuxer.push(stream), ...demuxer.flush()].filter((unit) => unit.stream === 'video');
  return units[0]?.key ? units.length : 0;
}
