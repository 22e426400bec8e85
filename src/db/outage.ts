import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { codeOf } from './faults.ts';

export interface OutageState {
  /** Epoch milliseconds. */
  since: number;
  reason: string;
}

const askEveryMs = 2_000;
/** Of one cause, no more than one line of the log in so long. */
const quietMs = 10_000;

/**
 * Knows whether the database can be reached. While it cannot, it is asked again and again, so that whoever waits for
 * it learns soon that it is back, and so that the log says once that it went and once that it came.
 */
export class Outage {
  readonly #log: Logger | undefined;
  readonly #ask: () => Promise<void>;
  readonly #listeners = new Set<() => void>();
  readonly #told = new Map<string, { at: number; left: number }>();
  #state: OutageState | undefined;
  #cause: unknown;
  #began = 0;
  /** The log knows of this outage. */
  #isTold = false;
  #asking: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param options.ask runs a statement, whose outcome is reported here like that of any other one */
  constructor(options: { log: Logger | undefined; ask: () => Promise<void> }) {
    this.#log = options.log;
    this.#ask = options.ask;
  }

  /** Undefined when all is well. */
  get state(): OutageState | undefined {
    return this.#state;
  }

  /** What the last try to connect said; undefined when all is well. */
  get cause(): unknown {
    return this.#cause;
  }

  /** Calls back each time the database is there again. Returns a function that ends it. */
  onRecovered(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  unreachable(error: unknown): void {
    if (this.#stopped) return;
    const reason = messageOf(error);
    this.#cause = error;
    if (this.#state !== undefined) {
      this.#state.reason = reason;
      return;
    }
    this.#state = { since: Date.now(), reason };
    this.#began = performance.now();
    this.#isTold = this.#warn('away', { reason }, 'the database does not answer; what is on air goes on');
    this.#askSoon();
  }

  answered(): void {
    if (this.#state === undefined) return;
    this.#state = undefined;
    this.#cause = undefined;
    clearTimeout(this.#asking);
    const awayMs = Math.round(performance.now() - this.#began);
    if (this.#isTold) this.#log?.info({ awayMs }, 'the database answers again');
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#log?.error({ err: error }, 'the end of an outage could not be passed on');
      }
    }
  }

  /** Something was given up for good. */
  gaveUp(operation: string, tries: number, error: unknown): void {
    const reason = messageOf(error);
    this.#warn(codeOf(error) || reason, { operation, tries, reason }, 'a database call was given up');
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#asking);
  }

  /** Says how many lines of the same cause were left out since the last one. False when this one is left out. */
  #warn(cause: string, fields: object, message: string): boolean {
    const now = performance.now();
    const told = this.#told.get(cause);
    if (told !== undefined && now - told.at < quietMs) {
      told.left++;
      return false;
    }
    // Causes are codes, of which there are not many; their number is bounded all the same.
    if (this.#told.size > 100) this.#told.clear();
    this.#told.set(cause, { at: now, left: 0 });
    this.#log?.warn({ ...fields, ...(told?.left ? { leftOut: told.left } : {}) }, message);
    return true;
  }

  #askSoon(): void {
    this.#asking = setTimeout(() => {
      void this.#ask()
        .catch(() => {})
        .finally(() => {
          if (this.#state !== undefined && !this.#stopped) this.#askSoon();
        });
    }, askEveryMs).unref();
  }
}
