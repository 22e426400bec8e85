import { DrizzleQueryError, type TablesRelationalConfig } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import {
  drizzle,
  PostgresJsDatabase,
  PostgresJsSession,
  PostgresJsTransaction,
} from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import type { DatabaseClient } from './database-client.ts';
import type { Recipe, Rows } from './driver-connection.ts';
import * as schema from './schema.ts';
import type { Transaction } from './transaction.ts';

export type Database = PostgresJsDatabase<typeof schema>;

/** As much of the driver's interface as drizzle uses, and a tag for statements written out. */
export interface Sql {
  <T extends readonly object[] = postgres.Row[]>(
    strings: TemplateStringsArray,
    ...values: unknown[]
  ): Statement<postgres.RowList<T>>;
  unsafe<T extends readonly object[] = postgres.Row[]>(
    text: string,
    params?: readonly unknown[],
  ): Statement<postgres.RowList<T>>;
  /** The function may be run several times, and so must do nothing but what is rolled back. */
  begin<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  savepoint<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  options: Recipe['types'];
}

/** Drizzle on top of our client. What it throws are DatabaseErrors. */
export function databaseOn(client: DatabaseClient, types: Recipe['types']): { db: Database; sql: Sql } {
  const sql = sqlOn(client, types);
  // Says in `types` how drizzle wants times and JSON, and what it makes of the tables.
  const { schema: tables, fullSchema, tableNamesMap } = drizzle(asDriver(sql), { schema })._;
  const relational = tables && { schema: tables, fullSchema, tableNamesMap };
  const dialect = new PgDialect();
  const session = new PlainSession(asDriver(sql), dialect, relational);
  return { db: new PostgresJsDatabase(dialect, session, relational), sql };
}

/** A statement that is sent when it is awaited. */
export class Statement<T = Rows> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Statement';
  readonly #send: (asValues: boolean) => Promise<T>;
  #answer: Promise<T> | undefined;
  #asValues = false;

  constructor(send: (asValues: boolean) => Promise<T>) {
    this.#send = send;
  }

  /** Rows as lists of values. */
  values(): this {
    this.#asValues = true;
    return this;
  }

  // biome-ignore lint/suspicious/noThenProperty: drizzle awaits it, as it does with the driver's own
  then: Promise<T>['then'] = (done, failed) => {
    this.#answer ??= this.#send(this.#asValues);
    return this.#answer.then(done, failed);
  };

  catch: Promise<T>['catch'] = (failed) => this.then(undefined, failed);

  async finally(ended?: (() => void) | null): Promise<T> {
    return await this.then().finally(ended);
  }
}

function sqlOn(on: DatabaseClient | Transaction, types: Recipe['types']): Sql {
  const unsafe = <T extends readonly object[]>(text: string, params: readonly unknown[] = []) =>
    new Statement<postgres.RowList<T>>((asValues) => on.run(text, params, asValues) as Promise<never>);
  const nested = <T>(work: (sql: Sql) => Promise<T>) => {
    const inside = (transaction: Transaction) => work(sqlOn(transaction, types));
    return 'transaction' in on ? on.transaction(inside) : on.savepoint(inside);
  };
  const tag = <T extends readonly object[]>(strings: TemplateStringsArray, ...values: unknown[]) => {
    const text = strings.reduce((before, part, index) => `${before}$${index}${part}`);
    return unsafe<T>(text, values);
  };
  return Object.assign(tag, { unsafe, begin: nested, savepoint: nested, options: types });
}

/** Drizzle asks for the driver's whole interface, and uses what is there. */
function asDriver(sql: Sql): postgres.Sql & postgres.TransactionSql {
  return sql as unknown as postgres.Sql & postgres.TransactionSql;
}

/**
 * Throws errors as they are. Drizzle's own session wraps each in one whose text is the whole statement with all its
 * values, which is then shown and logged.
 */
class PlainSession<
  Full extends Record<string, unknown>,
  Tables extends TablesRelationalConfig,
> extends PostgresJsSession<postgres.Sql & postgres.TransactionSql, Full, Tables> {
  readonly #relational: Relational<Tables>;

  constructor(
    client: postgres.Sql & postgres.TransactionSql,
    dialect: PgDialect,
    relational: Relational<Tables>,
  ) {
    super(client, dialect, relational);
    this.#relational = relational;
  }

  override prepareQuery: PostgresJsSession<postgres.Sql, Full, Tables>['prepareQuery'] = (...query) => {
    const prepared = super.prepareQuery(...query);
    const execute = prepared.execute.bind(prepared);
    prepared.execute = (values) => execute(values).catch(throwCause);
    return prepared;
  };

  override async transaction<T>(
    work: (transaction: PostgresJsTransaction<Full, Tables>) => Promise<T>,
    config?: Parameters<PostgresJsTransaction<Full, Tables>['setTransaction']>[0],
  ): Promise<T> {
    const begin = (this.client as unknown as Sql).begin;
    return await begin(async (sql) => {
      const session = new PlainSession<Full, Tables>(asDriver(sql), this.dialect, this.#relational);
      const transaction = new PostgresJsTransaction<Full, Tables>(this.dialect, session, this.#relational);
      if (config !== undefined) await transaction.setTransaction(config);
      return await work(transaction);
    });
  }
}

type Relational<Tables extends TablesRelationalConfig> = ConstructorParameters<
  typeof PostgresJsSession<postgres.Sql, Record<string, unknown>, Tables>
>[2];

function throwCause(error: unknown): never {
  throw error instanceof DrizzleQueryError ? error.cause : error;
}
