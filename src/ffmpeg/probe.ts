import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, ProbeError } from '../errors.ts';
import type { AudioStream, MediaProbe, VideoStream } from '../library/media.ts';
import { complaintOf } from './complaint.ts';
import { fileGuard, fileUrl } from './input.ts';
import { runProgram } from './run-program.ts';

export interface ProbeOptions {
  probePath: string;
  /** For each of the one or two runs of ffprobe. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Niceness of ffprobe; by default that of this process. */
  niceness?: number | undefined;
}

/** `media.durationMs` is an integer column; no recording lasts 24 days. */
const longestMs = 2 ** 31 - 1;
/** A timeline of shorter ones would be all joints. */
const shortestMs = 1_000;
const maxOutputBytes = 4 * 1024 * 1024;
const maxErrorChars = 4096;

const entries = [
  'format=format_name,duration,bit_rate',
  'stream=index,codec_type,codec_name,profile,width,height,sample_aspect_ratio,pix_fmt,field_order,has_b_frames,avg_frame_rate,r_frame_rate,sample_rate,channels,channel_layout,duration',
  'stream_disposition=default,attached_pic,timed_thumbnails,still_image,comment,visual_impaired,descriptions',
  'stream_tags=language,DURATION',
  'chapter=start_time',
].join(':');

/**
 * Reads a media file with ffprobe. The duration is the container's, else the longest stream's, else the
 * end of the last packet, for which the file is read once more; it is never assumed.
 *
 * Throws ProbeError, its message a reason for a person; ProcessError when there is no ffprobe, which says
 * nothing about the file; or the signal's reason.
 */
export async function probeFile(path: string, options: ProbeOptions): Promise<MediaProbe> {
  const operation = `probing ${path}`;
  options.signal?.throwIfAborted();
  const file = await stat(path).catch((error: unknown) => {
    throw new ProbeError(unreadable(error), { operation, cause: error });
  });
  if (!file.isFile()) throw new ProbeError('it is not a file', { operation });
  if (file.size === 0) throw new ProbeError('the file is empty', { operation });

  const output = parseOutput(await describe(path, options, operation), operation);
  const video = chooseVideo(output.streams);
  const audio = chooseAudio(output.streams);
  if (video === undefined && audio === undefined) {
    throw new ProbeError('there is no picture and no sound in it', { operation });
  }
  const durationMs =
    headerDurationMs(output) ?? (await readDurationMs(path, video?.index ?? audio?.index ?? 0, options));
  if (durationMs === undefined) throw new ProbeError('its duration is unknown', { operation });
  if (durationMs < shortestMs) throw new ProbeError('it is shorter than a second', { operation });
  if (durationMs > longestMs) {
    throw new ProbeError(`its duration cannot be ${Math.round(durationMs / 86_400_000)} days`, { operation });
  }
  const bitsPerSecond = output.format.bit_rate ?? (file.size * 8000) / durationMs;
  return {
    format: output.format.format_name,
    durationMs,
    bitrateKbps: Math.round(bitsPerSecond / 1000),
    ...(video && { video: videoOf(video) }),
    ...(audio && { audio: audioOf(audio) }),
    chaptersMs: output.chapters
      .map((chapter) => Math.round((chapter.start_time ?? 0) * 1000))
      .filter((ms) => ms > 0 && ms < durationMs)
      .sort((a, b) => a - b),
  };
}

async function describe(path: string, options: ProbeOptions, operation: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const result = await runProbe(path, ['-show_entries', entries, '-of', 'json'], options, (chunk) => {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) chunks.push(chunk);
  });
  if (result.kind === 'timeout') {
    throw new ProbeError(`ffprobe did not finish within ${options.timeoutMs / 1000} s`, { operation });
  }
  if (result.kind === 'failed')
    throw new ProbeError(complaintOf(result.stderr, path, 'ffprobe'), { operation });
  if (bytes > maxOutputBytes) throw new ProbeError('it has too many streams or chapters', { operation });
  return Buffer.concat(chunks).toString('utf8');
}

const optionalNumber = z.coerce.number().optional().catch(undefined);
const flag = z.number().optional().catch(undefined);

