import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, inject, it } from 'vitest';
import { crashRounds } from '../support/crash-rounds.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';

const postgresUrl = inject('postgresUrl');
const kinds: ('embedded' | 'postgres')[] = postgresUrl === null ? ['embedded'] : ['embedded', 'postgres'];

/** `npm run soak -- -t crash` kills it twenty times. */
const kills = 2;
const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);

describe.each(kinds)('a server on the %s database that is killed amid its work', (kind) => {
  it('is back each time, with the old timeline or the new one and with all that it has acknowledged', async () => {
    console.log(`seed ${seed} (TEST_SEED)`);
    const folder = await mkdtemp(join(tmpdir(), 'aircheck-crash-'));
    const database = kind === 'postgres' ? await createTestDatabase(postgresUrl!) : undefined;
    try {
      await crashRounds({
        kills,
        seed,
        folder,
        ...(database && { databaseUrl: database.databaseUrl }),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
      await database?.drop();
    }
  }, 300_000);
});
