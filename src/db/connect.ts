import type { Logger } from 'pino';
import postgres from 'postgres';
import { StartError } from '../errors.ts';
import { DatabaseClient } from './database-client.ts';
import type { Recipe } from './driver-connection.ts';
import type { DatabaseObserver } from './observer.ts';
import { type Database, databaseOn, type Sql } from './orm.ts';
import type { Patience } from './patience.ts';
import { textArray } from './text-array.ts';

/** Where the database is. Can be posted to a worker thread, which then opens connections of its own. */
export type ConnectTarget = ({ url: string } | { socket: string }) & {
  /** As many connections as the thread may have at the same time. */
  max?: number;
  /** The server grants few connections: those that are not in use are given back soon. */
  scarce?: boolean;
};

export interface Connection {
  db: Database;
  sql: Sql;
  /** Lets queries that run end, for five seconds at most. May be called twice and never throws. */
  stop(): Promise<void>;
}

export interface ConnectOptions {
  /** Connections of the pool; 8 by default, or 3 to the embedded database, whose clients take turns. */
  max?: number;
  /** What the server's own lists of connections show. */
  applicationName?: string;
  /** By default it depends on who calls. */
  patience?: Patience;
  /** Outages and what was given up go here, and notices of the server. */
  log?: Logger;
  observer?: DatabaseObserver;
  /** Why there is no connection, if it is known better than the system tells. */
  explain?: () => Error | undefined;
}

/** Makes a pool of connections, of which none is opened yet. Throws StartError if the URL is malformed. */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Connection {
  const { client: _, ...connection } = connectClient(target, options);
  return connection;
}

/** The same, with what it is made of. */
export function connectClient(
  target: ConnectTarget,
  options: ConnectOptions,
): Connection & { client: DatabaseClient } {
  const { log, observer, patience } = options;
  const { places, types } = placesOf(target, options);
  const isEmbedded = 'socket' in target;
  const client = new DatabaseClient({
    places,
    log,
    observer,
    patience,
    explain: options.explain,
    max: options.max ?? target.max ?? (isEmbedded ? 3 : 8),
    // To a thread of our own there is nothing that could have cut a connection in silence.
    ...(isEmbedded ? forEver : { ...perishable, idleMs: target.scarce ? 1_000 : perishable.idleMs }),
  });
  return { ...databaseOn(client, types), client, stop: () => client.stop() };
}

const perishable = { idleMs: 60_000, checkAfterMs: 500, lifetimeMs: 30 * 60_000, greetsInTurn: false };
const forEver = {
  greetsInTurn: true,
  idleMs: Number.POSITIVE_INFINITY,
  checkAfterMs: Number.POSITIVE_INFINITY,
  lifetimeMs: Number.POSITIVE_INFINITY,
};

/** What a session that its client has forgotten may hold locks for. Longer than the client waits for anything. */
const limits = `set statement_timeout = '90s'; set idle_in_transaction_session_timeout = '90s'`;

/** How to connect, and the types that all connections share. Throws StartError if the URL is malformed. */
function placesOf(
  target: ConnectTarget,
  options: ConnectOptions,
): { places: Recipe[]; types: Recipe['types'] } {
  const { applicationName = 'aircheck', log } = options;
  const common = {
    connection: { application_name: applicationName },
    onnotice: (notice: postgres.Notice) => log?.debug({ notice: notice.message }, 'database notice'),
  };
  if ('socket' in target) {
    const at = { ...common, path: target.socket, user: 'postgres', database: 'postgres' };
    const types = postgres({ ...at, max: 1, types: { textArray } }).options;
    return {
      types,
      places: [{ url: undefined, options: at, types, greeting: 'select 1', keepsStatements: true }],
    };
  }
  const { url } = target;
  const types = parse(url);
  const isLimited = Number.isFinite(options.patience?.answerMs ?? 0);
  const greeting = isLimited ? limits : 'select 1';
  const place = (where: { host?: string; port?: number }) => ({
    url,
    options: { ...common, ...where },
    types,
    greeting,
    // There may be a pooler before the server, for which each transaction is another session.
    keepsStatements: false,
  });
  if (types.path) return { types, places: [place({})] };
  // The driver's own way from one host to the next does not end when none answers.
  const places = types.host.map((host, index) =>
    place({ host, port: types.port[index] ?? types.port[0] ?? 5432 }),
  );
  return { types, places };
}

/** Host, port and database, without a user or a password. */
export function whereIs(target: ConnectTarget): string {
  if ('socket' in target) return target.socket;
  const { host, port, database, path } = parse(target.url);
  if (path) return `${path}, database ${database}`;
  return `${host.map((name, i) => `${name}:${port[i] ?? port[0]}`).join(', ')}, database ${database}`;
}

/** What the driver makes of a URL. Throws StartError. */
function parse(url: string): postgres.ParsedOptions {
  try {
    return postgres(url, { max: 1, types: { textArray } }).options;
  } catch {
    // Without the cause: it holds the whole URL, and so the password.
    throw new StartError(
      'DATABASE_URL cannot be read. It must look like postgres://user:password@host:5432/database, with special characters of the password written as %XX.',
      { operation: 'opening the database' },
    );
  }
}
