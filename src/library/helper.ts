import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ProcessError } from '../errors.ts';
import type { HelperReply, HelperRequest } from './helper-jobs.ts';

interface Waiting<Result> {
  done: (result: Result) => void;
  fail: (error: unknown) => void;
}

/** Without work for so long, the process ends. */
const idleMs = 30_000;

/** The helper's process ended before the job did; the next job starts another one. */
export class LostHelperError extends ProcessError {}

/**
 * A small process that does jobs for the server (helper-jobs.ts says why). It is started for the first job, ends
 * when there is nothing to do, and kills what its jobs have started when the server is no more.
 */
export class Helper<Job, Result> {
  private readonly waiting = new Map<number, Waiting<Result>>();
  private readonly program: string;
  private child: ChildProcess | undefined;
  private idle: NodeJS.Timeout | undefined;
  private lastId = 0;

  /** @param program the module that calls `serveJobs`, relative to the built sources */
  constructor(private readonly deps: { program: string; operation: string; niceness: number }) {
    // Tests run the sources, but a process needs the built file.
    this.program = fileURLToPath(new URL(`../../dist/${deps.program}`, import.meta.url));
  }

  /** One, or none while there is nothing to do. */
  get processes(): number {
    return this.child === undefined ? 0 : 1;
  }

  /**
   * Has one job done. Rejects with ProcessError when the helper could not do it; with LostHelperError when the
   * process ended, or was ended because the job took longer than its deadline; with the signal's reason once what
   * the job had started has ended.
   */
  async run(job: Job, options: { signal: AbortSignal; deadlineMs?: number }): Promise<Result> {
    const { signal, deadlineMs } = options;
    signal.throwIfAborted();
    const child = this.start();
    const id = ++this.lastId;
    const cancel = () => this.send(child, { id, cancel: true });
    const deadline = deadlineMs === undefined ? undefined : setTimeout(() => this.lose(child), deadlineMs);
    try {
      return await new Promise<Result>((done, fail) => {
        this.waiting.set(id, { done, fail });
        signal.addEventListener('abort', cancel, { once: true });
        this.send(child, { id, job, niceness: this.deps.niceness });
      });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener('abort', cancel);
      this.waiting.delete(id);
      if (this.waiting.size === 0) this.endWhenIdle(child);
    }
  }

  /** Whoever gave jobs has aborted them before; what is left of them is lost. */
  stop(): void {
    clearTimeout(this.idle);
    if (this.child) this.lose(this.child);
  }

  private start(): ChildProcess {
    clearTimeout(this.idle);
    if (this.child) return this.child;
    const child = fork(this.program, [], {
      execArgv: ['--max-old-space-size=128'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    });
    child.on('message', (reply: HelperReply<Result>) => {
      const waiting = this.waiting.get(reply.id);
      if ('result' in reply) waiting?.done(reply.result);
      else waiting?.fail(new ProcessError(reply.error, { operation: this.deps.operation }));
    });
    child.on('error', (error) => this.lose(child, error));
    child.on('exit', () => this.lose(child));
    this.child = child;
    return child;
  }

  private send(child: ChildProcess, request: HelperRequest<Job>): void {
    if (!child.connected) {
      this.lose(child);
      return;
    }
    child.send(request, (error) => {
      if (error) this.lose(child, error);
    });
  }

  private lose(child: ChildProcess, cause?: unknown): void {
    if (child !== this.child) return;
    this.child = undefined;
    endProcess(child);
    const { operation } = this.deps;
    for (const { fail } of this.waiting.values()) {
      fail(new LostHelperError('the process that does it ended', { operation, cause }));
    }
  }

  private endWhenIdle(child: ChildProcess): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.lose(child), idleMs).unref();
  }
}

/** Disconnected, it kills what it has started and ends; one that does not is killed. */
function endProcess(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  const force = setTimeout(() => child.kill('SIGKILL'), 2_000);
  if (child.exitCode === null && child.signalCode === null) child.once('exit', () => clearTimeout(force));
  else clearTimeout(force);
}
