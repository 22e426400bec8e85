import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { inject } from 'vitest';
import { type OpenedDatabase, openDatabase } from '../../src/db/connection.ts';
import { createTestDatabase } from './postgres-cluster.ts';

export interface TestDatabase extends OpenedDatabase {
  /** Only of a real Postgres. */
  databaseUrl?: string;
  dataFolder: string;
  /** Closes the database and removes everything that belongs to it. */
  stop(): Promise<void>;
}

const quiet = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });

async function openEmbedded(): Promise<TestDatabase> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'aircheck-data-'));
  const database = await openDatabase({ dataFolder, log: quiet });
  const stop = async () => {
    await database.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  };
  return { ...database, dataFolder, stop };
}

async function openPostgres(url: string): Promise<TestDatabase> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'aircheck-data-'));
  const { databaseUrl, drop } = await createTestDatabase(url);
  const database = await openDatabase({ databaseUrl, dataFolder, log: quiet });
  const stop = async () => {
    await database.stop();
    await drop();
    rmSync(dataFolder, { recursive: true, force: true });
  };
  return { ...database, databaseUrl, dataFolder, stop };
}

/** For `describe.each(databases)`: the embedded database, and a real Postgres where the machine has one. */
export const databases: { name: 'embedded' | 'postgres'; open(): Promise<TestDatabase> }[] = [
  { name: 'embedded', open: openEmbedded },
];

const postgresUrl = inject('postgresUrl');
if (postgresUrl !== null) databases.push({ name: 'postgres', open: () => openPostgres(postgresUrl) });
