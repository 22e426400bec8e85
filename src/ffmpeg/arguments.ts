import type { AudioStream, MediaProbe, VideoStream } from '../library/media.ts';
import { pids } from '../mpegts/packet.ts';
import { fileGuard, fileUrl } from './input.ts';
import type { ProfileSpec } from './profile.ts';

/** What one encoder is to do. */
export interface EncodeRequest {
  /** Absolute path of the media. */
  path: string;
  probe: MediaProbe;
  profile: ProfileSpec;
  /** Where to begin, in milliseconds into the media. */
  fromMs: number;
  /** How many pictures to make: all of them, also where the media ends a little early. */
  frames: number;
  /** Copy the streams as they are; only for media that `isCopyable`. */
  copy: boolean;
  /** How much louder the sound is to be, in dB (gain.ts); as it is by default. With it, a copy is one of the picture. */
  gainDb?: number;
  /** Many key frames in the first seconds, for a source that is entered while it is on. */
  manyEntries: boolean;
  /** 0 lets ffmpeg choose. */
  threads: number;
}

/** A picture that ends before its sound is held for so long; what ends earlier still is an error. */
const holdLastPictureSeconds = 2;

/** Put before others, they let ffmpeg tell once a second how far it is, as lines of key=value on stream 3. */
export const progressArguments = ['-progress', 'pipe:3', '-stats_period', '1'];

/**
 * The arguments of ffmpeg for one item: MPEG-TS in the channel's format on its output, from time zero, as
 * fast as somebody reads it. No user text is an option: the path goes behind `file:`, filters carry numbers.
 */
export function encodeArguments(request: EncodeRequest): string[] {
  const seconds = secondsOf(request);
  return [
    ...quietly,
    // Not accurate: sound that is encoded would begin where it is sought, and the picture at the key frame before.
    ...(request.copy ? ['-copyts', '-start_at_zero', ...(request.gainDb ? ['-noaccurate_seek'] : [])] : []),
    ...(request.fromMs > 0 ? ['-ss', (request.fromMs / 1000).toFixed(3)] : []),
    ...fileGuard,
    ...['-i', fileUrl(request.path)],
    ...(request.copy ? copied(request, seconds) : encoded(request, seconds)),
    ...muxed,
  ];
}

/**
 * The arguments of ffmpeg for a profile's slate: a still picture and a quiet tone.
 *
 * @param text the file of the font, and a sentence of the server's own below "Please stand by", which may
 *   hold nothing that a filter graph reads as its own: words, full stops and spaces
 */
export function slateArguments(
  profile: ProfileSpec,
  seconds: number,
  text: { font: string; caption?: string | undefined } | undefined,
): string[] {
  const { width, height, frameRate } = profile.video;
  const rate = `${frameRate.num}/${frameRate.den}`;
  const lines = text === undefined ? [] : slateLines(text, width, height);
  const picture = [`color=c=0x1b2330:s=${width}x${height}:r=${rate}`, ...lines, 'format=yuv420p'].join(',');
  const sound = `sine=frequency=440:sample_rate=${profile.audio.sampleRate},volume=-38dB,${layoutFilter(profile)}`;
  return [
    ...quietly,
    ...['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', sound],
    ...['-map', '0:v:0', '-map', '1:a:0', '-t', String(seconds)],
    ...videoCodec({ ...profile, video: { ...profile.video, keyframeMs: 500 } }, 0),
    ...audioCodec(profile),
    ...muxed,
  ];
}

function slateLines(text: { font: string; caption?: string | undefined }, width: number, height: number) {
  const line = (words: string, size: number, y: string) =>
    `drawtext=text='${words}':fontfile='${text.font}':fontcolor=0xd8dee9:fontsize=${size}:x=(w-text_w)/2:y=${y}`;
  const { caption } = text;
  const title = line('Please stand by', Math.round(height / 12), '(h-text_h)/2');
  if (caption === undefined) return [title];
  if (!/^[\w. ]+$/.test(caption)) throw new Error(`not a caption: ${caption}`);
  // A letter is about half as wide as it is high.
  const size = Math.min(Math.round(height / 24), Math.floor((1.7 * width) / caption.length));
  return [title, line(caption, size, 'h*0.66')];
}

