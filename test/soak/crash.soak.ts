import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject, it } from 'vitest';
import { crashRounds } from '../support/crash-rounds.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';

const postgresUrl = inject('postgresUrl');

// SOAK_KILLS and SOAK_SEED choose another number of kills, and repeat a run.
it.each(postgresUrl === null ? ['embedded'] : ['embedded', 'postgres'])(
  'crash: the server on the %s database is killed twenty times amid its work',
  async (kind) => {
    const folder = await mkdtemp(join(tmpdir(), 'aircheck-crash-'));
    const database = kind === 'postgres' ? await createTestDatabase(postgresUrl!) : undefined;
    try {
      await crashRounds({
        kills: Number(process.env.SOAK_KILLS ?? 20),
        seed: Number(process.env.SOAK_SEED ?? Date.now() % 100_000),
        folder,
        ...(database && { databaseUrl: database.databaseUrl }),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
      await database?.drop();
    }
  },
);
