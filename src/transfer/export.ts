import { eq } from 'drizzle-orm';
import { type Document, isMap, Document as YamlDocument } from 'yaml';
import { type Channel, listChannels } from '../db/channels.ts';
import { type Collection, listCollections } from '../db/collections.ts';
import type { Database } from '../db/connection.ts';
import { libraryLabels, listLibraries } from '../db/libraries.ts';
import { listProfiles } from '../db/profiles.ts';
import { collectionMedia, media } from '../db/schema.ts';
import type { EpochMs } from '../schedule/types.ts';
import { timelineForm } from './export-timeline.ts';
import {
  type ChannelForm,
  type CollectionForm,
  formatVersion,
  type LibraryForm,
  type TransferFile,
} from './format.ts';
import { renameCollections } from './schedule-names.ts';

/** All libraries, collections, profiles and channels as they are at one moment, in an order that only depends on them. */
export async function exportFile(db: Database, now: EpochMs): Promise<TransferFile> {
  return await db.transaction((tx) => everything(tx, now), {
    isolationLevel: 'repeatable read',
    accessMode: 'read only',
  });
}

/** A file as YAML. Texts that a reader could take for something else are quoted. */
export function toYaml(file: TransferFile): string {
  const document = new YamlDocument(withoutDefaults(file), { aliasDuplicateObjects: false });
  document.commentBefore =
    ' Channels of aircheck. `aircheck import` brings them into a server; `aircheck export --schema` describes the form.';
  for (const [index, { timeline }] of file.channels.entries()) {
    const path = ['channels', index, 'timeline'];
    onOneLine(document, [...path, 'cursors']);
    for (const item of timeline?.items?.keys() ?? []) onOneLine(document, [...path, 'items', item]);
  }
  return document.toString({ lineWidth: 0 });
}

async function everything(db: Database, now: EpochMs): Promise<TransferFile> {
  const names = await readNames(db);
  const libraries = await listLibraries(db);
  const collections: CollectionForm[] = [];
  for (const collection of names.collections) collections.push(await collectionForm(db, collection, names));
  const profiles = await listProfiles(db);
  const profileNames = new Map(profiles.map(({ id, name }) => [id, name]));
  const channels: ChannelForm[] = [];
  for (const channel of await listChannels(db)) {
    const form = channelForm(channel, { ...names, profiles: profileNames });
    const timeline = await timelineForm(db, channel.id, now, names);
    channels.push(timeline === undefined ? form : { ...form, timeline });
  }
  return {
    aircheck: formatVersion,
    libraries: byName(
      libraries.map(({ id, path }): LibraryForm => ({ name: names.libraries.get(id)!, path })),
    ),
    collections: byName(collections),
    profiles: byName(profiles.map(({ name, spec }) => ({ name, spec }))),
    channels,
  };
}

/** What everything is called in a file, by the ids of this server. */
export interface Names {
  /** Two libraries of one name are told apart by their folders. */
  libraries: ReadonlyMap<string, string>;
  collections: readonly Collection[];
  collectionNames: ReadonlyMap<string, string>;
}

export async function readNames(db: Database): Promise<Names> {
  const { items: collections } = await listCollections(db, { limit: 1_000_000 });
  return {
    libraries: await libraryLabels(db),
    collections,
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

/** A channel as a file says it, without its place in the timeline. */
export function channelForm(
  channel: Channel,
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
  const { position } = collectionMedia;
  for (let first = 0; ; first += pageSize) {
    const page = await db
      .select({ libraryId: media.libraryId, path: media.path })
      .from(collectionMedia)
      .innerJoin(media, eq(media.id, collectionMedia.mediaId))
      .where(eq(collectionMedia.collectionId, collectionId))
      .orderBy(position)
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

/** By code unit: the order must not depend on the database's locale. */
function byName<T extends { name: string }>(all: readonly T[]): T[] {
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
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

/** What nobody reads need not be spread over many lines. */
function onOneLine(document: Document, path: readonly (string | number)[]): void {
  const node = document.getIn(path, true);
  if (isMap(node)) node.flow = true;
}
