import { join } from 'node:path';
import { ProcessError } from '../errors.ts';
import { breaksArguments, loudnessArguments } from '../ffmpeg/analysis-arguments.ts';
import { AnalysisReport } from '../ffmpeg/analysis-report.ts';
import { complaintOf } from '../ffmpeg/complaint.ts';
import { runProgram } from '../ffmpeg/run-program.ts';
import type { BreakThresholds } from './analysis.ts';
import { breaksFrom } from './analysis-breaks.ts';
import { lookAt } from './inspect.ts';
import type { AudioStream, VideoStream } from './media.ts';

/** What to measure of one file of a library. */
export interface AnalysisJob {
  kind: 'loudness' | 'breaks';
  root: string;
  /** Relative to the root, with `/`. */
  path: string;
  /** The file as it is known. */
  size: number;
  mtimeMs: number;
  durationMs: number;
  /** Loudness needs sound, breaks a picture. */
  video?: VideoStream | undefined;
  audio?: AudioStream | undefined;
  thresholds: BreakThresholds;
}

export type Analysis =
  | { kind: 'measured'; lufs: number; truePeakDb: number }
  | { kind: 'silent' }
  | { kind: 'found'; breaksMs: number[] }
  | { kind: 'failed'; reason: string }
  /** It says nothing about the file as it is known: that one is not there, or ffmpeg was killed. */
  | { kind: 'unclear'; reason: string };

export interface AnalysisOptions {
  ffmpegPath: string;
  niceness: number;
  /** How long it may take without getting any further in the file. */
  stallMs: number;
  signal?: AbortSignal | undefined;
}

/** With errors and less than this of the file read, what was measured is not that of the file. */
const leastShare = 0.5;

/**
 * Measures a file with one run of ffmpeg. What is wrong with the file is in the result; it rejects with the signal's
 * reason, and with ProcessError when this ffmpeg can measure nothing at all.
 */
export async function analyseFile(job: AnalysisJob, options: AnalysisOptions): Promise<Analysis> {
  const before = await lookAt(job);
  if (before !== 'same') return { kind: 'unclear', reason: unclear[before] };
  const result = await measure(job, options);
  const after = await lookAt(job);
  return after === 'same' ? result : { kind: 'unclear', reason: unclear[after] };
}

const unclear = {
  changed: 'the file is not as it was when it was scanned',
  gone: 'the file is not there',
} as const;

async function measure(job: AnalysisJob, options: AnalysisOptions): Promise<Analysis> {
  const path = join(job.root, job.path);
  const operation = `measuring ${path}`;
  const report = new AnalysisReport();
  const ended = await runProgram(options.ffmpegPath, argumentsFor(path, job), {
    name: 'ffmpeg',
    operation,
    timeoutMs: options.stallMs,
    niceness: options.niceness,
    signal: options.signal,
    onStdout: following(report),
    onStderr: byLine((line) => report.log(line)),
  });
  const errors = [...report.errors].join('\n');
  switch (ended) {
    case 'killed':
      return { kind: 'unclear', reason: 'ffmpeg was killed' };
    case 'timeout': {
      const reason = `ffmpeg got no further for ${Math.round(options.stallMs / 60_000)} minutes`;
      return { kind: 'failed', reason };
    }
    case 'failed': {
      const fault = [...report.errors].find((error) => faultOfFfmpeg.test(error));
      if (fault !== undefined) throw new ProcessError(`this ffmpeg cannot measure: ${fault}`, { operation });
      return { kind: 'failed', reason: complaintOf(errors, path, 'ffmpeg') };
    }
    case 'finished':
      if (errors !== '' && report.readMs < leastShare * job.durationMs) {
        const share = Math.floor((100 * report.readMs) / job.durationMs);
        return {
          kind: 'failed',
          reason: `only ${share} % of it can be read: ${complaintOf(errors, path, 'ffmpeg')}`,
        };
      }
      return resultOf(report, job, operation);
  }
}

/** Not the file, but a build without a filter, or a version with other options. */
const faultOfFfmpeg =
  /No such filter|Unrecognized option|Option not found|Error splitting the argument list|Error (applying|setting) option/;

function argumentsFor(path: string, { kind, video, audio, thresholds }: AnalysisJob): string[] {
  if (kind === 'loudness' && audio) return loudnessArguments(path, audio);
  if (kind === 'breaks' && video) return breaksArguments(path, { video, audio }, thresholds);
  throw new Error(`there is nothing to measure for ${kind} in ${path}`);
}

function resultOf(report: AnalysisReport, job: AnalysisJob, operation: string): Analysis {
  if (job.kind === 'breaks') {
    const silent = job.audio === undefined ? undefined : report.silent;
    return { kind: 'found', breaksMs: breaksFrom(report.black, silent, job.durationMs) };
  }
  const { loudness } = report;
  if (loudness === undefined) throw new ProcessError('this ffmpeg tells no loudness', { operation });
  return loudness === 'silent' ? { kind: 'silent' } : { kind: 'measured', ...loudness };
}

/** Newer versions report their progress also when there is none. */
function following(report: AnalysisReport): (chunk: Buffer, alive: () => void) => void {
  const read = byLine((line) => report.progress(line));
  return (chunk, alive) => {
    const before = report.readMs;
    read(chunk.toString('latin1'));
    if (report.readMs > before) alive();
  };
}

const longestLine = 10_000;

function byLine(take: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) take(line);
  };
}
