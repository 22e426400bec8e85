import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import PQueue from 'p-queue';
import type { Logger } from 'pino';
import { ProcessError } from '../errors.ts';
import type { Inspection, InspectionJob } from './inspect.ts';
import type { InspectorReply, InspectorRequest } from './inspector-process.ts';

interface Waiting {
  done: (inspection: Inspection) => void;
  fail: (error: unknown) => void;
}

const program = fileURLToPath(new URL('../../dist/library/inspector-process.js', import.meta.url));
/** Without work for so long, the inspector's process ends. */
const idleMs = 30_000;
/** Added to the deadlines of a job's two ffprobes. */
const graceMs = 10_000;

/**
 * Inspects files, so many at a time, in a process of its own (inspector-process.ts says why), which is
 * started for the first job and ends when there is nothing to do.
 */
export class Inspector {
  private readonly queue: PQueue;
  private readonly waiting = new Map<number, Waiting>();
  private child: ChildProcess | undefined;
  private idle: NodeJS.Timeout | undefined;
  private lastId = 0;

  constructor(
    private readonly deps: {
      log: Logger;
      probePath: string;
      niceness: number;
      timeoutMs: number;
      concurrency: number;
    },
  ) {
    this.queue = new PQueue({ concurrency: deps.concurrency });
  }

  /** Of this inspector: one, or none while there is nothing to do. */
  get processes(): number {
    return this.child === undefined ? 0 : 1;
  }

  /** Resolves when fewer than twice as many jobs as run in parallel are waiting. */
  async ready(): Promise<void> {
    await this.queue.onSizeLessThan(this.deps.concurrency * 2);
  }

  /** Rejects with ProcessError when nothing can be inspected at all, and with the signal's reason. */
  async inspect(job: InspectionJob, options: { signal: AbortSignal; urgent?: boolean }): Promise<Inspection> {
    const priority = options.urgent ? 1 : 0;
    return await this.queue.add(() => this.run(job, options.signal), { priority });
  }

  /** Whoever gave jobs has aborted them before. */
  async stop(): Promise<void> {
    await this.queue.onIdle();
    clearTimeout(this.idle);
    this.end(this.child);
  }

  private async run(job: InspectionJob, signal: AbortSignal): Promise<Inspection> {
    signal.throwIfAborted();
    const { probePath, niceness, timeoutMs } = this.deps;
    const options = { probePath, niceness, timeoutMs };
    try {
      return await this.ask({ id: ++this.lastId, job, options }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LostInspectorError)) throw error;
      this.deps.log.info({ path: job.path }, 'the inspector ended, the file is inspected once more');
      return await this.ask({ id: ++this.lastId, job, options }, signal);
    }
  }

  private async ask(
    request: Extract<InspectorRequest, { job: InspectionJob }>,
    signal: AbortSignal,
  ): Promise<Inspection> {
    const child = this.start();
    const { id, job } = request;
    const cancel = () => this.send(child, { id, cancel: true });
    const deadline = setTimeout(() => this.lose(child), 2 * request.options.timeoutMs + graceMs);
    try {
      return await new Promise<Inspection>((done, fail) => {
        this.waiting.set(id, { done, fail });
        signal.addEventListener('abort', cancel, { once: true });
        this.deps.log.trace({ path: job.path }, 'inspecting');
        this.send(child, request);
      });
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener('abort', cancel);
      this.waiting.delete(id);
      if (this.waiting.size === 0) this.endWhenIdle(child);
    }
  }

  private start(): ChildProcess {
    clearTimeout(this.idle);
    if (this.child) return this.child;
    const child = fork(program, [], {
      execArgv: ['--max-old-space-size=128'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    });
    child.on('message', (reply: InspectorReply) => {
      const waiting = this.waiting.get(reply.id);
      if ('inspection' in reply) waiting?.done(reply.inspection);
      else waiting?.fail(new ProcessError(reply.error, { operation: 'inspecting media' }));
    });
    child.on('error', (error) => this.lose(child, error));
    child.on('exit', () => this.lose(child));
    this.child = child;
    return child;
  }

  private send(child: ChildProcess, request: InspectorRequest): void {
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
    for (const { fail } of this.waiting.values()) fail(new LostInspectorError(cause));
  }

  private endWhenIdle(child: ChildProcess): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.end(child), idleMs).unref();
  }

  private end(child: ChildProcess | undefined): void {
    if (child === undefined || child !== this.child) return;
    this.child = undefined;
    endProcess(child);
  }
}

class LostInspectorError extends ProcessError {
  constructor(cause: unknown) {
    super('the process that inspects media ended', { operation: 'inspecting media', cause });
  }
}

/** Disconnected, it kills its ffprobes and ends; one that does not is killed. */
function endProcess(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  const force = setTimeout(() => child.kill('SIGKILL'), 2_000);
  if (child.exitCode === null && child.signalCode === null) child.once('exit', () => clearTimeout(force));
  else clearTimeout(force);
}
