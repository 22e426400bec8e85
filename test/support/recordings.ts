import { join } from 'node:path';
import { makeRecordings, type RecordingInfo } from '../../src/demo/recordings.ts';

const folder = join(import.meta.dirname, '../../.demo/test-recordings');

/**
 * Sample recordings for tests to read, made once and kept from run to run. Whoever wants to change a file
 * copies it first.
 *
 * @param only numbers of the recordings; by default all of them, which takes half a minute the first time
 */
export function sampleRecordings(only?: readonly number[]): Promise<RecordingInfo[]> {
  const ffmpegPath = process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg';
  return makeRecordings(folder, { ffmpegPath, ...(only === undefined ? {} : { only }) });
}
