import { randomInt, randomUUID } from 'node:crypto';
import { eq, inArray, sql } from 'drizzle-orm';
import { ConflictError, InvalidError, NotFoundError } from '../errors.ts';
import { compareChannelNumbers } from '../guide/channel-number.ts';
import type { LineupChannel } from '../playout/lineup.ts';
import { collectionsOf, type Schedule } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { channels, collections, profiles } from './schema.ts';
import { violationOf } from './violation.ts';

export type Channel = typeof channels.$inferSelect;

export interface NewChannel {
  /** A decimal string: "5", "5.1". */
  number: string;
  name: string;
  group?: string | undefined;
  logoUrl?: string | null | undefined;
  offlineTitle?: string | null | undefined;
  profileId: string;
  enabled?: boolean | undefined;
  zone?: string | undefined;
  /** By default a random one, so that two channels do not shuffle alike. */
  seed?: number | undefined;
  schedule: Schedule;
}

export type ChannelChanges = { [Key in keyof NewChannel]?: NewChannel[Key] | undefined };

/** A channel with all that is needed to send it and to plan it. */
export interface FullChannel {
  lineup: LineupChannel;
  seed: number;
  schedule: Schedule;
}

/** In the order of their numbers. */
export async function listChannels(db: Database): Promise<Channel[]> {
  const rows = await db.select().from(channels);
  return rows.sort((a, b) => compareChannelNumbers(a.number, b.number));
}

export async function getChannel(db: Database, id: string): Promise<Channel | undefined> {
  const [channel] = await db.select().from(channels).where(eq(channels.id, id));
  return channel;
}

/** Channels with their profiles, in the order of their numbers. */
export async function fullChannels(db: Database, id?: string): Promise<FullChannel[]> {
  const rows = await db
    .select({ channel: channels, profile: profiles })
    .from(channels)
    .innerJoin(profiles, eq(profiles.id, channels.profileId))
    .where(id === undefined ? undefined : eq(channels.id, id));
  return rows
    .sort((a, b) => compareChannelNumbers(a.channel.number, b.channel.number))
    .map(({ channel, profile }) => ({
      lineup: {
        id: channel.id,
        number: channel.number,
        name: channel.name,
        group: channel.group,
        logoUrl: channel.logoUrl ?? undefined,
        guideId: channel.guideId,
        enabled: channel.enabled,
        zone: channel.zone,
        profile,
        updatedAt: channel.updatedAt,
      },
      seed: channel.seed,
      schedule: channel.schedule,
    }));
}

/**
 * Throws ConflictError when the number is taken, and InvalidError when the profile or a collection of the
 * schedule is not there.
 */
export async function createChannel(db: Database, channel: NewChannel): Promise<Channel> {
  const operation = 'creating a channel';
  const id = randomUUID();
  try {
    return await db.transaction(async (tx) => {
      await holdCollections(tx, channel.schedule, operation);
      const [created] = await tx
        .insert(channels)
        .values({
          ...channel,
          id,
          seed: channel.seed ?? randomInt(1, 2 ** 31 - 1),
          guideId: newGuideId(channel.number, id),
        })
        .returning();
      return created as Channel;
    });
  } catch (error) {
    throw refusal(error, channel, operation);
  }
}

/** What a new channel is called in M3U and XMLTV. */
export function newGuideId(number: string, id: string): string {
  return `C${number}.${id.slice(0, 6)}.aircheck.local`;
}

/** Changes what is given, and never the guide id. Throws as createChannel does, and NotFoundError. */
export async function updateChannel(db: Database, id: string, changes: ChannelChanges): Promise<Channel> {
  const operation = 'changing a channel';
  const { number, name, group, logoUrl, offlineTitle, profileId, enabled, zone, seed, schedule } = changes;
  try {
    return await db.transaction(async (tx) => {
      if (schedule) await holdCollections(tx, schedule, operation);
      const [updated] = await tx
        .update(channels)
        .set({
          number,
          name,
          group,
          logoUrl,
          offlineTitle,
          profileId,
          enabled,
          zone,
          seed,
          schedule,
          updatedAt: sql`now()`,
        })
        .where(eq(channels.id, id))
        .returning();
      if (updated === undefined) throw notFound(operation);
      return updated;
    });
  } catch (error) {
    throw refusal(error, changes, operation);
  }
}

/** Deletes a channel with its timeline. Throws NotFoundError. */
export async function deleteChannel(db: Database, id: string): Promise<void> {
  const deleted = await db.delete(channels).where(eq(channels.id, id)).returning({ id: channels.id });
  if (deleted.length === 0) throw notFound('deleting a channel');
}

/** The numbers of the channels that play a collection. */
export async function channelsPlaying(db: Database, collectionId: string): Promise<string[]> {
  const rows = await listChannels(db);
  return rows
    .filter(({ schedule }) => collectionsOf(schedule).includes(collectionId))
    .map(({ number }) => number);
}

/** Throws InvalidError when a schedule plays a collection that is not there. */
export async function refuseMissingCollections(
  db: Database,
  schedule: Schedule,
  operation: string,
  lock?: 'key share',
): Promise<void> {
  const wanted = collectionsOf(schedule);
  const query = db
    .select({ id: collections.id })
    .from(collections)
    .where(inArray(sql`${collections.id}::text`, wanted));
  const found = await (lock === undefined ? query : query.for(lock));
  const known = new Set(found.map(({ id }) => id));
  const missing = wanted.filter((id) => !known.has(id));
  if (missing.length === 0) return;
  throw new InvalidError(`There is no collection ${missing.map((id) => `"${id}"`).join(', ')}.`, {
    operation,
  });
}

/** The same; those that are there cannot be deleted before the transaction ends. */
async function holdCollections(tx: Database, schedule: Schedule, operation: string): Promise<void> {
  await refuseMissingCollections(tx, schedule, operation, 'key share');
}

function refusal(error: unknown, channel: ChannelChanges, operation: string): unknown {
  switch (violationOf(error)) {
    case 'channels_number_unique':
      return new ConflictError(`There is a channel ${channel.number} already.`, { operation });
    case 'channels_profile_id_profiles_id_fk':
      return new InvalidError(`There is no profile "${channel.profileId}".`, { operation });
    default:
      return error;
  }
}

function notFound(operation: string): NotFoundError {
  return new NotFoundError('There is no such channel.', { operation });
}
