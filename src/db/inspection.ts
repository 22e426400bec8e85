import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConnectTarget, connect, whereIs } from './connect.ts';
import type { OpenOptions } from './connection.ts';
import { EmbeddedDatabase } from './embedded-database.ts';
import type { Sql } from './orm.ts';
import { patienceOf } from './patience.ts';
import { cannotConnect, migrationsFolder, oldestVersion } from './prepare.ts';

/** What there is to say about a database without changing it. */
export interface DatabaseState {
  /** Host, port and database, or the socket. */
  where: string;
  /** As PostgreSQL numbers itself: 150004. */
  version: number;
  isTooOld: boolean;
  /** Migrations that the next start will apply. */
  pending: number;
  /** It has migrations that this release does not know. */
  isNewer: boolean;
  /** Whether the next start could apply them: the right to create, and btree_gist or the right to have it. */
  mayCreate: boolean;
  hasExtension: boolean;
  canHaveExtension: boolean;
  /** How far its clock is ahead of ours. */
  clockAheadMs: number;
  /** Empty before the first start. */
  libraries: { name: string; path: string }[];
}

/**
 * Looks at the database as it is: nothing is migrated or made, but an embedded one is started, and recovers if it was
 * not closed. Undefined for an embedded database that is yet to be made. Throws StartError.
 */
export async function inspectDatabase(
  options: Omit<OpenOptions, 'waitMs'>,
): Promise<DatabaseState | undefined> {
  if (options.databaseUrl !== undefined) return await inspect({ url: options.databaseUrl }, options);
  if (!existsSync(join(options.dataFolder, 'pgdata', 'PG_VERSION'))) return undefined;
  const embedded = new EmbeddedDatabase(options);
  try {
    return await inspect(await embedded.start(), options);
  } finally {
    await embedded.stop();
  }
}

/** The migrations of this release, with the time at which each was made. */
export function migrationJournal(): { when: number; tag: string }[] {
  const journal = readFileSync(join(migrationsFolder, 'meta/_journal.json'), 'utf8');
  return (JSON.parse(journal) as { entries: { when: number; tag: string }[] }).entries;
}

async function inspect(target: ConnectTarget, options: OpenOptions): Promise<DatabaseState> {
  const { sql, stop } = connect(target, { max: 1, log: options.log, patience: patienceOf('trial') });
  const where = whereIs(target);
  try {
    return { where, ...(await look(sql)) };
  } catch (error) {
    throw cannotConnect(error, where);
  } finally {
    await stop();
  }
}

async function look(sql: Sql): Promise<Omit<DatabaseState, 'where'>> {
  const [server] = await sql<
    { version: string; now: Date; may_create: boolean; there: boolean; can: boolean }[]
  >`
    select current_setting('server_version_num') as version,
      clock_timestamp() as now,
      has_database_privilege(current_database(), 'CREATE') as may_create,
      exists (select from pg_extension where extname = 'btree_gist') as there,
      exists (select from pg_available_extensions where name = 'btree_gist') as can`;
  if (server === undefined) throw new Error('it does not answer');
  const applied = await appliedMigrations(sql);
  const known = migrationJournal().map(({ when }) => when);
  const version = Number(server.version);
  return {
    version,
    isTooOld: version < oldestVersion,
    pending: known.filter((when) => when > applied).length,
    isNewer: applied > Math.max(...known),
    mayCreate: server.may_create,
    hasExtension: server.there,
    canHaveExtension: server.there || server.can,
    clockAheadMs: new Date(server.now).getTime() - Date.now(),
    libraries: await libraries(sql),
  };
}

/** The time of the newest one, which is how drizzle tells which are missing; 0 before the first. */
async function appliedMigrations(sql: Sql): Promise<number> {
  if (!(await hasTable(sql, 'drizzle.__drizzle_migrations'))) return 0;
  const [row] = await sql<{ newest: string | null }[]>`
    select max(created_at) as newest from drizzle.__drizzle_migrations`;
  return Number(row?.newest ?? 0);
}

async function libraries(sql: Sql): Promise<{ name: string; path: string }[]> {
  if (!(await hasTable(sql, 'public.libraries'))) return [];
  return await sql<{ name: string; path: string }[]>`select name, path from libraries order by name`;
}

async function hasTable(sql: Sql, name: string): Promise<boolean> {
  const [row] = await sql<{ there: boolean }[]>`select to_regclass(${name}) is not null as there`;
  return row?.there === true;
}
