import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Database } from '../db/connection.ts';
import {
  countFindings,
  type FindingCounts,
  type FindingKind,
  type Findings,
  findingOfGone,
  storeFinding,
  type UnknownFile,
  unknownFiles,
} from '../db/media-analysis.ts';
import { messageOf } from '../errors.ts';
import type { Analysis, AnalysisJob } from './analyse.ts';
import type { Loudness } from './analysis.ts';
import type { AnalystTask } from './analyst-process.ts';
import { Helper, LostHelperError } from './helper.ts';

/** How far the analysis of all libraries is. */
export interface AnalysisProgress {
  loudness?: FindingCounts;
  breaks?: FindingCounts;
  /** What is being measured, and since when (ISO 8601). */
  current?: { kind: FindingKind; path: string; since: string };
  /** The last failures, the latest last; that of a media is told with it. */
  failures: { kind: FindingKind; path: string; reason: string }[];
}

/** What one run of the analysis has done. */
export interface AnalysisResult {
  analysed: number;
  failed: number;
  /** Left for the next run: their files are away or are being changed. */
  skipped: number;
}

export interface AnalysisDeps {
  db: Database;
  log: Logger;
  config: Config['library']['analysis'];
  ffmpegPath: string;
  /** Called for each media whose loudness is known now. */
  onLoudness: (mediaId: string, loudness: Loudness) => void;
  /** Called some time after breaks have been found. */
  onBreaks: () => void;
  now?: () => number;
  stallMs?: number;
}

/** Files that are looked up at once: what is on the air soon may change while they are measured. */
const batch: Record<FindingKind, number> = { loudness: 20, breaks: 1 };
/** After so many files that are not there, the disk is, most likely. */
const mostSkipped = 100;
const failuresKept = 10;
/** Breaks change what is planned, so they are told of together. */
const tellBreaksEveryMs = 300_000;

/**
 * Measures, one file after the other and at the lowest priority, what is not known yet of the media: the loudness of
 * all of them first, which takes seconds, and then breaks, which take minutes. It goes on where it was, whenever the
 * server was ended: what is known is in the database, and each file is measured once, until it changes.
 */
export class AnalysisService {
  private readonly analyst: Helper<AnalystTask, Analysis>;
  private counts: Partial<Record<FindingKind, FindingCounts>> = {};
  private current: AnalysisProgress['current'];
  private readonly failures: AnalysisProgress['failures'] = [];
  /** Since when breaks wait to be told of. */
  private untoldSince: number | undefined;

  constructor(private readonly deps: AnalysisDeps) {
    this.analyst = new Helper({
      program: 'library/analyst-process.js',
      operation: 'measuring media',
      niceness: lowestPriority,
    });
  }

  /** Whether there is anything to do by the settings. */
  static isWanted({ loudness, breaks }: AnalysisDeps['config']): boolean {
    return loudness || breaks;
  }

  /** Processes that measure at the moment, without their ffmpegs. */
  get processes(): number {
    return this.analyst.processes;
  }

  progress(): AnalysisProgress {
    const { counts, current, failures } = this;
    return { ...counts, ...(current && { current }), failures: [...failures] };
  }

