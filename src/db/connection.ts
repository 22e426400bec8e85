import { type Connection, type ConnectTarget, connectClient } from './connect.ts';
import { EmbeddedDatabase, type EmbeddedOptions } from './embedded-database.ts';
import type { DatabaseObserver } from './observer.ts';
import type { OutageState } from './outage.ts';
import { prepare } from './prepare.ts';

export { type Connection, type ConnectOptions, type ConnectTarget, connect } from './connect.ts';
export type { Database } from './orm.ts';

export interface OpenOptions extends EmbeddedOptions {
  /** Without it, the embedded database in the data folder. */
  databaseUrl?: string | undefined;
  /** How long to wait for a database server that is still starting. */
  waitMs?: number;
  max?: number;
  observer?: DatabaseObserver;
}

export interface OpenedDatabase extends Connection {
  /** For other threads. */
  target: ConnectTarget;
  /** Since when the database cannot be reached, and why; undefined when all is well. */
  outage(): OutageState | undefined;
  /** Calls back each time the database is there again. Returns a function that ends it. */
  onRecovered(listener: () => void): () => void;
  /** From now on nothing is tried again, and nobody waits for long. The first step of a stop. */
  hurry(): void;
}

/**
 * Opens the database, embedded or not, and brings its schema up to date. Throws StartError.
 *
 * The embedded database is one session, which every connection gets for a transaction at a time: a query
 * past the handle of a transaction that is open waits for that transaction's end.
 */
export async function openDatabase(options: OpenOptions): Promise<OpenedDatabase> {
  const embedded = options.databaseUrl === undefined ? new EmbeddedDatabase(options) : undefined;
  const target: ConnectTarget = embedded ? await embedded.start() : { url: options.databaseUrl ?? '' };
  try {
    const { where, allowed } = await prepare(target, options);
    const { here, elsewhere } = embedded ? { here: target, elsewhere: target } : shares(target, allowed);
    const { client, ...connection } = connectClient(here, {
      ...options,
      ...(embedded && { explain: () => embedded.failure }),
    });
    options.log.debug({ database: where, connections: here.max }, 'database open');
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      await connection.stop();
      await embedded?.stop();
    };
    return {
      ...connection,
      target: elsewhere,
      outage: () => client.outage.state,
      onRecovered: (listener) => client.outage.onRecovered(listener),
      hurry: () => client.hurry(),
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

const mostHere = 8;
const mostElsewhere = 2;

/** How the connections that the server grants are divided among the main thread and the worker thread. */
function shares(target: ConnectTarget, allowed: number): { here: ConnectTarget; elsewhere: ConnectTarget } {
  const scarce = allowed < mostHere + mostElsewhere;
  const elsewhere = scarce ? 1 : mostElsewhere;
  const here = Math.min(mostHere, Math.max(1, allowed - elsewhere));
  return { here: { ...target, max: here, scarce }, elsewhere: { ...target, max: elsewhere, scarce } };
}