const streamSchema = z.object({
  index: z.int(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  profile: z.string().optional(),
  width: optionalNumber,
  height: optionalNumber,
  sample_aspect_ratio: z.string().optional(),
  pix_fmt: z.string().optional(),
  field_order: z.string().optional(),
  has_b_frames: optionalNumber,
  avg_frame_rate: z.string().optional(),
  r_frame_rate: z.string().optional(),
  sample_rate: optionalNumber,
  channels: optionalNumber,
  channel_layout: z.string().optional(),
  duration: optionalNumber,
  disposition: z
    .object({
      default: flag,
      attached_pic: flag,
      timed_thumbnails: flag,
      still_image: flag,
      comment: flag,
      visual_impaired: flag,
      descriptions: flag,
    })
    .prefault({}),
  tags: z.object({ language: z.string().optional(), DURATION: z.string().optional() }).prefault({}),
});

const outputSchema = z.object({
  format: z.object({ format_name: z.string(), duration: optionalNumber, bit_rate: optionalNumber }),
  streams: z.array(streamSchema).default([]),
  chapters: z.array(z.object({ start_time: optionalNumber })).default([]),
});

type ProbeStream = z.infer<typeof streamSchema>;
type ProbeOutput = z.infer<typeof outputSchema>;

function parseOutput(json: string, operation: string): ProbeOutput {
  try {
    return outputSchema.parse(JSON.parse(json));
  } catch (error) {
    throw new ProbeError('ffprobe gave no usable answer', { operation, cause: error });
  }
}

/** The default picture, else the first; cover art and thumbnails are none. */
function chooseVideo(streams: readonly ProbeStream[]): ProbeStream | undefined {
  const pictures = streams.filter(
    ({ codec_type, codec_name, width, height, disposition: d }) =>
      codec_type === 'video' &&
      isKnown(codec_name) &&
      isPositive(width) &&
      isPositive(height) &&
      !d.attached_pic &&
      !d.timed_thumbnails &&
      !d.still_image,
  );
  return pictures.find((stream) => stream.disposition.default) ?? pictures[0];
}

/** The default sound, else the first; comments and audio descriptions only when there is no other. */
function chooseAudio(streams: readonly ProbeStream[]): ProbeStream | undefined {
  const sounds = streams.filter(
    ({ codec_type, codec_name, sample_rate, channels }) =>
      codec_type === 'audio' && isKnown(codec_name) && isPositive(sample_rate) && isPositive(channels),
  );
  const main = sounds.filter(({ disposition: d }) => !d.comment && !d.visual_impaired && !d.descriptions);
  const candidates = main.length > 0 ? main : sounds;
  return candidates.find((stream) => stream.disposition.default) ?? candidates[0];
}

function isKnown(codec: string | undefined): boolean {
  return codec !== undefined && codec !== 'unknown' && codec !== 'none';
}

function isPositive(value: number | undefined): boolean {
  return value !== undefined && value > 0;
}

function videoOf(stream: ProbeStream): VideoStream {
  const average = rational(stream.avg_frame_rate);
  const lowest = rational(stream.r_frame_rate);
  const frameRate = average ?? lowest;
  const durationMs = wholeMs(stream.duration ?? clockSeconds(stream.tags.DURATION));
  return {
    index: stream.index,
    codec: stream.codec_name ?? '',
    ...(stream.profile !== undefined && { profile: stream.profile }),
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    sampleAspect: rational(stream.sample_aspect_ratio) ?? { num: 1, den: 1 },
    ...(stream.pix_fmt !== undefined && { pixelFormat: stream.pix_fmt }),
    ...(durationMs !== undefined && { durationMs }),
    ...(frameRate && { frameRate }),
    ...(lowest && { lowestRate: lowest }),
    interlaced: /^(tt|bb|tb|bt)$/.test(stream.field_order ?? ''),
    reorderDepth: stream.has_b_frames ?? 0,
  };
}

function audioOf(stream: ProbeStream): AudioStream {
  const language = stream.tags.language;
  return {
    index: stream.index,
    codec: stream.codec_name ?? '',
    ...(stream.profile !== undefined && { profile: stream.profile }),
    sampleRate: stream.sample_rate ?? 0,
    channels: stream.channels ?? 0,
    ...(stream.channel_layout && { layout: stream.channel_layout }),
    ...(language && language !== 'und' && { language }),
  };
}

/** "30000/1001" or "4:3"; undefined when a side is zero, which is ffprobe's "unknown". */
function rational(text: string | undefined): { num: number; den: number } | undefined {
  const match = /^(\d+)[/:](\d+)$/.exec(text ?? '');
  const num = Number(match?.[1]);
  const den = Number(match?.[2]);
  return num > 0 && den > 0 ? { num, den } : undefined;
}

function headerDurationMs({ format, streams }: ProbeOutput): number | undefined {
  const seconds = isPositive(format.duration)
    ? format.duration
    : Math.max(0, ...streams.map((stream) => stream.duration ?? clockSeconds(stream.tags.DURATION) ?? 0));
  return wholeMs(seconds);
}

/** Matroska's stream tag, "01:02:03.450000000". */
function clockSeconds(text: string | undefined): number | undefined {
  const match = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(text ?? '');
  return match ? Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]) : undefined;
}

function wholeMs(seconds: number | undefined): number | undefined {
  const ms = Math.round((seconds ?? 0) * 1000);
  return ms > 0 ? ms : undefined;
}

/** From the first packet's start to the last one's end. Undefined when the deadline comes before the file's end. */
async function readDurationMs(
  path: string,
  stream: number,
  options: ProbeOptions,
): Promise<number | undefined> {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let rest = '';
  const args = ['-select_streams', String(stream), '-show_entries', 'packet=pts_time,duration_time'];
  const result = await runProbe(path, [...args, '-of', 'csv=p=0'], options, (chunk) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = (lines.pop() ?? '').slice(0, 1000);
    for (const line of lines) {
      const [start, length] = line.split(',').map(Number.parseFloat);
      if (start === undefined || Number.isNaN(start)) continue;
      first = Math.min(first, start);
      last = Math.max(last, start + (length !== undefined && length > 0 ? length : 0));
    }
  });
  return result.kind === 'finished' && last > first ? wholeMs(last - first) : undefined;
}

type ProbeResult = { kind: 'finished' } | { kind: 'failed'; stderr: string } | { kind: 'timeout' };

async function runProbe(
  path: string,
  args: readonly string[],
  { probePath, timeoutMs, niceness, signal }: ProbeOptions,
  onOutput: (chunk: Buffer) => void,
): Promise<ProbeResult> {
  let stderr = '';
  const result = await runProgram(probePath, ['-v', 'error', ...fileGuard, ...args, '-i', fileUrl(path)], {
    name: 'ffprobe',
    operation: `probing ${path}`,
    timeoutMs,
    niceness,
    signal,
    onStdout: onOutput,
    onStderr: (text) => {
      stderr = (stderr + text).slice(-maxErrorChars);
    },
  });
  return result === 'failed' || result === 'killed' ? { kind: 'failed', stderr } : { kind: result };
}

function unreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'the file is not there';
  if (code === 'EACCES' || code === 'EPERM') return 'this server has no permission to read it';
  return `it cannot be read: ${messageOf(error)}`;
}
