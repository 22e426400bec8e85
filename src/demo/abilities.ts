import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { messageOf, ProcessError } from '../errors.ts';
import { filterOption } from './filter-text.ts';
import type { RecipeAudio, RecipeVideo } from './recipes.ts';

/** What the ffmpeg at hand can do for the sample recordings. */
export interface FfmpegAbilities {
  ffmpegPath: string;
  encoders: ReadonlyMap<RecipeVideo['codec'] | RecipeAudio['codec'], string>;
  filters: ReadonlySet<string>;
  /** Options of drawtext that choose the font; absent when text cannot be drawn. */
  font?: string;
  /** What is done differently for want of something. */
  notes: string[];
}

const choices: Record<RecipeVideo['codec'] | RecipeAudio['codec'], readonly string[]> = {
  h264: ['libx264', 'libopenh264', 'mpeg4'],
  hevc: ['libx265', 'libx264', 'mpeg4'],
  mpeg4: ['mpeg4'],
  mpeg2: ['mpeg2video'],
  aac: ['aac'],
  ac3: ['ac3'],
  mp3: ['libmp3lame', 'libshine', 'mp2'],
  mp2: ['mp2'],
  flac: ['flac'],
};

const fontFiles = [
  '/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf',
  '/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf',
  '/usr/share/fonts/TTF/DejaVuSansMono-Bold.ttf',
  '/usr/share/fonts/dejavu-sans-mono-fonts/DejaVuSansMono-Bold.ttf',
  '/usr/share/fonts/dejavu/DejaVuSansMono-Bold.ttf',
  '/System/Library/Fonts/Menlo.ttc',
  'C:\\Windows\\Fonts\\consola.ttf',
];

/** Asks ffmpeg. Throws ProcessError when it does not run. */
export async function findAbilities(ffmpegPath: string, signal?: AbortSignal): Promise<FfmpegAbilities> {
  const [encoderList, filterList, font] = await Promise.all([
    ask(ffmpegPath, ['-encoders'], signal),
    ask(ffmpegPath, ['-filters'], signal),
    findFont(ffmpegPath, signal),
  ]);
  const notes: string[] = [];
  const present = secondWords(encoderList);
  const encoders = new Map<RecipeVideo['codec'] | RecipeAudio['codec'], string>();
  for (const [codec, names] of Object.entries(choices) as [keyof typeof choices, readonly string[]][]) {
    const name = names.find((candidate) => present.has(candidate));
    if (name === undefined) {
      throw new ProcessError(`this ffmpeg has none of the encoders ${names.join(', ')}`, {
        operation: 'preparing the sample recordings',
      });
    }
    encoders.set(codec, name);
    if (name !== names[0]) notes.push(`This ffmpeg has no ${names[0]}; ${name} takes its place.`);
  }
  if (font === undefined)
    notes.push('This ffmpeg cannot draw text; the test picture with a counter is used instead.');
  return {
    ffmpegPath,
    encoders,
    filters: secondWords(filterList),
    ...(font === undefined ? {} : { font }),
    notes,
  };
}

async function ask(ffmpegPath: string, args: string[], signal?: AbortSignal): Promise<string> {
  try {
    const { stdout } = await execa(ffmpegPath, ['-hide_banner', ...args], {
      stdin: 'ignore',
      timeout: 20_000,
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    });
    return stdout;
  } catch (error) {
    signal?.throwIfAborted();
    throw new ProcessError(`${ffmpegPath} does not run: ${messageOf(error)}`, {
      operation: 'preparing the sample recordings',
      cause: error,
    });
  }
}

/** Draws one letter with each font that might be there, because only that tells whether it works. */
async function findFont(ffmpegPath: string, signal?: AbortSignal): Promise<string | undefined> {
  const fonts = [
    ...fontFiles.filter((file) => existsSync(file)).map((file) => `fontfile=${filterOption(file)}`),
    'font=monospace',
  ];
  for (const font of fonts) {
    const { failed } = await execa(
      ffmpegPath,
      ['-v', 'error', '-f', 'lavfi', '-i', `color=s=64x64,drawtext=${font}:text=x`].concat([
        '-frames:v',
        '1',
        '-f',
        'null',
        '-',
      ]),
      {
        reject: false,
        stdin: 'ignore',
        timeout: 20_000,
        ...(signal === undefined ? {} : { cancelSignal: signal }),
      },
    );
    signal?.throwIfAborted();
    if (!failed) return font;
  }
  return undefined;
}

/** Names in ffmpeg's lists: ` V....D libx264   H.264 / AVC …`. */
function secondWords(list: string): Set<string> {
  return new Set(list.split('\n').map((line) => line.trim().split(/\s+/)[1] ?? ''));
}
