import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export const ffmpegPath = process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg';
export const ffprobePath = process.env.AIRCHECK_FFMPEG_PROBE_PATH ?? 'ffprobe';

/** Runs ffmpeg and returns what it wrote to its standard output. Throws with the whole command when it fails. */
export async function ffmpeg(args: readonly string[], input?: Buffer): Promise<Buffer> {
  const { stdout, stderr, code } = await run(ffmpegPath, args, input);
  if (code === 0) return stdout;
  throw new Error(`${commandLine(args)}\nended with ${code}:\n${stderr}`);
}

/** Everything that ffmpeg has to say while it decodes a stream; nothing, when the stream is good. */
export async function complaintsOf(stream: Buffer): Promise<string> {
  // Without explode, the decoders would conceal some damage.
  const args = ['-v', 'error', '-err_detect', 'explode', '-f', 'mpegts', '-i', 'pipe:0', '-f', 'null', '-'];
  const { stderr, code } = await run(ffmpegPath, args, stream);
  return code === 0 ? stderr : `${stderr}\nended with ${code}`;
}

export interface Probed {
  format: { format_name: string; duration?: string };
  programs: {
    program_id: number;
    pmt_pid: number;
    pcr_pid: number;
    tags?: { service_name?: string; service_provider?: string };
  }[];
  streams: ProbedStream[];
  packets?: { codec_type: string; pts_time: string; dts_time: string; flags: string }[];
}

export interface ProbedStream {
  codec_type: string;
  codec_name: string;
  profile?: string;
  id?: string;
  width?: number;
  height?: number;
  pix_fmt?: string;
  sample_aspect_ratio?: string;
  display_aspect_ratio?: string;
  field_order?: string;
  r_frame_rate: string;
  avg_frame_rate: string;
  has_b_frames?: number;
  sample_rate?: string;
  channels?: number;
  nb_read_frames?: string;
  nb_read_packets?: string;
  start_time?: string;
  duration?: string;
}

/** @param source a path, or the bytes of a stream */
export async function ffprobe(source: string | Buffer, ...more: string[]): Promise<Probed> {
  const show = ['-show_format', '-show_programs', '-show_streams', '-of', 'json'];
  const input = typeof source === 'string' ? source : 'pipe:0';
  const bytes = typeof source === 'string' ? undefined : source;
  const { stdout, stderr, code } = await run(ffprobePath, ['-v', 'error', ...show, ...more, input], bytes);
  if (code !== 0) throw new Error(`ffprobe ${input} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.toString('utf8')) as Probed;
}

/** A command that can be pasted into a shell. */
export function commandLine(args: readonly string[]): string {
  return [ffmpegPath, ...args]
    .map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** A folder that is gone when the test is. Not for tests that run beside each other. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aircheck-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface Finished {
  stdout: Buffer;
  stderr: string;
  code: number | null;
}

function run(file: string, args: readonly string[], input?: Buffer): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    // A reader that has seen enough closes its end.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8').trim(), code });
    });
  });
}
