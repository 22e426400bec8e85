import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql as statement } from 'drizzle-orm';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import type { Logger } from 'pino';
import { messageOf, StartError } from '../errors.ts';
import { type ConnectTarget, connect, whereIs } from './connect.ts';
import { codeOf, isTemporary } from './faults.ts';
import type { Database, Sql } from './orm.ts';
import { type Patience, patienceOf } from './patience.ts';

export interface Prepared {
  /** Host, port and database, without a user or a password. */
  where: string;
  /** How many connections at the same time the server grants. */
  allowed: number;
}

const operation = 'opening the database';
export const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url));

/** Migrations take as long as they take. */
const patience: Patience = { ...patienceOf('trial'), answerMs: Number.POSITIVE_INFINITY };
/** Waits for the database, checks what it is, and migrates it, all on one connection. Throws StartError. */
export async function prepare(
  target: ConnectTarget,
  options: { log: Logger /** How long to wait for a server that is still starting. */; waitMs?: number },
): Promise<Prepared> {
  const connection = connect(target, { max: 1, patience });
  const where = whereIs(target);
  try {
    const version = await firstAnswer(connection.sql, where, options);
    if (version < oldestVersion) {
      throw new StartError(
        `The database at ${where} is PostgreSQL ${Math.floor(version / 10_000)}. PostgreSQL ${oldestVersion / 10_000} or newer is needed: upgrade it, or leave DATABASE_URL out to use the embedded database.`,
        { operation },
      );
    }
    await applyMigrations(connection.db, where);
    return { where, allowed: await allowedConnections(connection.sql) };
  } finally {
    await connection.stop();
  }
}

export const oldestVersion = 130_000;

async function firstAnswer(
  sql: Sql,
  where: string,
  options: { log: Logger; waitMs?: number },
): Promise<number> {
  const deadline = performance.now() + (options.waitMs ?? 30_000);
  for (let pauseMs = 250, tries = 1; ; pauseMs = Math.min(pauseMs * 2, 4_000), tries++) {
    try {
      const [row] = await sql`show server_version_num`;
      return Number(row?.server_version_num);
    } catch (error) {
      const leftMs = deadline - performance.now();
      if (!isTemporary(error) || leftMs <= 0) throw cannotConnect(error, where);
      const level = tries === 1 ? 'warn' : 'info';
      options.log[level]({ database: where, reason: reasonOf(error) }, 'waiting for the database');
      await delay(Math.min(pauseMs, leftMs));
    }
  }
}

export function cannotConnect(error: unknown, where: string): StartError {
  const start = `The database at ${where} cannot be used`;
  const failure = (text: string) => new StartError(`${start}: ${text}`, { operation, cause: error });
  switch (codeOf(error)) {
    case '28P01':
      return failure('it refuses the user or the password. Correct them in DATABASE_URL.');
    case '28000':
      return failure(`it refuses the connection (${reasonOf(error)}). Allow it in the server's pg_hba.conf.`);
    case '3D000':
      return failure('there is no such database. Create it, or correct its name in DATABASE_URL.');
    default:
      return failure(
        `${reasonOf(error)}. Check that the server runs and that DATABASE_URL names its host and port, or leave DATABASE_URL out to use the embedded database.`,
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
  const failure = (text: string) =>
    new StartError(`The database at ${where} cannot be prepared: ${text}`, {
      operation: 'migrating the database',
      cause: error,
    });
  const said = reasonOf(error);
  if (/extension/.test(said)) {
    return failure(
      `the extension btree_gist may not be created (${said}). It belongs to PostgreSQL's contrib modules (package postgresql-contrib on some systems); create it as a superuser with CREATE EXTENSION btree_gist.`,
    );
  }
  switch (codeOf(driverError(error))) {
    case '42501':
      return failure(`${said}. Make the user of DATABASE_URL the owner of the database.`);
    case '55P03':
      return failure('another server has been changing the schema for a minute. Wait for it or stop it.');
    default:
      return failure(`${said}.`);
  }
}

/** What the server or the driver said itself: it is the last one of the causes. */
function driverError(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? driverError(error.cause) : error;
}

function reasonOf(error: unknown): string {
  return messageOf(driverError(error));
}

/** The least of what the server, the database and the user are limited to. */
async function allowedConnections(sql: Sql): Promise<number> {
  try {
    const [row] = await sql`
      select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as server,
        (select datconnlimit from pg_database where datname = current_database()) as database,
        (select rolconnlimit from pg_roles where rolname = session_user) as role`;
    // -1 means that there is no limit.
    return Math.min(...Object.values(row ?? {}).filter((limit) => Number.isInteger(limit) && limit >= 0));
  } catch {
    // What is only like PostgreSQL need not know these tables.
    return Number.POSITIVE_INFINITY;
  }
}
