/** A stretch of a file, in milliseconds; one that lasts to the end may end at infinity. */
export interface Stretch {
  fromMs: number;
  toMs: number;
}

/** By the gate of EBU R 128, what is quieter is not heard. */
const inaudibleLufs = -70;
const maxErrors = 100;

/**
 * What ffmpeg says while it measures (analysis-arguments.ts), line by line. Only lines of the filters themselves
 * count: a file's titles are printed too, and may hold anything.
 */
export class AnalysisReport {
  readonly black: Stretch[] = [];
  readonly silent: Stretch[] = [];
  /** What went wrong, without repetitions. */
  readonly errors = new Set<string>();
  /** How far it has come, in milliseconds. */
  readMs = 0;
  private readonly summary = new Map<string, number>();
  private inSummary = false;

  /** A line of the log. */
  log(line: string): void {
    const [, source = '', level = '', text = ''] = logLine.exec(line) ?? [];
    if (this.inSummary && source === '' && level === '') this.readSummary(text);
    else if (source.includes('ebur128') && text.startsWith('Summary:')) this.inSummary = true;
    else if (source.includes('blackdetect')) this.readBlack(text);
    else if (source.includes('silencedetect')) this.readSilence(text);
    else if (/^(error|fatal|panic)$/.test(level) && this.errors.size < maxErrors) this.errors.add(text);
  }

  /** A line of the progress. */
  progress(line: string): void {
    // "N/A" before the first packet.
    const us = /^out_time_us=(\d+)$/.exec(line)?.[1];
    if (us !== undefined) this.readMs = Number(us) / 1000;
  }

  /** Undefined when nothing was measured. */
  get loudness(): { lufs: number; truePeakDb: number } | 'silent' | undefined {
    const lufs = this.summary.get('I');
    const truePeakDb = this.summary.get('Peak');
    if (lufs === undefined || truePeakDb === undefined) return undefined;
    const isHeard = Number.isFinite(lufs) && Number.isFinite(truePeakDb) && lufs > inaudibleLufs;
    return isHeard ? { lufs, truePeakDb } : 'silent';
  }

  /** "    I:         -23.1 LUFS", "    Peak:       -inf dBFS" */
  private readSummary(text: string): void {
    const [, name, value] = /^\s+(I|Peak):\s+(\S+) (?:LUFS|dBFS|dBTP)/.exec(text) ?? [];
    if (name !== undefined)
      this.summary.set(name, value === '-inf' ? Number.NEGATIVE_INFINITY : Number(value));
  }

  /** "black_start:12 black_end:13.5 black_duration:1.5" */
  private readBlack(text: string): void {
    const [, from, to] = /^black_start:\s*(\S+) black_end:\s*(\S+)/.exec(text) ?? [];
    if (from !== undefined) this.black.push({ fromMs: Number(from) * 1000, toMs: Number(to) * 1000 });
  }

  /** "silence_start: 12.2239", and at its end "silence_end: 13.7386 | silence_duration: 1.51471" */
  private readSilence(text: string): void {
    const [, which, at] = /^silence_(start|end):\s*(\S+)/.exec(text) ?? [];
    const last = this.silent.at(-1);
    if (which === 'start') this.silent.push({ fromMs: Number(at) * 1000, toMs: Number.POSITIVE_INFINITY });
    else if (which === 'end' && last !== undefined) last.toMs = Number(at) * 1000;
  }
}

/** "[silencedetect @ 0x55ca5bb62f40] [info] silence_start: 12.2239" */
const logLine = /^(?:\[([^[\]]*) @ 0x[0-9a-f]+\] )?(?:\[(\w+)\] )?(.*)$/;
