import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ProbeError, ProcessError } from '../errors.ts';
import { type ProbeOptions, probeFile } from '../ffmpeg/probe.ts';
import { presentShare } from './cut-file.ts';
import { parseFileName } from './file-name.ts';
import type { MediaProbe } from './media.ts';
import type { MediaMetadata } from './metadata.ts';
import { readNfoFiles } from './nfo.ts';

/** What to find out about one file of a library. */
export interface InspectionJob {
  root: string;
  /** Relative to the root, with `/`. */
  path: string;
  /** The file as the walk saw it. */
  size: number;
  mtimeMs: number;
  /** Without it, only name and NFO are read again. */
  probe: boolean;
}

export type Inspection =
  | { kind: 'ready'; probe: MediaProbe; metadata: MediaMetadata; ignoredNfo: string[] }
  | { kind: 'failed'; reason: string; metadata: MediaMetadata; ignoredNfo: string[] }
  | { kind: 'described'; metadata: MediaMetadata; ignoredNfo: string[] }
  /** It is no longer as the walk saw it: somebody writes to it. */
  | { kind: 'changed' }
  | { kind: 'gone' };

/** Less than this may be missing at the end of a file: an index, a few frames. */
const tolerableLoss = 0.001;

/**
 * Probes a file and reads its name and NFO. What is wrong with the file is in the result; it rejects with
 * the signal's reason, and with ProcessError when there is no ffprobe.
 */
export async function inspectFile(job: InspectionJob, options: ProbeOptions): Promise<Inspection> {
  const file = join(job.root, job.path);
  const before = await lookAt(job);
  if (before !== 'same') return { kind: before };
  const { metadata, ignored: ignoredNfo } = await readNfoFiles(job.root, job.path, parseFileName(job.path));
  if (!job.probe) return { kind: 'described', metadata, ignoredNfo };

  const result = await probe(file, job.size, options);
  const after = await lookAt(job);
  if (after !== 'same') return { kind: after };
  return typeof result === 'string'
    ? { kind: 'failed', reason: result, metadata, ignoredNfo }
    : { kind: 'ready', probe: result, metadata, ignoredNfo };
}

async function probe(file: string, size: number, options: ProbeOptions): Promise<MediaProbe | string> {
  try {
    const result = await probeFile(file, options);
    const share = await presentShare(file, size);
    if (share !== undefined && share < 1 - tolerableLoss) {
      return `the file is not complete: ${Math.floor(share * 100)} % of it is there`;
    }
    return result;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof ProcessError) throw error;
    return error instanceof ProbeError ? error.message : `it cannot be read: ${messageOf(error)}`;
  }
}

/** Whether a file still is as it was when its size and time were noted. */
export async function lookAt(
  file: Pick<InspectionJob, 'root' | 'path' | 'size' | 'mtimeMs'>,
): Promise<'same' | 'changed' | 'gone'> {
  const now = await stat(join(file.root, file.path)).catch(() => undefined);
  if (now === undefined) return 'gone';
  return now.size === file.size && Math.floor(now.mtimeMs) === file.mtimeMs ? 'same' : 'changed';
}