/** The arguments of ffmpeg for a stretch of silence as ADTS. */
export function silenceArguments(profile: ProfileSpec): string[] {
  const source = `anullsrc=r=${profile.audio.sampleRate},${layoutFilter(profile)}`;
  return [
    ...quietly,
    '-f',
    'lavfi',
    '-i',
    source,
    '-t',
    '0.5',
    ...audioCodec(profile),
    '-f',
    'adts',
    'pipe:1',
  ];
}

/** Whether the media is already in exactly the profile's format, so that it need not be encoded. */
export function isCopyable(probe: MediaProbe, profile: ProfileSpec): boolean {
  const { video, audio } = probe;
  if (video === undefined || audio === undefined) return false;
  return videoMatches(video, probe.durationMs, profile) && audioMatches(audio, profile);
}

function videoMatches(video: VideoStream, durationMs: number, { video: wanted }: ProfileSpec): boolean {
  const frameMs = (1000 * wanted.frameRate.den) / wanted.frameRate.num;
  return (
    video.codec === 'h264' &&
    video.profile === 'High' &&
    video.width === wanted.width &&
    video.height === wanted.height &&
    video.pixelFormat === 'yuv420p' &&
    video.sampleAspect.num === video.sampleAspect.den &&
    !video.interlaced &&
    video.reorderDepth <= 2 &&
    sameRate(video.frameRate, wanted.frameRate) &&
    sameRate(video.lowestRate, wanted.frameRate) &&
    // A picture that ends before the file does would leave a hole at the joint.
    video.durationMs !== undefined &&
    Math.abs(video.durationMs - durationMs) <= 1.5 * frameMs
  );
}

function audioMatches(audio: AudioStream, { audio: wanted }: ProfileSpec): boolean {
  return (
    audio.codec === 'aac' &&
    audio.profile === 'LC' &&
    audio.sampleRate === wanted.sampleRate &&
    audio.channels === wanted.channels
  );
}

function sameRate(a: { num: number; den: number } | undefined, b: { num: number; den: number }): boolean {
  return a !== undefined && a.num * b.den === b.num * a.den;
}

const quietly = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-nostats'];

const muxed = [
  ...['-map_metadata', '-1', '-map_chapters', '-1'],
  ...['-f', 'mpegts', '-mpegts_start_pid', String(pids.video), '-mpegts_pmt_start_pid', String(pids.pmt)],
  ...['-muxdelay', '0', '-muxpreload', '0', '-flush_packets', '1'],
  'pipe:1',
];

/** A quarter of a picture more than needed: ffmpeg rounds to whole pictures, and must not round one away. */
function secondsOf({ frames, profile }: EncodeRequest): string {
  const { num, den } = profile.video.frameRate;
  return (((frames + 0.25) * den) / num).toFixed(6);
}

function copied(request: EncodeRequest, seconds: string): string[] {
  const { video, audio } = request.probe;
  return [
    ...['-map', `0:${video?.index}`, '-map', `0:${audio?.index}`],
    ...(request.gainDb ? copiedButSound(request, request.gainDb) : ['-c', 'copy']),
    ...['-to', (request.fromMs / 1000 + Number(seconds)).toFixed(6)],
    // Sound that ends early must not hold the picture back.
    ...['-max_interleave_delta', '1000000', '-avoid_negative_ts', 'disabled'],
  ];
}

function copiedButSound({ profile }: EncodeRequest, gainDb: number): string[] {
  const sound = ['aresample=async=1000', layoutFilter(profile), gainFilter(gainDb)].join(',');
  return ['-c:v', 'copy', '-af', sound, ...audioCodec(profile)];
}

function encoded(request: EncodeRequest, seconds: string): string[] {
  const { profile, threads } = request;
  const graph = [`${videoChain(request)}[v]`, `${audioChain(request)}[a]`].join(';');
  return [
    ...['-filter_complex', graph, '-map', '[v]', '-map', '[a]', '-t', seconds, '-sn', '-dn'],
    ...videoCodec(profile, threads),
    ...(request.manyEntries ? ['-force_key_frames', entryExpression(profile)] : []),
    ...audioCodec(profile),
  ];
}

