import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import type { ConnectTarget } from './db/connection.ts';
import { patienceHere } from './db/patience.ts';
import { FinalisingError, InvalidError, messageOf, UnavailableError } from './errors.ts';
import type { Packed } from './guide/packed.ts';
import type { FragmentRequest, RenderedFragment } from './guide/render.ts';
import type { PlanChannelRequest, PlanChannelResult } from './playout/plan-channel.ts';
import type { Preview, PreviewRequest } from './playout/preview.ts';
import type { ImportAnswer, ImportOptions } from './transfer/import.ts';
import type { PlanTask, PreviewTask, WorkerData } from './worker.ts';
import { type Answer, opened } from './worker-answer.ts';

/** Tests run the sources, but a thread needs the built file. */
const filename = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../dist/worker.js' : './worker.js', import.meta.url),
);

const stopWaitMs = 5_000;
const requestsIdleMs = 30_000;
/** That wait for their turn; whoever comes then is told to come again. */
const mostRequests = 20;
/** The largest file there may be takes half a minute. */
const longestRequestMs = 120_000;

/**
 * Threads for what would hold up the streams: one plans and writes the guide, in order; another one, which exists
 * while it is needed, does what a request asks for and may take long, so that nothing that is on air waits for it.
 */
export class WorkerPool {
  readonly #upkeep: Piscina;
  readonly #requests: Piscina;
  readonly #log: Logger;
  #stopped: Promise<void> | undefined;

  constructor(target: ConnectTarget, log: Logger) {
    this.#log = log;
    const options = {
      filename,
      maxThreads: 1,
      // Otherwise the thread sleeps between two tasks, and hears neither its timers nor that a connection has closed.
      atomics: 'disabled' as const,
      closeTimeout: stopWaitMs,
      workerData: { target } satisfies WorkerData,
    };
    this.#upkeep = new Piscina({
      ...options,
      minThreads: 1,
      // Tasks wait for the database most of the time: one can use the thread meanwhile.
      concurrentTasksPerWorker: 2,
      idleTimeout: Number.POSITIVE_INFINITY,
      // Callers wait for their results one by one; more than this would be a mistake.
      maxQueue: 1_000,
    });
    this.#requests = new Piscina({
      ...options,
      minThreads: 0,
      idleTimeout: requestsIdleMs,
      maxQueue: mostRequests,
      // The largest file there may be takes a quarter of it.
      resourceLimits: { maxOldGenerationSizeMb: 1_500 },
    });
    for (const pool of [this.#upkeep, this.#requests]) {
      pool.on('error', (error: Error) => log.error({ err: error }, 'a worker thread failed'));
    }
  }

  /** Undefined when there is no such channel. */
  async plan(request: PlanChannelRequest): Promise<PlanChannelResult | undefined> {
    const task: PlanTask = { request, patience: patienceHere() };
    return opened((await this.#upkeep.run(task, { name: 'plan' })) as Answer<PlanChannelResult | undefined>);
  }

  /** Undefined when there is no such channel. */
  async preview(request: PreviewRequest): Promise<Preview | undefined> {
    const task: PreviewTask = { request, patience: patienceHere() };
    return await this.#request<Preview | undefined>('preview', task);
  }

  /** Whoever gives up by the signal ends the thread; the next task gets a new one. */
  async renderFragment(
    request: FragmentRequest,
    signal?: AbortSignal,
  ): Promise<RenderedFragment | undefined> {
    const rendered = await this.#upkeep.run(request, { name: 'guide', signal: signal ?? null });
    return opened(rendered as Answer<RenderedFragment | undefined>);
  }

  /** Writes an address into packed pieces of the guide. */
  async localise(deflated: Uint8Array[], base: string): Promise<Packed[]> {
    return (await this.#upkeep.run({ deflated, base }, { name: 'guideAddress' })) as Packed[];
  }

  /** Everything that a file can hold, as YAML in UTF-8. */
  async exportAll(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#request<Uint8Array<ArrayBuffer>>('exportAll', undefined);
  }

  /** The file is handed over: nobody else can read it afterwards. */
  async importAll(request: ImportOptions & { file: Uint8Array<ArrayBuffer> }): Promise<ImportAnswer> {
    return await this.#request<ImportAnswer>('importAll', request, [request.file.buffer]);
  }

  /** Waits for the task that runs, but not for ever; what has not begun is given up. */
  stop(): Promise<void> {
    this.#stopped ??= Promise.all([this.#close(this.#upkeep), this.#close(this.#requests)]).then(() => {});
    return this.#stopped;
  }

  async #request<T>(name: string, task: unknown, transferList: ArrayBuffer[] = []): Promise<T> {
    if (this.#requests.queueSize >= mostRequests) {
      throw new UnavailableError('Too many others have asked for work of this kind; try again shortly.', {
        operation: 'waiting for a worker thread',
      });
    }
    const signal = AbortSignal.timeout(longestRequestMs + this.#requests.queueSize * longestRequestMs);
    try {
      return opened((await this.#requests.run(task, { name, transferList, signal })) as Answer<T>);
    } catch (error) {
      const { code, name: kind } = error as { code?: unknown; name?: unknown };
      const over =
        kind === 'AbortError' ? 'time' : code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : undefined;
      if (over === undefined) throw error;
      throw new InvalidError(`It takes more ${over} than there is for it.`, {
        operation: name,
        cause: error,
      });
    }
  }

  async #close(pool: Piscina): Promise<void> {
    await pool.close({ force: true }).catch((cause: unknown) => {
      const error = new FinalisingError(`The worker thread did not end: ${messageOf(cause)}`, {
        operation: 'stopping the worker thread',
        cause,
      });
      this.#log.warn({ err: error }, 'the worker thread did not stop as it should');
    });
  }
}
