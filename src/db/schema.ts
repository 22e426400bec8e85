import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import type { Breaks, Loudness } from '../library/analysis.ts';
import type { Artwork } from '../library/artwork.ts';
import type { CollectionQuery, MediaProbe } from '../library/media.ts';
import type { Credits } from '../library/metadata.ts';
import type { CursorSteps } from '../playout/cursor-log.ts';
import { type Cursors, type ItemReason, orders, type Schedule } from '../schedule/types.ts';

/** An instant: `timestamptz` with milliseconds in the database, epoch milliseconds in code. */
const instant = customType<{ data: number; driverData: string | Date }>({
  dataType: () => 'timestamp(3) with time zone',
  toDriver: (ms) => new Date(ms).toISOString(),
  fromDriver: (value) => new Date(value).getTime(),
});

const now = sql`now()`;

/** Small facts about this installation, such as its instance id. */
export const settings = pgTable('settings', {
  key: text().primaryKey(),
  value: jsonb().$type<unknown>().notNull(),
});

/** A folder of recorded media. */
export const libraries = pgTable('libraries', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull(),
  /** Absolute, without a slash at the end. */
  path: text().notNull().unique(),
  createdAt: instant('created_at').notNull().default(now),
  scannedAt: instant('scanned_at'),
});

/** One playable file. It is never deleted because its file is away: it becomes `unavailable`. */
export const media = pgTable(
  'media',
  {
    id: uuid().primaryKey().defaultRandom(),
    libraryId: uuid('library_id')
      .notNull()
      .references(() => libraries.id, { onDelete: 'cascade' }),
    /** Relative to the library's folder, with `/`. */
    path: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
    mtimeMs: bigint('mtime_ms', { mode: 'number' }).notNull(),
    state: text({ enum: ['ready', 'failed', 'unavailable'] }).notNull(),
    /** Why it is not ready, for a person. */
    reason: text(),
    durationMs: integer('duration_ms'),
    probe: jsonb().$type<MediaProbe>(),
    kind: text({ enum: ['movie', 'episode', 'other'] }).notNull(),
    title: text().notNull(),
    show: text(),
    season: integer(),
    episode: integer(),
    year: integer(),
    /** Original air date, YYYY-MM-DD. */
    aired: text(),
    plot: text(),
    genres: text().array().notNull().default(sql`'{}'::text[]`),
    rating: text(),
    credits: jsonb().$type<Credits>(),
    /** Pictures that lie beside it; null when there are none. */
    artwork: jsonb().$type<Artwork>(),
    /** What was measured of the file as it is; null when it was not, or the file has changed since. */
    loudness: jsonb().$type<Loudness>(),
    /** The same for where it may be interrupted. Only of files without chapters. */
    breaks: jsonb().$type<Breaks>(),
    addedAt: instant('added_at').notNull().default(now),
    updatedAt: instant('updated_at').notNull().default(now),
  },
  (t) => [
    uniqueIndex('media_library_path').on(t.libraryId, t.path),
    index('media_state_title').on(t.state, t.title),
    index('media_show').on(t.show, t.season, t.episode),
    // For saved queries: by show, without regard to case, by folder, and by what is new.
    index('media_show_lower').on(sql`lower(${t.show})`),
    index('media_path').on(t.path.op('text_pattern_ops')),
    index('media_added').on(t.addedAt),
    // The analysis asks for the newest of them, again and again.
    index('media_unmeasured')
      .on(t.addedAt.desc().nullsFirst(), t.id)
      .where(sql`${t.state} = 'ready' and ${t.loudness} is null`),
  ],
);

/**
 * What belongs together: a list of media by hand, a saved query that is evaluated when a plan is made, all that is
 * in several collections, or a playlist that plays several collections in turn.
 */
export const collections = pgTable('collections', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  kind: text({ enum: ['manual', 'query', 'union', 'playlist'] }).notNull(),
  query: jsonb().$type<CollectionQuery>(),
  createdAt: instant('created_at').notNull().default(now),
  updatedAt: instant('updated_at').notNull().default(now),
});

