import { basename } from 'node:path';
import { fileUrl } from './input.ts';

/** What ffprobe or ffmpeg complained of a file, as one short sentence for a person. */
export function complaintOf(stderr: string, path: string, program: 'ffprobe' | 'ffmpeg'): string {
  const sentence = known.find(([pattern]) => pattern.test(stderr))?.[1];
  if (sentence !== undefined) return sentence;
  const line = stderr.trim().split('\n').at(-1) ?? '';
  const text = line
    .replaceAll(fileUrl(path), basename(path))
    .replace(/\[[^\]]* @ 0x[0-9a-f]+\]\s*/g, '')
    .trim();
  return text === '' ? `${program} failed without saying why` : text.slice(0, 200);
}

const known: readonly (readonly [RegExp, string])[] = [
  [/moov atom not found/, 'its index is missing (moov atom not found): the file is not complete, or no MP4'],
  [/Format not on whitelist/, 'it is not a recording'],
  [/EBML header parsing failed/, 'it is not a Matroska file (EBML header parsing failed)'],
  [/Permission denied/, 'this server has no permission to read it'],
  [/No such file or directory/, 'the file is not there'],
  [/Input\/output error/, 'it cannot be read: input/output error'],
  [/Invalid data found when processing input/, 'its content is not that of a recording'],
];
