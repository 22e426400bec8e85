import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { sql as statement } from 'drizzle-orm';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import type { Logger } from 'pino';
import postgres from 'postgres';
import { messageOf, StartError } from '../errors.ts';
import { type DataLock, lockDataFolder, socketPlace } from './data-lock.ts';
import type { EmbeddedCommand, EmbeddedData, EmbeddedEvent } from './embedded-worker.ts';
import * as schema from './schema.ts';

export type Database = PostgresJsDatabase<typeof schema>;

/** Where the database is. Can be posted to a worker thread, which then opens a connection of its own. */
export type ConnectTarget = { url: string } | { socket: string };

export interface Connection {
  db: Database;
  sql: postgres.Sql;
  /** Lets queries that run end, for five seconds at most. May be called twice and never throws. */
  stop(): Promise<void>;
}

export interface ConnectOptions {
  /** Connections of the pool; 8 by default, or 3 to the embedded database, whose clients take turns. */
  max?: number;
  /** What the server's own lists of connections show. */
  applicationName?: string;
  connectTimeoutMs?: number;
  /** Notices of the server go here. */
  log?: Logger;
}

export interface OpenOptions {
  /** Without it, the embedded database in the data folder. */
  databaseUrl?: string | undefined;
  dataFolder: string;
  log: Logger;
  /** How long to wait for a database server that is still starting. */
  waitMs?: number;
  max?: number;
  /** The embedded database broke down while in use. It is started again by itself. */
  onFailure?: (error: Error) => void;
  /** Where the embedded database takes its first files from. */
  templateFolder?: string;
}

export interface OpenedDatabase extends Connection {
  target: ConnectTarget;
}

const packageRoot = new URL('../../', import.meta.url);
export const migrationsFolder = fileURLToPath(new URL('drizzle', packageRoot));

/**
 * Opens the database, embedded or not, and brings its schema up to date. Throws StartError.
 *
 * The embedded database is one session, which every connection gets for a transaction at a time: a query
 * past the handle of a transaction that is open waits for that transaction's end.
 */
