import { asc, eq } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { libraries } from './schema.ts';

export type Library = typeof libraries.$inferSelect;

export async function listLibraries(db: Database): Promise<Library[]> {
  return await db.select().from(libraries).orderBy(asc(libraries.name), asc(libraries.id));
}

export async function getLibrary(db: Database, id: string): Promise<Library | undefined> {
  const [library] = await db.select().from(libraries).where(eq(libraries.id, id));
  return library;
}

/**
 * A name for each library that no other one has, by its id: the oldest of one name is called by it, the others by
 * their folder as well.
 */
export async function libraryLabels(db: Database): Promise<Map<string, string>> {
  const { id, name, path, createdAt } = libraries;
  const rows = await db.select({ id, name, path }).from(libraries).orderBy(asc(createdAt), asc(id));
  const labels = new Map<string, string>();
  const taken = new Set<string>();
  for (const row of rows) {
    let label = row.name;
    while (taken.has(label)) label += ` (${row.path})`;
    taken.add(label);
    labels.set(row.id, label);
  }
  return labels;
}

/** Undefined when a library with this path exists already. */
export async function insertLibrary(
  db: Database,
  library: { name: string; path: string },
): Promise<Library | undefined> {
  const [inserted] = await db.insert(libraries).values(library).onConflictDoNothing().returning();
  return inserted;
}

/** Deletes a library with its media. False when there is none with this id. */
export async function deleteLibrary(db: Database, id: string): Promise<boolean> {
  const deleted = await db.delete(libraries).where(eq(libraries.id, id)).returning({ id: libraries.id });
  return deleted.length > 0;
}

export async function setLibraryScanned(db: Database, id: string, scannedAt: number): Promise<void> {
  await db.update(libraries).set({ scannedAt }).where(eq(libraries.id, id));
}
