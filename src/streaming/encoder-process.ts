import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { lowerPriority } from '../ffmpeg/priority.ts';

/** Why an encoder is no more. */
export type ExitReason =
  | { kind: 'finished' }
  | { kind: 'killed'; signal: NodeJS.Signals }
  | { kind: 'failed'; code: number | undefined; stderr: string };

export interface SpawnOptions {
  file: string;
  args: readonly string[];
  niceness: number;
  /** Marks the process as this server's, so that the next one finds what this one left behind. */
  owner: string;
}

/** The variable by which a later start of the server recognises its own. */
export const ownerVariable = 'AIRCHECK_OWNER';

const stderrKept = 4_096;

/** One ffmpeg that writes to its standard output. It lives until its exit event says otherwise. */
export class EncoderProcess {
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly startedAt = Date.now();
  /** Resolves once; never rejects. */
  readonly exited: Promise<ExitReason>;
  /** Set when the process has ended. */
  exit: ExitReason | undefined;
  /** How much it has put out by its own account, in milliseconds of the programme. */
  outTimeMs: number | undefined;
  private stderr = '';
  private resolve: ((reason: ExitReason) => void) | undefined;

  constructor(options: SpawnOptions) {
    const child = execa(options.file, options.args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      buffer: false,
      reject: false,
      // A group of its own: a kill takes what the process may have started, and a Ctrl-C here does not.
      detached: true,
      cleanup: false,
      env: { [ownerVariable]: options.owner },
    });
    this.pid = child.pid;
    this.stdout = child.stdout;
    this.stdout.on('error', () => {});
    child.stderr.on('error', () => {});
    child.stderr.on('data', (bytes: Buffer) => {
      this.stderr = (this.stderr + bytes.toString('utf8')).slice(-stderrKept);
    });
    this.followProgress(child.stdio[3]);
    this.exited = this.watch(child);
    // A process that the system refuses to start has no events; only execa's own result tells of it.
    void child.then(({ exitCode, shortMessage }) =>
      this.end({ kind: 'failed', code: exitCode, stderr: shortMessage ?? '' }),
    );
    lowerPriority(this.pid, options.niceness);
  }

  /** Ends the process and all that it started, at once and whatever state it is in. */
  kill(): void {
    if (this.exit !== undefined || this.pid === undefined) return;
    killGroup(this.pid);
    // Nobody reads what is still in the pipe.
    this.stdout.destroy();
  }

  /** The end of what it has said. */
  get stderrTail(): string {
    return this.stderr.trim();
  }

  /** What `progressArguments` make ffmpeg tell. */
  private followProgress(pipe: Readable): void {
    pipe.on('error', () => {});
    createInterface({ input: pipe }).on('line', (line) => {
      const [key, value] = line.split('=');
      // "N/A" before the first picture.
      if (key === 'out_time_us' && /^\d+$/.test(value ?? '')) this.outTimeMs = Number(value) / 1000;
    });
  }

  private watch(child: Pick<ChildProcess, 'once'>): Promise<ExitReason> {
    child.once('exit', (code, signal) => {
      if (signal !== null) this.end({ kind: 'killed', signal });
      else if (code === 0) this.end({ kind: 'finished' });
      else this.end({ kind: 'failed', code: code ?? undefined, stderr: this.stderrTail });
    });
    child.once('error', (error) => this.end({ kind: 'failed', code: undefined, stderr: error.message }));
    return new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  private end(reason: ExitReason): void {
    this.exit ??= reason;
    this.resolve?.(this.exit);
  }
}

/** Kills a process group; one that is gone already is what was wanted. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