export async function openDatabase(options: OpenOptions): Promise<OpenedDatabase> {
  const embedded = options.databaseUrl === undefined ? new EmbeddedDatabase(options) : undefined;
  const target = embedded ? await embedded.start() : { url: options.databaseUrl ?? '' };
  try {
    const where = await prepare(target, options);
    const connection = connect(target, options);
    options.log.debug({ database: where }, 'database open');
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      await connection.stop();
      await embedded?.stop();
    };
    return {
      ...connection,
      target,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

/** Opens a pool of connections, without waiting for the first one. Throws StartError if the URL is malformed. */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Connection {
  const sql = client(target, options);
  const db = drizzle(sql, { schema });
  let stopped: Promise<void> | undefined;
  return {
    db,
    sql,
    stop: () => {
      stopped ??= sql.end({ timeout: 5 }).catch(() => {});
      return stopped;
    },
  };
}

function client(target: ConnectTarget, options: ConnectOptions): postgres.Sql {
  const common = {
    connect_timeout: (options.connectTimeoutMs ?? 10_000) / 1000,
    connection: { application_name: options.applicationName ?? 'aircheck' },
    onnotice: (notice: postgres.Notice) => options.log?.debug({ notice: notice.message }, 'database notice'),
  };
  if ('socket' in target) {
    return postgres({
      ...common,
      path: target.socket,
      user: 'postgres',
      database: 'postgres',
      max: options.max ?? 3,
      // Even the greeting waits for its turn, which can be a long transaction away.
      connect_timeout: 60,
      // A new connection is of no use to a session that stays the same.
      max_lifetime: null,
    });
  }
  try {
    return postgres(target.url, { ...common, max: options.max ?? 8 });
  } catch {
    // Without the cause: it holds the whole URL, and so the password.
    throw new StartError(
      'DATABASE_URL cannot be read. It must look like postgres://user:password@host:5432/database, with special characters of the password written as %XX.',
      { operation },
    );
  }
}

const operation = 'opening the database';

/** Waits for the database, checks what it is, and migrates it, all on one connection. Returns where it is. */
async function prepare(target: ConnectTarget, options: OpenOptions): Promise<string> {
  const connection = connect(target, { max: 1, log: options.log, connectTimeoutMs: 5_000 });
  const where = describe(connection.sql, target);
  try {
    const version = await firstAnswer(connection.sql, where, options);
    if (version < oldestVersion) {
      throw new StartError(
        `The database at ${where} is PostgreSQL ${Math.floor(version / 10_000)}. PostgreSQL ${oldestVersion / 10_000} or newer is needed: upgrade it, or leave DATABASE_URL out to use the embedded database.`,
        { operation },
      );
    }
    await applyMigrations(connection.db, where);
    return where;
  } finally {
    await connection.stop();
  }
}

export const oldestVersion = 130_000;

/** Host, port and database, without a user or a password. */
export function describe(sql: postgres.Sql, target: ConnectTarget): string {
  if ('socket' in target) return target.socket;
  const { host, port, database, path } = sql.options;
  if (path) return `${path}, database ${database}`;
  return `${host.map((name, i) => `${name}:${port[i] ?? port[0]}`).join(', ')}, database ${database}`;
}

async function firstAnswer(sql: postgres.Sql, where: string, options: OpenOptions): Promise<number> {
  const deadline = performance.now() + (options.waitMs ?? 30_000);
  for (let pauseMs = 250, tries = 1; ; pauseMs = Math.min(pauseMs * 2, 4_000), tries++) {
    try {
      const [row] = await sql<{ server_version_num: string }[]>`show server_version_num`;
      return Number(row?.server_version_num);
    } catch (error) {
      const leftMs = deadline - performance.now();
      if (!isTemporary(error) || leftMs <= 0) throw cannotConnect(error, where);
      const level = tries === 1 ? 'warn' : 'info';
      options.log[level]({ database: where, reason: messageOf(error) }, 'waiting for the database');
      await delay(Math.min(pauseMs, leftMs));
    }
  }
}

/** Whether a server that is still starting could give this answer. */
function isTemporary(error: unknown): boolean {
  const temporary = [
    'ECONNREFUSED',
    'ECONNRESET',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOENT',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    'ETIMEDOUT',
    'CONNECT_TIMEOUT',
    'CONNECTION_CLOSED',
    'CONNECTION_ENDED',
    // cannot_connect_now, too_many_connections, admin_shutdown, crash_shutdown
    '57P03',
    '53300',
    '57P01',
    '57P02',
  ];
  return temporary.includes(codeOf(error));
}

export function cannotConnect(error: unknown, where: string): StartError {
  const start = `The database at ${where} cannot be used`;
  const failure = (text: string) => new StartError(`${start}: ${text}`, { operation, cause: error });
  switch (codeOf(error)) {
    case '28P01':
      return failure('it refuses the user or the password. Correct them in DATABASE_URL.');
    case '28000':
      return failure(
        `it refuses the connection (${messageOf(error)}). Allow it in the server's pg_hba.conf.`,
      );
    case '3D000':
      return failure('there is no such database. Create it, or correct its name in DATABASE_URL.');
    default:
      return failure(
        `${messageOf(error)}. Check that the server runs and that DATABASE_URL names its host and port, or leave DATABASE_URL out to use the embedded database.`,
      );
  }
}

/** Any number, the same in every release: it identifies the lock under which the schema is changed. */
const migrationLock = 4_117_260_313;

/** In one transaction and under a lock, so that servers that start at once do not collide. */
async function applyMigrations(db: Database, where: string): Promise<void> {
  try {
    await db.execute(statement`set lock_timeout = '60s'`);
    await db.execute(statement`select pg_advisory_lock(${migrationLock}::bigint)`);
    await migrate(db, { migrationsFolder });
    await refuseNewerSchema(db, where);
    // The embedded database's session goes on when this connection ends.
    await db.execute(statement`select pg_advisory_unlock(${migrationLock}::bigint)`);
    await db.execute(statement`reset lock_timeout`);
  } catch (error) {
    throw error instanceof StartError ? error : cannotMigrate(error, where);
  }
}

async function refuseNewerSchema(db: Database, where: string): Promise<void> {
  const journal = JSON.parse(readFileSync(join(migrationsFolder, 'meta/_journal.json'), 'utf8')) as {
    entries: { when: number }[];
  };
  const newest = Math.max(...journal.entries.map((entry) => entry.when));
  const [row] = await db.execute<{ newest: string }>(
    statement`select max(created_at) as newest from drizzle.__drizzle_migrations`,
  );
  if (Number(row?.newest) <= newest) return;
  throw new StartError(
    `The database at ${where} was made by a newer release of aircheck. Install that release again, or restore a backup from before it.`,
    { operation: 'migrating the database' },
  );
}

function cannotMigrate(error: unknown, where: string): StartError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const failure = (text: string) =>
    new StartError(`The database at ${where} cannot be prepared: ${text}`, {
      operation: 'migrating the database',
      cause,
    });
  const said = messageOf(cause);
  if (/extension/.test(said)) {
    return failure(
      `the extension btree_gist may not be created (${said}). It belongs to PostgreSQL's contrib modules (package postgresql-contrib on some systems); create it as a superuser with CREATE EXTENSION btree_gist.`,
    );
  }
  switch (codeOf(cause)) {
    case '42501':
      return failure(`${said}. Make the user of DATABASE_URL the owner of the database.`);
    case '55P03':
      return failure('another server has been changing the schema for a minute. Wait for it or stop it.');
    default:
      return failure(`${said}.`);
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '');
}

/** The embedded database's worker, kept alive: it is started again when it breaks down. */
export class EmbeddedDatabase {
  readonly #options: OpenOptions;
  #lock: DataLock | undefined;
  #place: ReturnType<typeof socketPlace> | undefined;
  #worker: Worker | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: OpenOptions) {
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
      throw new StartError(
        `The embedded database in ${join(dataFolder, 'pgdata')} does not start: ${messageOf(error)}. If its files are damaged, restore them from a backup, or move them away to begin anew.`,
        { operation, cause: error },
      );
    }
    return { socket: this.#place.path };
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
      const late = delay(10_000, undefined, { ref: false });
      await Promise.race([gone, late]);
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
            return fail(new Error(event.message));
          case 'warning':
            return log.warn(event.message);
          case 'pong':
            return;
        }
      });
      void ended.then(fail);
    });
    await ready;
    const endWatch = watch(worker);
    void ended.then((error) => {
      endWatch();
      if (!this.#stopping) void this.#relaunch(error, socketPath);
    });
  }

  async #relaunch(reason: Error, socketPath: string): Promise<void> {
    for (let pauseMs = 250, error = reason; !this.#stopping; pauseMs = Math.min(pauseMs * 2, 30_000)) {
      this.#options.log.error({ err: error }, 'the embedded database broke down and is started again');
      this.#options.onFailure?.(error);
      await delay(pauseMs, undefined, { ref: false });
      if (this.#stopping) return;
      try {
        await this.#launch(socketPath);
        return;
      } catch (again) {
        error = again as Error;
      }
    }
  }
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