/** Every quarter of a second in the first two, then as the profile says. */
function entryExpression({ video }: ProfileSpec): string {
  const every = video.keyframeMs / 1000;
  return `expr:if(lt(t,2),gte(t,n_forced*0.25),gte(t,2+(n_forced-8)*${every}))`;
}

function videoChain({ probe, profile, fromMs }: EncodeRequest): string {
  const { width, height, frameRate } = profile.video;
  const rate = `${frameRate.num}/${frameRate.den}`;
  const { video } = probe;
  if (video === undefined) return `color=c=black:s=${width}x${height}:r=${rate},format=yuv420p`;
  const fitted = fitInto(video, width, height);
  return [
    `[0:${video.index}]${video.interlaced ? 'yadif=deint=interlaced,' : ''}fps=${rate}:start_time=0`,
    `scale=${fitted.width}:${fitted.height}`,
    `pad=${width}:${height}:-1:-1`,
    'setsar=1,format=yuv420p',
    `tpad=stop_mode=clone:stop_duration=${holdSeconds(probe, fromMs)}`,
  ].join(',');
}

/** A picture track that is known to be shorter than its file is held to the file's end. */
function holdSeconds({ video, durationMs }: MediaProbe, fromMs: number): number {
  const missing = durationMs - Math.max(video?.durationMs ?? durationMs, fromMs);
  return holdLastPictureSeconds + Math.max(0, Math.ceil(missing / 1000));
}

/** The largest even size in the picture's own shape that fits. */
function fitInto(video: VideoStream, width: number, height: number): { width: number; height: number } {
  const shape = (video.width * video.sampleAspect.num) / (video.height * video.sampleAspect.den);
  const even = (value: number, limit: number) => Math.max(2, Math.min(limit, Math.round(value / 2) * 2));
  return shape > width / height
    ? { width, height: even(width / shape, height) }
    : { width: even(height * shape, width), height };
}

function audioChain({ probe, profile, gainDb }: EncodeRequest): string {
  const { audio } = probe;
  const rate = profile.audio.sampleRate;
  if (audio === undefined) return `anullsrc=r=${rate},${layoutFilter(profile)}`;
  const sound = [`aresample=${rate}:async=1000:first_pts=0`, layoutFilter(profile)];
  if (gainDb) sound.push(gainFilter(gainDb));
  return `[0:${audio.index}]${sound.join(',')},apad`;
}

/** Behind the layout, where the samples are floating-point numbers that cannot overflow. */
function gainFilter(gainDb: number): string {
  return `volume=${gainDb.toFixed(1)}dB`;
}

function layoutFilter({ audio }: ProfileSpec): string {
  const layout = { 1: 'mono', 2: 'stereo', 6: '5.1' }[audio.channels];
  return `aformat=sample_fmts=fltp:channel_layouts=${layout}`;
}

/** No pictures in need of later ones, no key frames out of turn: the stream can be cut and joined anywhere. */
function videoCodec({ video }: ProfileSpec, threads: number): string[] {
  const gop = Math.max(
    1,
    Math.round((video.keyframeMs * video.frameRate.num) / (1000 * video.frameRate.den)),
  );
  return [
    ...['-c:v', 'libx264', '-preset', video.preset, '-profile:v', 'high', '-bf', '0'],
    ...['-g', String(gop), '-keyint_min', String(gop), '-sc_threshold', '0', '-flags', '+cgop'],
    ...['-forced-idr', '1', '-b:v', `${video.bitrateKbps}k`, '-maxrate', `${video.bitrateKbps}k`],
    ...['-bufsize', `${2 * video.bitrateKbps}k`, '-threads', String(threads)],
  ];
}

function audioCodec({ audio }: ProfileSpec): string[] {
  return [
    ...['-c:a', 'aac', '-b:a', `${audio.bitrateKbps}k`, '-ar', String(audio.sampleRate)],
    ...['-ac', String(audio.channels)],
  ];
}
