import { join } from 'node:path';
import type { App } from '../app.ts';
import { loadConfig } from '../config.ts';
import { createChannel, listChannels } from '../db/channels.ts';
import { createCollection, listCollections } from '../db/collections.ts';
import { getProfileByName } from '../db/profiles.ts';
import { StartError } from '../errors.ts';
import { serve } from '../serve.ts';
import { demoLineup, demoSchedule } from './lineup.ts';
import { makeRecordings } from './recordings.ts';

/** The recordings appear whole, so nobody has to wait for them to settle. */
const demoSettings = {
  AIRCHECK_DATA: './.demo',
  AIRCHECK_HOST: '127.0.0.1',
  AIRCHECK_LOG_LEVEL: 'warn',
  AIRCHECK_LIBRARY_SETTLE_MS: '0',
};

/** Makes sample recordings, puts three channels of them on air, and says what to open. */
export async function demo(env: NodeJS.ProcessEnv): Promise<void> {
  const config = loadConfig({ ...demoSettings, ...env });
  const folder = join(config.data, 'recordings');
  await recordings(folder, config.ffmpeg.path);
  say('Starting the server …');
  const app = await serve(config);
  await putOnAir(app, folder);
  announce(app, config.publicUrl ?? `http://${shownHost(config.host)}:${app.port}`);
}

async function recordings(folder: string, ffmpegPath: string): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    await makeRecordings(folder, {
      ffmpegPath,
      signal: interrupted.signal,
      onProgress: (progress) => {
        if (progress.kind === 'note') say(progress.message);
        if (progress.kind !== 'made') return;
        const { done, total, recording } = progress;
        say(`Sample recording ${done} of ${total}: ${recording.path}`);
      },
    });
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.exit(130);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Library, collections and channels, where they are not there from the last time. */
async function putOnAir({ library, playout, database }: App, folder: string): Promise<void> {
  const { db } = database;
  const known = (await library.list()).find(({ path }) => path === folder);
  const { id: libraryId } = known ?? (await library.add({ name: 'Sample recordings', path: folder }));
  const scan = await library.scan(libraryId);
  if (scan.state === 'failed') {
    throw new StartError(`The sample recordings cannot be read: ${scan.error}`, { operation: 'scanning' });
  }
  const there = await listCollections(db, { limit: 500 });
  const ids = new Map<string, string>();
  for (const { key, name, query } of demoLineup.collections) {
    const collection =
      there.items.find((item) => item.name === name) ??
      (await createCollection(db, { name, kind: 'query', query: { ...query, library: libraryId } }));
    ids.set(key, collection.id);
  }
  const numbers = new Set((await listChannels(db)).map(({ number }) => number));
  for (const channel of demoLineup.channels) {
    if (numbers.has(channel.number)) continue;
    const profile = await getProfileByName(db, channel.profile);
    if (profile === undefined) {
      throw new StartError(`The profile ${channel.profile} is not there.`, {
        operation: 'making the channels',
      });
    }
    const { number, name, group, seed } = channel;
    const schedule = demoSchedule(channel, ids);
    const { id } = await createChannel(db, { number, name, group, seed, schedule, profileId: profile.id });
    await playout.channelChanged(id);
  }
}

function announce(app: App, base: string): void {
  const streams = app.playout
    .lineup()
    .map(({ number, name, id }) => `    ${number.padEnd(4)}${name.padEnd(10)}${base}/iptv/channel/${id}.ts`);
  say(`
aircheck is on air. Open a channel in VLC or mpv:

${streams.join('\n')}

  Playlist  ${base}/iptv/channels.m3u
  Guide     ${base}/iptv/xmltv.xml
  API       ${base}/api/docs   (user: any, password: the admin key in ${app.adminKey.file})

  for example:  mpv ${base}/iptv/channel/1.ts

It listens to this machine only; AIRCHECK_HOST=0.0.0.0 lets other devices in. Ctrl-C ends it; what it made is kept.`);
}

function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
