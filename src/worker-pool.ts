import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import type { ConnectTarget } from './db/connection.ts';
import { patienceHere } from './db/patience.ts';
import { FinalisingError, messageOf } from './errors.ts';
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

/** One thread for what would hold up the streams: planning and the guide. One task at a time, in order. */
export class WorkerPool {
  readonly #pool: Piscina;
  readonly #log: Logger;
  #stopped: Promise<void> | undefined;

  constructor(target: ConnectTarget, log: Logger) {
    this.#log = log;
    this.#pool = new Piscina({
      filename,
      minThreads: 1,
      maxThreads: 1,
      // Tasks wait for the database most of the time: one can use the thread meanwhile.
      concurrentTasksPerWorker: 2,
      idleTimeout: Number.POSITIVE_INFINITY,
      // Otherwise the thread sleeps between two tasks, and hears neither its timers nor that a connection has closed.
      atomics: 'disabled',
      // Callers wait for their results one by one; more than this would be a mistake.
      maxQueue: 1_000,
      closeTimeout: stopWaitMs,
      workerData: { target } satisfies WorkerData,
    });
    this.#pool.on('error', (error: Error) => log.error({ err: error }, 'the worker thread failed'));
  }

  /** Undefined when there is no such channel. */
  async plan(request: PlanChannelRequest): Promise<PlanChannelResult | undefined> {
    const task: PlanTask = { request, patience: patienceHere() };
    return opened((await this.#pool.run(task, { name: 'plan' })) as Answer<PlanChannelResult | undefined>);
  }

  /** Undefined when there is no such channel. */
  async preview(request: PreviewRequest): Promise<Preview | undefined> {
    const task: PreviewTask = { request, patience: patienceHere() };
    return opened((await this.#pool.run(task, { name: 'preview' })) as Answer<Preview | undefined>);
  }

  /** Whoever gives up by the signal ends the thread; the next task gets a new one. */
  async renderFragment(
    request: FragmentRequest,
    signal?: AbortSignal,
  ): Promise<RenderedFragment | undefined> {
    const rendered = await this.#pool.run(request, { name: 'guide', signal: signal ?? null });
    return opened(rendered as Answer<RenderedFragment | undefined>);
  }

  /** Writes an address into packed pieces of the guide. */
  async localise(deflated: Uint8Array[], base: string): Promise<Packed[]> {
    return (await this.#pool.run({ deflated, base }, { name: 'guideAddress' })) as Packed[];
  }

  /** Everything that a file can hold, as YAML in UTF-8. */
  async exportAll(): Promise<Uint8Array<ArrayBuffer>> {
    const file = await this.#pool.run(undefined, { name: 'exportAll' });
    return opened(file as Answer<Uint8Array<ArrayBuffer>>);
  }

  async importAll(request: ImportOptions & { file: Uint8Array }): Promise<ImportAnswer> {
    return opened((await this.#pool.run(request, { name: 'importAll' })) as Answer<ImportAnswer>);
  }

  /** Waits for the task that runs, but not for ever; what has not begun is given up. */
  stop(): Promise<void> {
    this.#stopped ??= this.#pool.close({ force: true }).catch((cause: unknown) => {
      const error = new FinalisingError(`The worker thread did not end: ${messageOf(cause)}`, {
        operation: 'stopping the worker thread',
        cause,
      });
      this.#log.warn({ err: error }, 'the worker thread did not stop as it should');
    });
    return this.#stopped;
  }
}
