import PQueue from 'p-queue';
import type { Logger } from 'pino';
import { Helper, LostHelperError } from './helper.ts';
import type { Inspection, InspectionJob } from './inspect.ts';
import type { InspectorTask } from './inspector-process.ts';

/** Added to the deadlines of a job's two ffprobes. */
const graceMs = 10_000;

/** Inspects files, so many at a time, in a process of its own. */
export class Inspector {
  private readonly queue: PQueue;
  private readonly helper: Helper<InspectorTask, Inspection>;

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
    this.helper = new Helper({
      program: 'library/inspector-process.js',
      operation: 'inspecting media',
      niceness: deps.niceness,
    });
  }

  /** Of this inspector: one, or none while there is nothing to do. */
  get processes(): number {
    return this.helper.processes;
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
    this.helper.stop();
  }

  private async run(job: InspectionJob, signal: AbortSignal): Promise<Inspection> {
    const { probePath, niceness, timeoutMs } = this.deps;
    const task = { job, options: { probePath, niceness, timeoutMs } };
    const deadlineMs = 2 * timeoutMs + graceMs;
    this.deps.log.trace({ path: job.path }, 'inspecting');
    try {
      return await this.helper.run(task, { signal, deadlineMs });
    } catch (error) {
      if (!(error instanceof LostHelperError)) throw error;
      this.deps.log.info({ path: job.path }, 'the inspector ended, the file is inspected once more');
      return await this.helper.run(task, { signal, deadlineMs });
    }
  }
}
