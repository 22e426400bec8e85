import { eq } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { settings } from './schema.ts';

/** The value as it was set; it is up to the caller that it has this type. */
export async function getSetting<T>(db: Database, key: string): Promise<T | undefined> {
  const [row] = await db.select({ value: settings.value }).from(settings).where(eq(settings.key, key));
  return row?.value as T | undefined;
}

/** @param value anything that JSON can hold, but null */
export async function setSetting(db: Database, key: string, value: unknown): Promise<void> {
  await db
    .insert(settings)
    .values({ key, value })
    .onConflictDoUpdate({ target: settings.key, set: { value } });
}

export async function deleteSetting(db: Database, key: string): Promise<void> {
  await db.delete(settings).where(eq(settings.key, key));
}
