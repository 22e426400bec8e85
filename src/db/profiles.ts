import { asc, eq } from 'drizzle-orm';
import { ConflictError, NotFoundError } from '../errors.ts';
import { type ProfileSpec, shippedProfiles } from '../ffmpeg/profile.ts';
import type { Database } from './connection.ts';
import { profiles } from './schema.ts';
import { violationOf } from './violation.ts';

export type Profile = typeof profiles.$inferSelect;

/** Adds the profiles that the server comes with, where there is none of that name. */
export async function ensureShippedProfiles(db: Database): Promise<void> {
  await db
    .insert(profiles)
    .values([...shippedProfiles])
    .onConflictDoNothing();
}

export async function listProfiles(db: Database): Promise<Profile[]> {
  return await db.select().from(profiles).orderBy(asc(profiles.name));
}

export async function getProfile(db: Database, id: string): Promise<Profile | undefined> {
  const [profile] = await db.select().from(profiles).where(eq(profiles.id, id));
  return profile;
}

export async function getProfileByName(db: Database, name: string): Promise<Profile | undefined> {
  const [profile] = await db.select().from(profiles).where(eq(profiles.name, name));
  return profile;
}

/** Throws ConflictError when there is one of this name. */
export async function createProfile(
  db: Database,
  profile: { name: string; spec: ProfileSpec },
): Promise<Profile> {
  const [created] = await db.insert(profiles).values(profile).onConflictDoNothing().returning();
  if (created === undefined) throw nameTaken(profile.name, 'creating a profile');
  return created;
}

/** Throws NotFoundError, or ConflictError when another one has this name. */
export async function updateProfile(
  db: Database,
  id: string,
  changes: { name?: string | undefined; spec?: ProfileSpec | undefined },
): Promise<Profile> {
  const operation = 'changing a profile';
  if (changes.name === undefined && changes.spec === undefined) {
    const profile = await getProfile(db, id);
    if (profile === undefined) throw notFound(operation);
    return profile;
  }
  try {
    const [updated] = await db.update(profiles).set(changes).where(eq(profiles.id, id)).returning();
    if (updated === undefined) throw notFound(operation);
    return updated;
  } catch (error) {
    if (violationOf(error) === 'profiles_name_unique') throw nameTaken(changes.name ?? '', operation);
    throw error;
  }
}

/** Throws NotFoundError, or ConflictError while a channel uses it. */
export async function deleteProfile(db: Database, id: string): Promise<void> {
  const operation = 'deleting a profile';
  try {
    const deleted = await db.delete(profiles).where(eq(profiles.id, id)).returning({ id: profiles.id });
    if (deleted.length === 0) throw notFound(operation);
  } catch (error) {
    if (violationOf(error) === 'channels_profile_id_profiles_id_fk') {
      throw new ConflictError('The profile is used by a channel.', { operation });
    }
    throw error;
  }
}

function nameTaken(name: string, operation: string): ConflictError {
  return new ConflictError(`There is a profile called "${name}" already.`, { operation });
}

function notFound(operation: string): NotFoundError {
  return new NotFoundError('There is no such profile.', { operation });
}
