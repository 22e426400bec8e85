import type { AudioStream, VideoStream } from '../library/media.ts';
import { fileGuard, fileUrl } from './input.ts';

/** Progress on the standard output, each line of the log with its level, and not more than one processor. */
const measuring = [
  ...['-nostdin', '-hide_banner', '-loglevel', 'level+info', '-nostats'],
  ...['-progress', 'pipe:1', '-stats_period', '1', '-filter_threads', '1'],
];
const oneThread = ['-threads', '1'];
const toNowhere = ['-f', 'null', '-'];

/**
 * The arguments of ffmpeg to measure a file's loudness by EBU R 128, in one pass over its sound. It is measured as
 * the stereo that nearly all profiles air: mixing down changes loudness, and peaks above all.
 */
export function loudnessArguments(path: string, audio: AudioStream): string[] {
  // Each tenth of a second is logged as "verbose", which is not shown.
  const graph =
    'aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo,ebur128=peak=true:framelog=verbose';
  return [
    ...measuring,
    ...oneThread,
    ...fileGuard,
    ...['-i', fileUrl(path), '-map', `0:${audio.index}`, '-af', graph],
    ...toNowhere,
  ];
}

/** Pictures that are looked at in a second. A break is found to within half of this distance. */
const picturesPerSecond = 10;
/** A shorter silence between two words is none. */
const shortestSilenceMs = 250;

/**
 * The arguments of ffmpeg to find black pictures and silence in one pass. All but what the decoder can leave out
 * without a loss here is decoded: key frames alone are seconds apart, and most black is shorter.
 */
export function breaksArguments(
  path: string,
  { video, audio }: { video: VideoStream; audio?: AudioStream | undefined },
  { blackMs, silenceDb }: { blackMs: number; silenceDb: number },
): string[] {
  // Black may begin and end between two of the pictures that are looked at.
  const blackSeconds = Math.max(1 / picturesPerSecond, blackMs / 1000 - 1 / picturesPerSecond);
  const picture = [
    `fps=${picturesPerSecond}`,
    'scale=160:-2:flags=fast_bilinear',
    'format=yuv420p',
    `blackdetect=d=${blackSeconds.toFixed(3)}`,
  ].join(',');
  const sound = `silencedetect=n=${silenceDb}dB:d=${shortestSilenceMs / 1000}`;
  return [
    ...measuring,
    ...oneThread,
    // Pictures on which no other one depends are left out, and so is what smooths the edges of blocks.
    ...['-skip_frame:v', 'noref', '-skip_loop_filter:v', 'all'],
    ...fileGuard,
    ...['-i', fileUrl(path), '-map', `0:${video.index}`, '-vf', picture],
    ...(audio === undefined ? [] : ['-map', `0:${audio.index}`, '-af', sound]),
    ...toNowhere,
  ];
}
