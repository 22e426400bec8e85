import type { EpochMs } from '../schedule/types.ts';

/** What was measured of a file's sound. It goes when the file changes. */
export type Loudness =
  | {
      kind: 'measured';
      /** Integrated loudness of the whole, in LUFS (EBU R 128). */
      lufs: number;
      /** The highest peak between samples, in dBTP. */
      truePeakDb: number;
      at: EpochMs;
    }
  /** There is no sound, or none that anybody hears. */
  | { kind: 'silent'; at: EpochMs }
  | AnalysisFailure;

/** Where a file without chapters may be interrupted. It goes when the file changes. */
export type Breaks = { kind: 'found'; breaksMs: number[]; at: EpochMs } | AnalysisFailure;

/** The file could not be read, and is not tried again before it changes. */
export interface AnalysisFailure {
  kind: 'failed';
  /** For a person. */
  reason: string;
  at: EpochMs;
}

/** What counts as black and as silent. */
export interface BreakThresholds {
  /** The shortest black, in milliseconds. */
  blackMs: number;
  /** What is below counts as silence, in dB of full scale. */
  silenceDb: number;
}
