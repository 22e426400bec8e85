import type { Logger } from 'pino';
import { messageOf, NotFoundError } from '../errors.ts';

export interface Task {
  name: string;
  everyMs: number;
  /** How long after the start the first run is; at once by default. */
  firstAfterMs?: number;
  /** What it returns is shown to people, and so must be small and fit for JSON. The signal aborts at a stop. */
  run(signal: AbortSignal): Promise<unknown>;
  /** How far a long run is; shown to people too. */
  progress?(): unknown;
}

export interface TaskStatus {
  name: string;
  everyMs: number;
  running: boolean;
  runs: number;
  failures: number;
  lastStartedAt?: number;
  lastDurationMs?: number;
  lastSucceededAt?: number;
  lastResult?: unknown;
  /** Absent when the last run ended well. */
  lastError?: string;
  progress?: unknown;
  nextRunAt?: number;
}

interface Loop {
  task: Task;
  status: TaskStatus;
  timer: NodeJS.Timeout | undefined;
  current: Promise<void> | undefined;
  /** The run that follows the current one, for all who ask for one meanwhile. */
  following: Promise<void> | undefined;
}

/** What setTimeout can hold; with more it fires at once. */
const longestTimeoutMs = 2 ** 31 - 1;

/** Runs background loops. One that throws is logged and counted, and is run again at its next turn. */
export class TaskRunner {
  readonly #log: Logger;
  readonly #stopWaitMs: number;
  readonly #loops = new Map<string, Loop>();
  #abort = new AbortController();
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(deps: { log: Logger /** How long a stop waits for tasks that run. */; stopWaitMs?: number }) {
    this.#log = deps.log;
    this.#stopWaitMs = deps.stopWaitMs ?? 10_000;
  }

  /** Adds a loop; one that is added after the start begins at once. Throws for a name that is taken. */
  register(task: Task): void {
    if (this.#loops.has(task.name)) throw new Error(`there is a task called "${task.name}" already`);
    const status = { name: task.name, everyMs: task.everyMs, running: false, runs: 0, failures: 0 };
    const loop: Loop = { task, status, timer: undefined, current: undefined, following: undefined };
    this.#loops.set(task.name, loop);
    if (this.#started) this.#schedule(loop, Date.now() + (task.firstAfterMs ?? 0));
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    for (const loop of this.#loops.values()) this.#schedule(loop, Date.now() + (loop.task.firstAfterMs ?? 0));
  }

  /** Aborts what runs and waits for it, but not for ever. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  list(): TaskStatus[] {
    return [...this.#loops.values()].map(statusOf);
  }

  /**
   * Runs a task and waits for its end; while it runs already, another run follows. A failure is in the status.
   * Throws NotFoundError.
   */
  async runNow(name: string): Promise<TaskStatus> {
    const loop = this.#loops.get(name);
    if (loop === undefined) {
      throw new NotFoundError(`There is no task called "${name}".`, { operation: 'running a task' });
    }
    if (loop.current === undefined) await this.#run(loop);
    else await this.#runAfter(loop, loop.current);
    return statusOf(loop);
  }

  #runAfter(loop: Loop, current: Promise<void>): Promise<void> {
    loop.following ??= current.then(() => {
      loop.following = undefined;
      return this.#run(loop);
    });
    return loop.following;
  }

  #schedule(loop: Loop, at: number): void {
    clearTimeout(loop.timer);
    if (this.#stopped !== undefined) return;
    loop.status.nextRunAt = at;
    const delayMs = Math.min(Math.max(0, at - Date.now()), longestTimeoutMs);
    loop.timer = setTimeout(() => {
      if (Date.now() < at) this.#schedule(loop, at);
      else void this.#run(loop);
    }, delayMs);
  }

  #run(loop: Loop): Promise<void> {
    loop.current ??= this.#runOnce(loop).finally(() => {
      loop.current = undefined;
    });
    return loop.current;
  }

  async #runOnce({ task, status }: Loop): Promise<void> {
    const startedAt = Date.now();
    status.running = true;
    status.lastStartedAt = startedAt;
    try {
      status.lastResult = await task.run(this.#abort.signal);
      status.lastSucceededAt = Date.now();
      delete status.lastError;
    } catch (error) {
      status.failures++;
      status.lastError = messageOf(error);
      delete status.lastResult;
      this.#log.error({ err: error, task: task.name }, 'a task failed');
    }
    status.runs++;
    status.running = false;
    status.lastDurationMs = Date.now() - startedAt;
    delete status.nextRunAt;
    const loop = this.#loops.get(task.name);
    if (loop !== undefined && this.#started)
      this.#schedule(loop, Math.max(Date.now(), startedAt + task.everyMs));
  }

  async #stop(): Promise<void> {
    for (const { timer } of this.#loops.values()) clearTimeout(timer);
    this.#abort.abort(new Error('the server stops'));
    const running = [...this.#loops.values()].filter(({ current }) => current !== undefined);
    if (running.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((done) => {
      timer = setTimeout(() => done('late'), this.#stopWaitMs);
    });
    const ended = Promise.all(running.map(({ current }) => current));
    if ((await Promise.race([ended, late])) === 'late') {
      const names = running.filter(({ status }) => status.running).map(({ status }) => status.name);
      this.#log.warn({ tasks: names }, 'tasks did not end in time');
    }
    clearTimeout(timer);
  }
}

function statusOf({ task, status }: Loop): TaskStatus {
  const progress = task.progress?.();
  return { ...status, ...(progress === undefined ? {} : { progress }) };
}
