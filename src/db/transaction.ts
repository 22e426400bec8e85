import type { DatabaseError } from '../errors.ts';
import type { Rows } from './driver-connection.ts';
import { databaseError, SpoiltError, troubleOf } from './faults.ts';
import { isRead, operationOf } from './statement.ts';

/** Sends a statement on the transaction's connection; rejects with what the driver says. */
type Send = (text: string, params: readonly unknown[], asValues: boolean) => Promise<Rows>;

/** One try of a transaction, on one connection. */
export class Transaction {
  readonly #send: Send;
  readonly #spoilt = new Map<unknown, SpoiltError>();
  #isOver = false;
  #hasWritten = false;
  #failure: DatabaseError | undefined;
  #savepoints = 0;

  constructor(send: Send) {
    this.#send = send;
  }

  /**
   * Runs a function between BEGIN and COMMIT. Throws SpoiltError when the transaction itself failed, or what the
   * function has thrown.
   *
   * @param abandon ends the connection, whose state is not known any more
   */
  async perform<T>(work: (transaction: Transaction) => Promise<T>, abandon: () => void): Promise<T> {
    await this.#control('begin', true);
    let result: T;
    try {
      result = await work(this);
    } catch (error) {
      this.#isOver = true;
      await this.#send('rollback', [], false).catch(abandon);
      throw this.#spoiltBy(error) ?? error;
    }
    this.#isOver = true;
    const { command } = await this.#control('commit', !this.#hasWritten);
    // A statement has failed, which the function has passed over: the server has rolled back.
    if (command !== 'COMMIT') throw this.#failure ?? new Error('the transaction was rolled back');
    return result;
  }

  /** Runs a statement of the transaction. Throws DatabaseError. */
  async run(text: string, params: readonly unknown[], asValues: boolean): Promise<Rows> {
    if (this.#isOver) throw new Error('a statement came after the end of its transaction');
    if (!isRead(text)) this.#hasWritten = true;
    try {
      return await this.#send(text, params, asValues);
    } catch (error) {
      const trouble = troubleOf(error, true);
      const failure = databaseError(trouble, operationOf(text));
      if (trouble.again) this.#spoilt.set(failure, new SpoiltError({ ...trouble, cause: failure }));
      this.#failure ??= failure;
      throw failure;
    }
  }

  /** Runs a function of which everything is undone when it throws, and nothing else of the transaction. */
  async savepoint<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const name = `s${++this.#savepoints}`;
    await this.run(`savepoint ${name}`, [], false);
    try {
      const result = await work(this);
      await this.run(`release savepoint ${name}`, [], false);
      return result;
    } catch (error) {
      await this.run(`rollback to savepoint ${name}`, [], false);
      throw error;
    }
  }

  async #control(statement: 'begin' | 'commit', repeatable: boolean): Promise<Rows> {
    try {
      return await this.#send(statement, [], false);
    } catch (error) {
      throw new SpoiltError(troubleOf(error, repeatable));
    }
  }

  /** Whether a function has failed because of a statement that would go well in another try. */
  #spoiltBy(error: unknown): SpoiltError | undefined {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      const spoilt = this.#spoilt.get(cause);
      if (spoilt !== undefined) return spoilt;
    }
    return undefined;
  }
}
