import { IANAZone } from 'luxon';
import { z } from 'zod';
import { profileSpecSchema } from '../ffmpeg/profile.ts';
import { channelNumberSchema } from '../guide/channel-number.ts';
import { queryOver } from '../library/media.ts';
import { fillerKinds, orders, scheduleSchema } from '../schedule/types.ts';

// The form of a file that whole channels are kept in. Libraries, collections and profiles are named by their names,
// media by their library and their path in it: so it means the same on another server, where other ids are given.

/** Raised when an older server could not read what is written any more. */
export const formatVersion = 1;

const name = z.string().trim().min(1).max(200);

/** Of several libraries with one name, the later ones are named with their folders. */
const libraryName = z.string().trim().min(1).max(10_000);

const withoutNul = (path: string) => !path.includes('\0');

const mediaPath = z
  .string()
  .min(1)
  .max(4096)
  .refine(withoutNul, 'has a character that no path can have')
  .refine(
    (path) => !path.startsWith('/') && path.split('/').every((part) => !['', '.', '..'].includes(part)),
    'is not a path within a library',
  )
  .describe("A file's path in its library's folder, with /");

const librarySchema = z.strictObject({
  name: libraryName,
  path: z
    .string()
    .max(4096)
    .regex(/^\/./, 'is not an absolute path of a folder')
    .refine(withoutNul, 'has a character that no path can have')
    .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), 'has . or .. in it')
    .transform((path) => path.replace(/\/+/g, '/').replace(/\/$/, '') || '/')
    .refine((path) => path !== '/', 'is the root of the file system')
    .describe('The absolute path of the folder on the server'),
});

const collectionSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    name,
    kind: z.literal('manual'),
    media: z
      .array(z.strictObject({ library: libraryName, paths: z.array(mediaPath).min(1) }))
      .default([])
      .describe('In order; neighbours that are in the same library share an entry'),
  }),
  z.strictObject({ name, kind: z.literal('query'), query: queryOver(libraryName) }),
  z.strictObject({
    name,
    kind: z.literal('union'),
    members: z.array(name).max(500).default([]).describe('Names of collections, in order'),
  }),
  z.strictObject({
    name,
    kind: z.literal('playlist'),
    playlist: z
      .array(
        z.strictObject({
          play: name.describe('The name of a collection that is no playlist'),
          order: z.enum(orders).default('chronological'),
          count: z
            .union([z.int().min(1).max(10_000), z.literal('all')])
            .default(1)
            .describe('How many items of it a turn has'),
          parts: z.enum(['together', 'apart']).exactOptional(),
        }),
      )
      .max(500)
      .default([])
      .describe('They play in turn, and each goes on where it was'),
  }),
]);

const profileSchema = z.strictObject({ name: z.string().trim().min(1).max(100), spec: profileSpecSchema });

const instant = z.iso.datetime({ offset: true });
const milliseconds = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

const timelineItemSchema = z.strictObject({
  start: instant,
  stop: instant,
  kind: z.enum(['program', 'filler', 'offline']),
  media: z.strictObject({ library: libraryName, path: mediaPath }).exactOptional(),
  in: milliseconds.exactOptional(),
  out: milliseconds.exactOptional(),
  slot: z.string().max(100).exactOptional(),
  filler: z.enum(fillerKinds).exactOptional(),
  guide: milliseconds.exactOptional(),
  why: z
    .strictObject({
      order: z.enum(orders),
      cycle: z.int().exactOptional(),
      position: z.int().exactOptional(),
      member: name.exactOptional(),
    })
    .exactOptional(),
});

const timelineSchema = z
  .strictObject({
    at: instant,
    cursors: z.record(z.string(), z.unknown()).describe('Opaque: what the planner remembers at that instant'),
    items: z
      .array(timelineItemSchema)
      .max(5_000)
      .exactOptional()
      .describe('What is on before that, and was planned before an edit'),
  })
  .superRefine(({ at, items = [] }, context) => {
    const ends = [...items.slice(1).map(({ start }) => start), at];
    for (const [index, { start, stop }] of items.entries()) {
      const [begins, over, next] = [start, stop, ends[index] ?? at].map(Date.parse) as [
        number,
        number,
        number,
      ];
      if (begins < over && over === next) continue;
      const message = 'does not end where the next item, or the time of the cursors, begins';
      context.addIssue({ code: 'custom', path: ['items', index, 'stop'], message });
    }
  });

const channelSchema = z.strictObject({
  number: channelNumberSchema,
  name,
  group: z.string().trim().max(200).default(''),
  logoUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .nullable()
    .default(null),
  offlineTitle: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .nullable()
    .default(null)
    .describe('What the guide shows while the channel is off air; without it, its name'),
  guideId: z
    .string()
    .regex(/^[\w.-]{1,200}$/, 'has a character that a guide id cannot have')
    .exactOptional()
    .describe('Its id in M3U and XMLTV; without it, the channel gets a new one'),
  profile: name.describe("A profile's name"),
  enabled: z.boolean().default(true),
  zone: z
    .string()
    .refine((zone) => IANAZone.isValidZone(zone), 'is not an IANA time zone')
    .default('UTC')
    .describe("IANA zone of the schedule's wall clock"),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .exactOptional()
    .describe('Decides how it shuffles; without it, it is drawn by lot'),
  schedule: scheduleSchema.describe(
    'As in SCHEDULES.md and in the API; what it plays is named by the names of collections',
  ),
  timeline: timelineSchema
    .exactOptional()
    .describe('Where it stands, so that it goes on from there; without it, it begins with its first slot'),
});

export const transferSchema = z
  .strictObject({
    aircheck: z.literal(formatVersion).describe('The version of this form'),
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
export type TimelineForm = z.output<typeof timelineSchema>;
export type TimelineItemForm = z.output<typeof timelineItemSchema>;

/** The same for editors and other programs, as JSON Schema (draft 2020-12). */
export function transferJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(transferSchema, { io: 'input' });
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
