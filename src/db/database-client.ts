import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { ConnectionPool, type PoolOptions } from './connection-pool.ts';
import type { DriverConnection, Rows } from './driver-connection.ts';
import { databaseError, notConnected, SpoiltError, troubleOf } from './faults.ts';
import { type DatabaseObserver, unobserved } from './observer.ts';
import { Outage } from './outage.ts';
import { type Patience, patienceHere, patienceOf } from './patience.ts';
import { withRetries } from './retry.ts';
import { isRead, operationOf } from './statement.ts';
import { Transaction } from './transaction.ts';

export interface ClientOptions extends Omit<PoolOptions, 'onUnreachable'> {
  log?: Logger | undefined;
  observer?: DatabaseObserver | undefined;
  /** By default it depends on who calls. */
  patience?: Patience | undefined;
}

/**
 * Runs statements and transactions, and tries again what a lost connection or another transaction has spoilt, as far
 * as nothing can come to be done twice:
 *
 * - what was never sent, because there was no connection
 * - what the server says that it has not done
 * - a statement that only reads
 * - a transaction whose COMMIT was not sent, or that has only read
 *
 * A statement that changes something and whose answer was lost is not repeated; neither is a COMMIT. Both are
 * reported as `uncertain`. What is thrown is a DatabaseError, or what a transaction's own function has thrown.
 */
export class DatabaseClient {
  readonly outage: Outage;
  readonly #options: ClientOptions;
  readonly #pool: ConnectionPool;
  readonly #observer: DatabaseObserver;
  readonly #hurry = new AbortController();

  constructor(options: ClientOptions) {
    this.#options = options;
    // As many calls as there are listen to it.
    setMaxListeners(0, this.#hurry.signal);
    this.#observer = options.observer ?? unobserved;
    this.outage = new Outage({ log: options.log, ask: () => this.#ask() });
    this.#pool = new ConnectionPool({
      ...options,
      onUnreachable: (error) => this.outage.unreachable(error),
    });
  }

  /** Runs one statement. */
  async run(text: string, params: readonly unknown[], asValues: boolean): Promise<Rows> {
    return await this.#patiently(operationOf(text), (patience) =>
      this.#pool.use(patience, async (connection) => {
        try {
          return await this.#send(connection, text, params, asValues, patience);
        } catch (error) {
          throw new SpoiltError(troubleOf(error, isRead(text)));
        }
      }),
    );
  }

  /** Runs a transaction. Its function may be run several times, and so must do nothing but what is rolled back. */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return await this.#patiently('beginning or ending a transaction', (patience) =>
      this.#pool.use(patience, async (connection) => {
        const transaction = new Transaction((text, params, asValues) =>
          this.#send(connection, text, params, asValues, patience),
        );
        return await transaction.perform(work, () => connection.destroy());
      }),
    );
  }

  /** From now on nothing is tried again, and nobody waits for long. For a stop. */
  hurry(): void {
    this.#hurry.abort();
    this.#pool.hurry();
  }

  /** Lets what runs end, for five seconds at most. May be called twice and never throws. */
  async stop(): Promise<void> {
    this.outage.stop();
    await this.#pool.stop();
  }

  async #ask(): Promise<void> {
    const patience = patienceOf('trial');
    await this.#pool.use(patience, async (connection) => {
      await this.#send(connection, 'select 1', [], false, patience);
    });
  }

  async #patiently<T>(operation: string, attempt: (patience: Patience) => Promise<T>): Promise<T> {
    const patience = this.#options.patience ?? patienceOf(patienceHere());
    const { cause } = this.outage;
    if (cause !== undefined && patience.failFast) throw databaseError(notConnected(cause).trouble, operation);
    try {
      return await withRetries(() => this.#watched(attempt(patience)), {
        isTransient: (error) => error instanceof SpoiltError && error.trouble.again,
        withinMs: patience.retryWithinMs,
        signal: this.#hurry.signal,
        onRetry: () => this.#observer.retried(),
        onGiveUp: (error, tries) => {
          this.#observer.gaveUp();
          this.outage.gaveUp(operation, tries, (error as SpoiltError).trouble.cause);
        },
      });
    } catch (error) {
      throw error instanceof SpoiltError ? databaseError(error.trouble, operation) : error;
    }
  }

  async #watched<T>(attempt: Promise<T>): Promise<T> {
    try {
      return await attempt;
    } catch (error) {
      const fault = error instanceof SpoiltError ? error.trouble.fault : undefined;
      // What befell one connection may have befallen the others.
      if (fault === 'away' || fault === 'uncertain') this.#pool.distrust();
      throw error;
    }
  }

  async #send(
    connection: DriverConnection,
    text: string,
    params: readonly unknown[],
    asValues: boolean,
    patience: Patience,
  ): Promise<Rows> {
    const since = performance.now();
    const deadlineMs = this.#pool.answerMs(patience);
    try {
      const rows = await connection.run(text, params, { asValues, deadlineMs });
      this.#observer.called('ok', performance.now() - since);
      this.outage.answered();
      return rows;
    } catch (error) {
      this.#observer.called('failed', performance.now() - since);
      throw error;
    }
  }
}
