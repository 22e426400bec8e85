import { dirname, relative } from 'node:path';
import { type RunningServer, until } from '../server.ts';
import { cheapProfile } from './recordings.ts';

export interface CheapChannel {
  id: string;
  number: string;
  url: string;
  /** Where its recordings are; no other channel plays them. */
  folder: string;
}

/** Adds a folder and waits until all in it is known. */
export async function addLibrary(server: RunningServer, path: string, name = 'Recordings'): Promise<void> {
  const { status, body } = await server.api('POST', '/libraries', { name, path });
  if (status !== 201) throw new Error(`the library: ${JSON.stringify(body)}`);
  await until(
    'the library is scanned',
    async () => {
      const { body: scan } = await server.api('GET', `/libraries/${body.id}/scan`);
      return scan.state === 'done' && scan.pending === 0 ? true : undefined;
    },
    60_000,
  );
}

/** The profile of the cheap recordings. Returns its id. */
export async function addCheapProfile(server: RunningServer): Promise<string> {
  const { status, body } = await server.api('POST', '/profiles', { name: 'cheap', spec: cheapProfile });
  if (status !== 201) throw new Error(`the profile: ${JSON.stringify(body)}`);
  return body.id;
}

/** A channel for each folder of the library, which shuffles what is in it. */
export async function addCheapChannels(
  server: RunningServer,
  library: string,
  folders: readonly string[],
): Promise<CheapChannel[]> {
  const profileId = await addCheapProfile(server);
  const { body: media } = await server.api('GET', '/media?limit=500');
  const items = media.items as { id: string; path: string }[];
  const channels: CheapChannel[] = [];
  for (const [index, folder] of folders.entries()) {
    const own = items.filter(({ path }) => dirname(path) === relative(library, folder));
    const collection = await server.api('POST', '/collections', {
      name: `Of channel ${index + 1}`,
      kind: 'manual',
      media: own.map(({ id }) => id),
    });
    const { status, body } = await server.api('POST', '/channels', {
      number: String(index + 1),
      name: `Channel ${index + 1}`,
      profileId,
      seed: index + 1,
      schedule: { slots: [{ id: 'all', play: collection.body.id, mode: 'flood', order: 'shuffle' }] },
    });
    if (status !== 201) throw new Error(`channel ${index + 1}: ${JSON.stringify(body)}`);
    const url = `${server.base}/iptv/channel/${body.id}.ts`;
    channels.push({ id: body.id, number: body.number, url, folder });
  }
  return channels;
}
