import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { DatabaseError, FinalisingError, InitialisingError, messageOf, StartError } from '../errors.ts';
import { type DataLock, lockDataFolder, socketPlace } from './data-lock.ts';
import type { EmbeddedCommand, EmbeddedData, EmbeddedEvent } from './embedded-worker.ts';

export interface EmbeddedOptions {
  dataFolder: string;
  log: Logger;
  /** It broke down while in use. It is started again by itself. */
  onFailure?: (error: Error) => void;
  /** Where its first files come from. */
  templateFolder?: string;
}

const operation = 'opening the database';
const stopWaitMs = 10_000;
/** Recovery after a crash can take a while; but WebAssembly that loops never comes back. */
const launchWaitMs = 300_000;
/** Between two tries to start it anew. */
const longestPauseMs = 10_000;
const packageRoot = new URL('../../', import.meta.url);

/** The embedded database's worker, kept alive: it is started again when it breaks down. */
export class EmbeddedDatabase {
  readonly #options: EmbeddedOptions;
  #lock: DataLock | undefined;
  #place: ReturnType<typeof socketPlace> | undefined;
  #worker: Worker | undefined;
  #stopping = false;
  #failure: DatabaseError | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: EmbeddedOptions) {
    this.#options = options;
  }

  async start(): Promise<{ socket: string }> {
    const { dataFolder } = this.#options;
    try {
      await mkdir(dataFolder, { recursive: true });
    } catch (error) {
      throw new StartError(`The data folder ${dataFolder} cannot be made: ${messageOf(error)}.`, {
        operation,
        cause: error,
      });
    }
    this.#lock = await lockDataFolder(dataFolder);
    this.#place = socketPlace(dataFolder, 'database.sock');
    try {
      await this.#launch(this.#place.path);
    } catch (error) {
      await this.stop();
      const remedy = isDiskFull(error)
        ? 'Its disk is full: free some space on it.'
        : 'If its files are damaged, restore them from a backup, or move them away to begin anew.';
      throw new StartError(
        `The embedded database in ${join(dataFolder, 'pgdata')} does not start: ${messageOf(error)}. ${remedy}`,
        { operation, cause: error },
      );
    }
    return { socket: this.#place.path };
  }

  /** Why it is not there at the moment; undefined when it is. */
  get failure(): DatabaseError | undefined {
    return this.#failure;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    const worker = this.#worker;
    if (worker) {
      const gone = new Promise<void>((done) => worker.once('exit', () => done()));
      worker.postMessage({ kind: 'stop' } satisfies EmbeddedCommand);
      const late = delay(stopWaitMs, 'late' as const, { ref: false });
      if ((await Promise.race([gone, late])) === 'late') {
        const error = new FinalisingError(
          'The embedded database did not close in time. It recovers at the next start.',
          {
            operation: 'closing the embedded database',
          },
        );
        this.#options.log.error({ err: error }, 'the embedded database was ended by force');
      }
      await worker.terminate().catch(() => {});
    }
    this.#place?.dispose();
    await this.#lock?.release();
  }

  async #launch(socketPath: string): Promise<void> {
    const { dataFolder, log } = this.#options;
    const began = performance.now();
    const templateFolder =
      this.#options.templateFolder ?? fileURLToPath(new URL('dist/pglite-template', packageRoot));
    const worker = new Worker(new URL('dist/db/embedded-worker.js', packageRoot), {
      name: 'database',
      workerData: { dataFolder, socketPath, templateFolder } satisfies EmbeddedData,
      execArgv: [],
    });
    this.#worker = worker;
    let failure: Error | undefined;
    const ended = new Promise<Error>((done) => {
      worker.on('error', (error) => {
        failure = error as Error;
      });
      worker.once('exit', (code) => {
        this.#worker = undefined;
        done(failure ?? new Error(`its thread ended with code ${code}`));
      });
    });
    const ready = new Promise<void>((done, fail) => {
      worker.on('message', (event: EmbeddedEvent) => {
        switch (event.kind) {
          case 'ready':
            log.debug(
              { created: event.created, tookMs: performance.now() - began },
              'embedded database ready',
            );
            return done();
          case 'failed':
            return fail(
              new InitialisingError(event.message, { operation: 'starting the embedded database' }),
            );
          case 'warning':
            return log.warn(event.message);
          case 'pong':
            return;
        }
      });
      void ended.then(fail);
    });
    const late = setTimeout(() => void worker.terminate(), launchWaitMs).unref();
    await ready.finally(() => clearTimeout(late));
    const endWatch = watch(worker);
    void ended.then((error) => {
      endWatch();
      if (!this.#stopping) void this.#relaunch(error, socketPath);
    });
  }

  async #relaunch(reason: Error, socketPath: string): Promise<void> {
    for (
      let pauseMs = 250, error = reason;
      !this.#stopping;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    ) {
      this.#failure = brokenDown(error);
      this.#options.log.error({ err: error }, this.#failure.message);
      this.#options.onFailure?.(error);
      await delay(pauseMs, undefined, { ref: false });
      if (this.#stopping) return;
      try {
        await this.#launch(socketPath);
        this.#failure = undefined;
        return;
      } catch (again) {
        error = again as Error;
      }
    }
  }
}

function brokenDown(cause: Error): DatabaseError {
  const isFull = isDiskFull(cause);
  const why = isFull ? 'its disk is full; free some space on it' : messageOf(cause);
  return new DatabaseError(`The embedded database has broken down and is being started again: ${why}`, {
    operation: 'running the embedded database',
    cause,
    fault: isFull ? 'full' : 'away',
    code: isFull ? '53100' : undefined,
  });
}

function isDiskFull(error: unknown): boolean {
  return /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(messageOf(error));
}

/** Ends a worker that has not answered for two minutes: WebAssembly that loops can only be ended from outside. */
function watch(worker: Worker): () => void {
  const everyMs = 10_000;
  const limitMs = 120_000;
  let heardAt = performance.now();
  worker.on('message', () => {
    heardAt = performance.now();
  });
  const timer = setInterval(() => {
    if (performance.now() - heardAt > limitMs) void worker.terminate();
    else worker.postMessage({ kind: 'ping' } satisfies EmbeddedCommand);
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
