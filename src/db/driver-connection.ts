import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import postgres from 'postgres';

/** How a connection of a pool is made. */
export interface Recipe {
  /** Without it, the options say where the database is. */
  url: string | undefined;
  options: postgres.Options<Record<string, never>>;
  /** How values are read and written. */
  types: Pick<postgres.ParsedOptions, 'parsers' | 'serializers'>;
  /** The first statement. */
  greeting: string;
  /** The server keeps statements that come again, so that they are sent, read and planned once. */
  keepsStatements: boolean;
}

/** An answer's rows, with `count` and `command` beside them. */
export type Rows = postgres.RowList<postgres.Row[]>;

export interface RunOptions {
  /** Rows as lists of values. */
  asValues?: boolean;
  deadlineMs: number;
}

interface Wait {
  timer: NodeJS.Timeout | undefined;
  dueAt: number;
  expire: () => void;
}

/**
 * One connection of the driver, for one life: when it is lost, it is never used again.
 *
 * The driver (postgres 3.4.9) keeps the object of a lost connection and opens it anew, and it takes statements
 * for it meanwhile. A transaction that goes on after its connection was lost then writes to a socket that is no
 * more, from a timer, which ends the process (porsager/postgres#1208); or its statements run on the new
 * connection, outside of any transaction; or what had not been written yet stands in front of the new greeting,
 * so that both sides wait for ever. So each connection has a driver of its own here, which opens it once, and gets
 * no statement after it has closed.
 */
export class DriverConnection {
  readonly openedAt = performance.now();
  /** When it was last given back. */
  usedAt = performance.now();
  readonly #sql: postgres.Sql;
  readonly #waits = new Set<Wait>();
  /** Statements that were sent, and whether they came again. */
  readonly #statements: Map<string, boolean> | undefined;
  #socket: Socket | undefined;
  #lost: Error | undefined;

  private constructor(recipe: Recipe) {
    const options = {
      ...recipe.options,
      max: 1,
      // Of the three the pool and the deadlines take care.
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: 0,
      // Its failure could not be caught, and drizzle knows the types of its columns.
      fetch_types: false,
      // In the driver's documentation, but not in its types.
      socket: (parsed: postgres.ParsedOptions) => this.#connect(parsed),
      onclose: () => {
        this.#lost ??= closed();
      },
    };
    this.#sql = recipe.url === undefined ? postgres(options) : postgres(recipe.url, options);
    Object.assign(this.#sql.options.parsers, recipe.types.parsers);
    Object.assign(this.#sql.options.serializers, recipe.types.serializers);
    if (recipe.keepsStatements) this.#statements = new Map();
  }

  /** Rejects with whatever the system, the driver or the server says. */
  static async open(recipe: Recipe, connectMs: number): Promise<DriverConnection> {
    const connection = new DriverConnection(recipe);
    try {
      await connection.run(recipe.greeting, [], { deadlineMs: connectMs });
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Rejects with what the driver or the server says, or with code NO_ANSWER. */
  async run(text: string, params: readonly unknown[], options: RunOptions): Promise<Rows> {
    if (this.#lost !== undefined) throw this.#lost;
    const query = this.#sql.unsafe(text, [...params] as never[], { prepare: this.#isKept(text) });
    try {
      return await this.#inTime(
        (options.asValues ? query.values() : query) as Promise<Rows>,
        options.deadlineMs,
      );
    } catch (error) {
      // After anything but an error of SQL, nobody knows what it is at.
      if (!(error instanceof postgres.PostgresError)) this.destroy(error);
      else if (error.severity === 'FATAL' || error.severity === 'PANIC') this.destroy(error);
      throw error;
    }
  }

  /** From now on, no answer is waited for longer than this. */
  hurry(ms: number): void {
    for (const wait of this.#waits) {
      clearTimeout(wait.timer);
      wait.timer = setTimeout(wait.expire, Math.min(ms, wait.dueAt - performance.now()));
    }
  }

  /** Takes leave of the server, for a second at most. */
  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 }).catch(() => {});
    this.destroy();
  }

  /** Ends it at once; what waits for an answer is rejected. */
  destroy(reason?: unknown): void {
    this.#lost ??= reason instanceof Error ? reason : ended();
    this.#socket?.destroy();
  }

  /** What comes once only, with lists of any length in it, is not worth keeping. */
  #isKept(text: string): boolean {
    const statements = this.#statements;
    if (statements === undefined) return false;
    const isKept = statements.get(text);
    if (isKept === undefined && statements.size < mostStatements) statements.set(text, false);
    if (isKept === false) statements.set(text, true);
    return isKept !== undefined;
  }

  /** The driver asks again when a connection closes before the server's greeting, at once and for ever. */
  async #connect({ host, port, path }: postgres.ParsedOptions): Promise<Socket> {
    if (this.#socket !== undefined || this.#lost !== undefined) {
      throw this.#lost ?? closed();
    }
    const [firstHost, firstPort] = [host[0] ?? 'localhost', port[0] ?? 5432];
    const socket = path ? connect(path) : connect({ host: firstHost, port: firstPort });
    this.#socket = socket;
    // Between its listeners and the driver's there must be none without.
    socket.on('error', () => {});
    await once(socket, 'connect');
    // For the driver's TLS, to which the name belongs.
    return Object.assign(socket, { host: firstHost, port: firstPort });
  }

  #inTime<T>(query: Promise<T>, deadlineMs: number): Promise<T> {
    if (!Number.isFinite(deadlineMs)) return query;
    return new Promise<T>((resolve, reject) => {
      const expire = () => {
        const silence = new ConnectionLostError(
          'NO_ANSWER',
          `no answer within ${(deadlineMs / 1000).toFixed(1)} s`,
        );
        reject(silence);
        this.destroy(silence);
      };
      const wait: Wait = {
        timer: setTimeout(expire, deadlineMs),
        dueAt: performance.now() + deadlineMs,
        expire,
      };
      this.#waits.add(wait);
      query.then(resolve, reject).finally(() => {
        clearTimeout(wait.timer);
        this.#waits.delete(wait);
      });
    });
  }
}

/** That a connection remembers. */
const mostStatements = 500;

const closed = () => new ConnectionLostError('CONNECTION_CLOSED', 'the connection was closed');
const ended = () => new ConnectionLostError('CONNECTION_ENDED', 'the connection was ended');

/** With a code, as the system's and the driver's own errors have one. */
class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}