export const collectionMedia = pgTable(
  'collection_media',
  {
    collectionId: uuid('collection_id')
      .notNull()
      .references(() => collections.id, { onDelete: 'cascade' }),
    position: integer().notNull(),
    mediaId: uuid('media_id')
      .notNull()
      .references(() => media.id, { onDelete: 'cascade' }),
  },
  (t) => [
    primaryKey({ columns: [t.collectionId, t.position] }),
    index('collection_media_media').on(t.mediaId),
  ],
);

/** The members of unions and of playlists, in order. Order, count and parts are a playlist's. */
export const collectionMembers = pgTable(
  'collection_members',
  {
    collectionId: uuid('collection_id')
      .notNull()
      .references(() => collections.id, { onDelete: 'cascade' }),
    position: integer().notNull(),
    memberId: uuid('member_id')
      .notNull()
      .references(() => collections.id),
    order: text('play_order', { enum: orders }),
    /** How many items of it a turn has; null is all. */
    count: integer(),
    parts: text({ enum: ['together', 'apart'] }),
  },
  (t) => [
    primaryKey({ columns: [t.collectionId, t.position] }),
    index('collection_members_member').on(t.memberId),
  ],
);

export const profiles = pgTable('profiles', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  spec: jsonb().$type<ProfileSpec>().notNull(),
});

export const channels = pgTable('channels', {
  id: uuid().primaryKey().defaultRandom(),
  /** A decimal string: "5", "5.1". */
  number: text().notNull().unique(),
  name: text().notNull(),
  group: text('group_title').notNull().default(''),
  logoUrl: text('logo_url'),
  /** What the guide shows while it is off air; null is its name. */
  offlineTitle: text('offline_title'),
  /** The channel's id in M3U and XMLTV. Made once, never changed: players key their mappings by it. */
  guideId: text('guide_id').notNull().unique(),
  profileId: uuid('profile_id')
    .notNull()
    .references(() => profiles.id),
  enabled: boolean().notNull().default(true),
  /** IANA zone of the schedule's wall-clock rules. */
  zone: text().notNull().default('UTC'),
  seed: integer().notNull().default(1),
  schedule: jsonb().$type<Schedule>().notNull(),
  createdAt: instant('created_at').notNull().default(now),
  updatedAt: instant('updated_at').notNull().default(now),
});

/**
 * The plan as stored: rows `[startsAt, endsAt)` of a channel, without a hole. The migrations add triggers that
 * refuse an overlap.
 */
export const playoutItems = pgTable(
  'playout_items',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    channelId: uuid('channel_id')
      .notNull()
      .references(() => channels.id, { onDelete: 'cascade' }),
    startsAt: instant('starts_at').notNull(),
    endsAt: instant('ends_at').notNull(),
    kind: text({ enum: ['program', 'filler', 'offline'] }).notNull(),
    mediaId: uuid('media_id').references(() => media.id, { onDelete: 'set null' }),
    /** Milliseconds into the media. */
    inMs: integer('in_ms'),
    outMs: integer('out_ms'),
    slot: text(),
    filler: text(),
    /** Items of one guide entry share a number; null is hidden. */
    guide: integer(),
    why: jsonb().$type<ItemReason>(),
  },
  (t) => [
    index('playout_items_channel_ends').on(t.channelId, t.endsAt),
    // Deleting media looks for the items that play it.
    index('playout_items_media').on(t.mediaId),
  ],
);

/** What is known of a channel's timeline as a whole. */
export const timelines = pgTable('timelines', {
  channelId: uuid('channel_id')
    .primaryKey()
    .references(() => channels.id, { onDelete: 'cascade' }),
  /** How often it was written: a plan is not stored over rows that it has not seen. */
  version: integer().notNull(),
  /** A digest of what all that is not frozen was planned from; null when that is not one and the same. */
  sources: text(),
  /** Where that begins. */
  since: instant(),
});

/**
 * The planner's cursors as they were when the rows before `at` had been planned, and how they changed from there
 * to the next row of this table (playout/cursor-log.ts).
 */
export const playoutCheckpoints = pgTable(
  'playout_checkpoints',
  {
    channelId: uuid('channel_id')
      .notNull()
      .references(() => channels.id, { onDelete: 'cascade' }),
    at: instant().notNull(),
    cursors: jsonb().$type<Cursors>().notNull(),
    steps: jsonb().$type<CursorSteps>(),
  },
  (t) => [primaryKey({ columns: [t.channelId, t.at] })],
);