  /**
   * Measures until there is nothing left, or the signal ends it; then no process is left. Rejects when the database
   * is away, or when ffmpeg cannot measure at all.
   */
  async run(signal: AbortSignal): Promise<AnalysisResult> {
    const result = { analysed: 0, failed: 0, skipped: 0 };
    const skipped: string[] = [];
    try {
      if (!signal.aborted) await this.count();
      while (!signal.aborted && skipped.length < mostSkipped) {
        const files = await this.next(skipped);
        if (files.length === 0) break;
        for (const [kind, file] of files) {
          if (signal.aborted) break;
          const finding = await this.find(kind, file, signal);
          if (finding === undefined) skipped.push(file.id);
          else result[finding.kind === 'failed' ? 'failed' : 'analysed']++;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.current = undefined;
      this.tellBreaks(0);
    }
    return { ...result, skipped: skipped.length };
  }

  /** A run must have been ended before, by its signal. */
  stop(): void {
    this.analyst.stop();
  }

  private kinds(): FindingKind[] {
    const { loudness, breaks } = this.deps.config;
    return [...(loudness ? (['loudness'] as const) : []), ...(breaks ? (['breaks'] as const) : [])];
  }

  private async count(): Promise<void> {
    for (const kind of this.kinds()) this.counts[kind] = await countFindings(this.deps.db, kind);
  }

  private async next(except: readonly string[]): Promise<[FindingKind, UnknownFile][]> {
    const now = this.now();
    for (const kind of this.kinds()) {
      const files = await unknownFiles(this.deps.db, kind, { now, limit: batch[kind], except });
      if (files.length > 0) return files.map((file) => [kind, file]);
    }
    return [];
  }

  /** Undefined when nothing can be said of the file now. */
  private async find(
    kind: FindingKind,
    file: UnknownFile,
    signal: AbortSignal,
  ): Promise<Findings[FindingKind] | undefined> {
    this.current = { kind, path: file.path, since: new Date().toISOString() };
    const finding =
      (await findingOfGone(this.deps.db, kind, file)) ?? (await this.analyse(kind, file, signal));
    const stored = finding && (await storeFinding(this.deps.db, kind, file, finding));
    if (stored === undefined) return undefined;
    this.note(kind, file, stored);
    return stored;
  }

  private async analyse(
    kind: FindingKind,
    file: UnknownFile,
    signal: AbortSignal,
  ): Promise<Findings[FindingKind] | undefined> {
    const at = this.now();
    const { video, audio } = file.probe;
    if (kind === 'loudness' && audio === undefined) return { kind: 'silent', at };
    if (kind === 'breaks' && video === undefined) return { kind: 'found', breaksMs: [], at };
    const { root, path, size, mtimeMs, durationMs } = file;
    const { blackMs, silenceDb } = this.deps.config;
    const analysis = await this.ask(
      {
        ...{ root, path, size, mtimeMs, durationMs },
        ...{ kind, video, audio, thresholds: { blackMs, silenceDb } },
      },
      signal,
    );
    if (analysis.kind === 'unclear') {
      this.deps.log.debug({ path, reason: analysis.reason }, 'not measured now');
      return undefined;
    }
    return { ...analysis, at };
  }

  private async ask(job: AnalysisJob, signal: AbortSignal): Promise<Analysis> {
    const options = {
      ffmpegPath: this.deps.ffmpegPath,
      niceness: lowestPriority,
      stallMs: this.deps.stallMs ?? longestStallMs,
    };
    try {
      return await this.analyst.run({ job, options }, { signal });
    } catch (error) {
      if (error instanceof LostHelperError) return { kind: 'unclear', reason: messageOf(error) };
      throw error;
    }
  }

  private note(kind: FindingKind, { id, path }: UnknownFile, finding: Findings[FindingKind]): void {
    const counts = this.counts[kind];
    if (counts !== undefined) {
      counts.done++;
      // Others may have joined since they were counted.
      counts.total = Math.max(counts.total, counts.done);
    }
    if (finding.kind === 'failed') {
      if (counts !== undefined) counts.failed++;
      this.failures.push({ kind, path, reason: finding.reason });
      if (this.failures.length > failuresKept) this.failures.shift();
      this.deps.log.info({ path, kind, reason: finding.reason }, 'a file cannot be measured');
    } else if (finding.kind === 'found') {
      if (finding.breaksMs.length > 0) this.untoldSince ??= performance.now();
      this.tellBreaks(tellBreaksEveryMs);
    } else {
      this.deps.onLoudness(id, finding);
    }
  }

  private now(): number {
    return (this.deps.now ?? Date.now)();
  }

  private tellBreaks(afterMs: number): void {
    if (this.untoldSince === undefined || performance.now() - this.untoldSince < afterMs) return;
    this.untoldSince = undefined;
    this.deps.onBreaks();
  }
}

const lowestPriority = 19;
/** Longer than a disk takes to wake, or a busy server to have a moment. */
const longestStallMs = 300_000;
