import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, StartError } from '../errors.ts';

export interface AdminKey {
  key: string;
  /** Made just now: to be shown once. */
  isNew: boolean;
  file: string;
}

/** The key of the admin API: the configured one, else the one in the data folder, which is made when missing. */
export async function adminKey(configured: string | undefined, dataFolder: string): Promise<AdminKey> {
  const file = join(dataFolder, 'admin-key');
  if (configured !== undefined) return { key: configured, isNew: false, file };
  try {
    const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    if (kept.trim() !== '') return { key: kept.trim(), isNew: false, file };
    const key = randomBytes(24).toString('base64url');
    await writeFile(file, `${key}\n`, { mode: 0o600 });
    return { key, isNew: true, file };
  } catch (error) {
    throw new StartError(`The admin key ${file} cannot be read or written: ${messageOf(error)}`, {
      operation: 'reading the admin key',
      cause: error,
    });
  }
}
