import { IANAZone } from 'luxon';
import { z } from 'zod';
import { profileSpecSchema } from '../ffmpeg/profile.ts';
import { channelNumberSchema } from '../guide/channel-number.ts';
import { queryOver } from '../library/media.ts';
import { orders, scheduleSchema } from '../schedule/types.ts';

// The form of a file that whole channels are kept in. Libraries, collections and profiles are named by their names,
// media by their library and their path in it: so it means the same on another server, where all ids are new.

/** Raised when files of an older form could not be read any more. */
export const formatVersion = 1;

const name = z.string().trim().min(1).max(200);

/** Of a media file, as the library knows it. */
const mediaPath = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes('\0'), 'has a character that no path can have')
  .refine(
    (path) => !path.startsWith('/') && path.split('/').every((part) => !['', '.', '..'].includes(part)),
    'is not a path within a library',
  );

const librarySchema = z.strictObject({
  name,
  /** An absolute path on the server. */
  path: z
    .string()
    .max(4096)
    .regex(/^\/./, 'is not an absolute path of a folder')
    .refine((path) => !path.includes('\0'), 'has a character that no path can have')
    .transform((path) => path.replace(/\/+$/, '') || '/')
    .refine((path) => path !== '/', 'is the root of the file system'),
});

const collectionSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    name,
    kind: z.literal('manual'),
    /** In order; neighbours that are in the same library share an entry. */
    media: z.array(z.strictObject({ library: name, paths: z.array(mediaPath).min(1) })).default([]),
  }),
  z.strictObject({ name, kind: z.literal('query'), query: queryOver(name) }),
  z.strictObject({
    name,
    kind: z.literal('union'),
    members: z.array(name).max(500).default([]),
  }),
  z.strictObject({
    name,
    kind: z.literal('playlist'),
    playlist: z
      .array(
        z.strictObject({
          play: name,
          order: z.enum(orders).default('chronological'),
          count: z.union([z.int().min(1).max(10_000), z.literal('all')]).default(1),
          parts: z.enum(['together', 'apart']).exactOptional(),
        }),
      )
      .max(500)
      .default([]),
  }),
]);

const profileSchema = z.strictObject({ name: z.string().trim().min(1).max(100), spec: profileSpecSchema });

const channelSchema = z.strictObject({
  number: channelNumberSchema,
  name,
  group: z.string().trim().max(200).default(''),
  logoUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .nullable()
    .default(null),
  offlineTitle: z.string().trim().min(1).max(200).nullable().default(null),
  /** Its id in M3U and XMLTV. Without it, the channel gets one. */
  guideId: z
    .string()
    .regex(/^[\w.-]{1,200}$/, 'has a character that a guide id cannot have')
    .exactOptional(),
  /** A profile's name. */
  profile: name,
  enabled: z.boolean().default(true),
  zone: z
    .string()
    .refine((zone) => IANAZone.isValidZone(zone), 'is not an IANA time zone')
    .default('UTC'),
  /** Decides how it shuffles. Without it, it is drawn by lot. */
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .exactOptional(),
  /** Its slots play collections by their names. */
  schedule: scheduleSchema,
});

export const transferSchema = z
  .strictObject({
    aircheck: z.literal(formatVersion, `this server reads form ${formatVersion}`),
    libraries: z.array(librarySchema).default([]),
    collections: z.array(collectionSchema).default([]),
    profiles: z.array(profileSchema).default([]),
    channels: z.array(channelSchema).default([]),
  })
  .superRefine((file, context) => {
    refuseDoubles(context, 'libraries', 'name', file.libraries);
    refuseDoubles(context, 'libraries', 'path', file.libraries);
    refuseDoubles(context, 'collections', 'name', file.collections);
    refuseDoubles(context, 'profiles', 'name', file.profiles);
    refuseDoubles(context, 'channels', 'number', file.channels);
    refuseDoubles(context, 'channels', 'guideId', file.channels);
  });

/** What a file says, with all defaults. */
export type TransferFile = z.output<typeof transferSchema>;
export type LibraryForm = TransferFile['libraries'][number];
export type CollectionForm = TransferFile['collections'][number];
export type ProfileForm = TransferFile['profiles'][number];
export type ChannelForm = TransferFile['channels'][number];

/** The same for editors and other programs, as JSON Schema: config/export.schema.json. */
export function transferJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(transferSchema, { io: 'input', reused: 'ref' });
  return { $schema, title: 'Channels of aircheck', ...schema };
}

function refuseDoubles<K extends string>(
  context: z.RefinementCtx,
  list: string,
  key: K,
  entries: readonly { [key in K]?: string | undefined }[],
): void {
  const first = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const value = entry[key];
    if (value === undefined) continue;
    const earlier = first.get(value);
    if (earlier === undefined) first.set(value, index);
    else {
      const message = `is the same as ${list}.${earlier}.${key}: "${value}"`;
      context.addIssue({ code: 'custom', path: [list, index, key], message });
    }
  }
}
