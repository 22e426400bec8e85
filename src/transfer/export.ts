import { asc, eq } from 'drizzle-orm';
import { stringify } from 'yaml';
import { listChannels } from '../db/channels.ts';
import { type Collection, listCollections } from '../db/collections.ts';
import type { Database } from '../db/connection.ts';
import { listProfiles } from '../db/profiles.ts';
import { collectionMedia, libraries, media } from '../db/schema.ts';
import {
  type ChannelForm,
  type CollectionForm,
  formatVersion,
  type LibraryForm,
  type TransferFile,
} from './format.ts';
import { renameCollections } from './schedule-names.ts';

/** All libraries, collections, profiles and channels, in an order that only depends on them. */
export async function exportFile(db: Database): Promise<TransferFile> {
  const known = await readNames(db);
  const collections: CollectionForm[] = [];
  for (const collection of known.collections) collections.push(await collectionForm(db, collection, known));
  const profiles = await listProfiles(db);
  const channels = await listChannels(db);
  return {
    aircheck: formatVersion,
    libraries: known.libraryForms,
    collections,
    profiles: profiles.map(({ name, spec }) => ({ name, spec })),
    channels: channels.map((channel) =>
      channelForm(channel, {
        ...known,
        profiles: new Map(profiles.map(({ id, name }) => [id, name])),
      }),
    ),
  };
}

/** A file as YAML. Texts that a reader could take for something else are quoted. */
export function toYaml(file: TransferFile): string {
  const head =
    '# Channels of aircheck: `aircheck import` reads them. The form is described by config/export.schema.json.\n';
  return head + stringify(withoutDefaults(file), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** What everything is called in a file, by the ids of this server. */
export interface Names {
  /** Two libraries of one name are told apart by their folders. */
  libraries: ReadonlyMap<string, string>;
  libraryForms: LibraryForm[];
  collections: readonly Collection[];
  collectionNames: ReadonlyMap<string, string>;
}

export async function readNames(db: Database): Promise<Names> {
  const rows = await db.select().from(libraries).orderBy(asc(libraries.createdAt), asc(libraries.id));
  const labels = new Map<string, string>();
  const forms: LibraryForm[] = [];
  const taken = new Set<string>();
  for (const { id, name, path } of rows) {
    const label = taken.has(name) ? `${name} (${path})`.slice(0, 200) : name;
    taken.add(label);
    labels.set(id, label);
    forms.push({ name: label, path });
  }
  const { items: collections } = await listCollections(db, { limit: 1_000_000 });
  return {
    libraries: labels,
    libraryForms: forms.sort((a, b) => (a.name < b.name ? -1 : 1)),
    collections: collections.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    collectionNames: new Map(collections.map(({ id, name }) => [id, name])),
  };
}

/** A collection as a file says it. */
export async function collectionForm(
  db: Database,
  collection: Collection,
  { libraries: labels, collectionNames }: Pick<Names, 'libraries' | 'collectionNames'>,
): Promise<CollectionForm> {
  const { id, name, kind, query = {}, members = [], playlist = [] } = collection;
  const nameOf = (memberId: string) => collectionNames.get(memberId) ?? memberId;
  switch (kind) {
    case 'manual':
      return { name, kind, media: await listedMedia(db, id, labels) };
    case 'query': {
      const { library, ...rest } = query;
      return {
        name,
        kind,
        query: library === undefined ? rest : { library: labels.get(library) ?? library, ...rest },
      };
    }
    case 'union':
      return { name, kind, members: members.map(nameOf) };
    case 'playlist':
      return { name, kind, playlist: playlist.map((member) => ({ ...member, play: nameOf(member.play) })) };
  }
}

/** A channel as a file says it. */
export function channelForm(
  channel: Awaited<ReturnType<typeof listChannels>>[number],
  { collectionNames, profiles }: Pick<Names, 'collectionNames'> & { profiles: ReadonlyMap<string, string> },
): ChannelForm {
  const { number, name, group, logoUrl, offlineTitle, guideId, enabled, zone, seed, profileId } = channel;
  return {
    ...{ number, name, group, logoUrl, offlineTitle, guideId },
    profile: profiles.get(profileId) ?? profileId,
    ...{ enabled, zone, seed },
    schedule: renameCollections(channel.schedule, (id) => collectionNames.get(id) ?? id),
  };
}

const pageSize = 5_000;

async function listedMedia(db: Database, collectionId: string, labels: Names['libraries']) {
  const runs: { library: string; paths: string[] }[] = [];
  for (let first = 0; ; first += pageSize) {
    const page = await db
      .select({ libraryId: media.libraryId, path: media.path })
      .from(collectionMedia)
      .innerJoin(media, eq(media.id, collectionMedia.mediaId))
      .where(eq(collectionMedia.collectionId, collectionId))
      .orderBy(asc(collectionMedia.position))
      .limit(pageSize)
      .offset(first);
    for (const { libraryId, path } of page) {
      const library = labels.get(libraryId) ?? libraryId;
      const run = runs.at(-1);
      if (run?.library === library) run.paths.push(path);
      else runs.push({ library, paths: [path] });
    }
    if (page.length < pageSize) return runs;
  }
}

/** A channel that is on air, without a logo and in no group, need not say so. */
function withoutDefaults(file: TransferFile): object {
  const channels = file.channels.map(({ group, logoUrl, offlineTitle, enabled, ...channel }) => ({
    ...channel,
    ...(group === '' ? {} : { group }),
    ...(logoUrl === null ? {} : { logoUrl }),
    ...(offlineTitle === null ? {} : { offlineTitle }),
    ...(enabled ? {} : { enabled }),
  }));
  return { ...file, channels };
}
