import type { FfmpegAbilities } from './abilities.ts';
import { filterOption } from './filter-text.ts';
import { clockFilters } from './picture-clock.ts';
import type { Recipe, RecipeAudio, RecipeVideo } from './recipes.ts';

/** Arguments of the ffmpeg that makes one sample recording. */
export function recordingArguments(recipe: Recipe, output: string, abilities: FfmpegAbilities): string[] {
  const { video, audio } = recipe;
  const inputs: string[] = [];
  const outputs: string[] = [];
  if (video !== undefined) {
    inputs.push('-f', 'lavfi', '-i', picture(recipe, video, abilities));
    outputs.push('-map', '0:v', ...videoEncoding(video, abilities.encoders.get(video.codec)!));
  }
  if (audio !== undefined) {
    inputs.push('-f', 'lavfi', '-i', tone(audio));
    outputs.push('-map', video === undefined ? '0:a' : '1:a');
    outputs.push('-c:a', abilities.encoders.get(audio.codec)!, ...audioRate(audio));
  }
  return [
    ...['-hide_banner', '-nostdin', '-v', 'error', '-y'],
    ...inputs,
    ...outputs,
    // MP3 begins before zero. AVI, shifted for it, would begin with an empty frame.
    ...(output.endsWith('.avi') ? ['-avoid_negative_ts', 'disabled'] : []),
    ...['-t', String(recipe.seconds), '-metadata', `title=${recipe.title}`, output],
  ];
}

function picture(recipe: Recipe, video: RecipeVideo, abilities: FfmpegAbilities): string {
  const { width, height } = video;
  return [
    ...source(video, abilities),
    ...(video.uneven ? [`select=${filterOption('lt(mod(t,4),2)+not(mod(n,2))')}`] : []),
    `format=yuv420p`,
    `setsar=${video.sampleAspect ?? '1/1'}`,
    ...(abilities.font === undefined ? [] : texts(recipe, height, abilities.font)),
    ...clockFilters(recipe.number, width, height),
  ].join(',');
}

function source({ source, width, height, rate }: RecipeVideo, { filters, font }: FfmpegAbilities): string[] {
  const size = `s=${width}x${height}`;
  // It draws a counter of its own.
  if (font === undefined) return [`testsrc=${size}:r=${rate}`];
  if (!filters.has(source.filter)) return [`testsrc2=${size}:r=${rate}`];
  const picture = `${source.filter}=${source.options}:r=${rate}`;
  if (source.scale === undefined) return [picture];
  // Convert while the picture is small.
  const flags = source.scale === 'smooth' ? 'bilinear' : 'neighbor';
  return [picture, 'format=yuv420p', `scale=${width}:${height}:flags=${flags}`];
}

/** The position large in the middle, the frame's number below it, the title at the bottom. */
function texts({ title }: Recipe, height: number, font: string): string[] {
  const look = (size: number) =>
    `${font}:fontsize=${Math.round(height * size)}:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=${Math.round(height / 60)}`;
  return [
    // The time begins with a blank, where a sign would stand.
    `drawtext=${look(0.14)}:x=(w-tw)/2-tw/26:y=h*0.36:text=${filterOption('%{pts:hms}')}`,
    `drawtext=${look(0.07)}:x=(w-tw)/2:y=h*0.58:text=${filterOption('frame %{n}')}`,
    `drawtext=${look(0.07)}:x=(w-tw)/2:y=h*0.82:expansion=none:text=${filterOption(title)}`,
  ];
}

/** A quiet tone with a higher, louder beep in the first 40 ms of each second. */
function tone({ toneHz, layout }: RecipeAudio): string {
  const sine = `sine=frequency=${toneHz}:beep_factor=4:sample_rate=48000`;
  switch (layout) {
    case 'mono':
      return sine;
    case 'stereo':
      return `${sine},pan=stereo|c0=c0|c1=c0`;
    case '5.1':
      return `${sine},pan=5.1|c0=0.7*c0|c1=0.7*c0|c2=c0|c3=0.2*c0|c4=0.3*c0|c5=0.3*c0`;
  }
}

function videoEncoding({ codec, uneven }: RecipeVideo, encoder: string): string[] {
  const timing = uneven ? ['-fps_mode', 'vfr'] : ['-fps_mode', 'cfr'];
  return [...timing, '-c:v', encoder, ...videoOptions(encoder, codec)];
}

function videoOptions(encoder: string, codec: RecipeVideo['codec']): string[] {
  switch (encoder) {
    case 'libx264':
      return ['-preset', 'ultrafast', '-crf', '27', '-g', '100'];
    case 'libx265':
      return ['-preset', 'ultrafast', '-crf', '30', '-x265-params', 'log-level=error:keyint=96'];
    case 'libopenh264':
      return ['-b:v', '4M', '-g', '100'];
    default:
      return ['-q:v', codec === 'mpeg2' ? '6' : '5', '-g', codec === 'mpeg2' ? '15' : '100'];
  }
}

function audioRate({ codec, layout }: RecipeAudio): string[] {
  if (codec === 'flac') return [];
  switch (layout) {
    case 'mono':
      return ['-b:a', '96k'];
    case 'stereo':
      return ['-b:a', '160k'];
    case '5.1':
      return ['-b:a', '384k'];
  }
}
