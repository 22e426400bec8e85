import { setTimeout as delay } from 'node:timers/promises';
import { type Chaos, watchedChannels } from './context.ts';
import type { Random } from './random.ts';
import { cheapProfile } from './recordings.ts';
import { programmeBack, streamOf } from './recovery.ts';
import { Watcher } from './watcher.ts';

export type ServerDisturbance = 'library away' | 'full disk' | 'database stopped';

/** What this machine allows. */
export function serverDisturbances({ station }: Pick<Chaos, 'station'>): ServerDisturbance[] {
  return [
    'library away',
    ...(station.disk === undefined ? [] : (['full disk'] as const)),
    ...(station.database === undefined ? [] : (['database stopped'] as const)),
  ];
}

/** The longest delay of a retry, which an item has used up that was made ready while its file was away, and a start. */
const retriedItemLimitMs = 13_000;
/** Items are made ready so early. */
const prepareMs = 7_000;
const recoveryMs = 60_000;

/** Takes something from the whole server for a while, and sees it come back. */
export async function disturbServer(
  chaos: Chaos,
  kind: ServerDisturbance,
  options: { awayMs: number; random: Random },
): Promise<void> {
  const { awayMs, random } = options;
  chaos.log.did(kind);
  switch (kind) {
    case 'library away':
      return libraryAway(chaos, awayMs);
    case 'full disk':
      return fullDisk(chaos, awayMs, random);
    case 'database stopped':
      return databaseStopped(chaos, awayMs);
  }
}

/** What is open can be read on; what begins now cannot. Nobody else may disturb the channels meanwhile. */
async function libraryAway(chaos: Chaos, awayMs: number): Promise<void> {
  const { library } = chaos.station;
  const isBack = chaos.log.begin('library');
  await library.takeAway();
  try {
    await delay(awayMs);
  } finally {
    await library.bringBack();
    isBack();
    chaos.hurtUntil = Date.now() + prepareMs;
  }
  await Promise.all(
    watchedChannels(chaos).map(async (channel) => {
      // What had begun without its file is not tried for ever; the next item has one again.
      const stream = await streamOf(chaos, channel);
      const restMs = stream?.item === undefined ? 0 : Date.parse(stream.item.endsAt) - Date.now();
      const since = performance.now() + (stream?.state === 'programme' ? 0 : Math.max(0, restMs));
      await delay(Math.max(0, since - performance.now()));
      await programmeBack(chaos, channel, { kind: 'library away', since, limitMs: retriedItemLimitMs });
    }),
  );
}

async function fullDisk(chaos: Chaos, awayMs: number, random: Random): Promise<void> {
  const { disk } = chaos.station;
  if (disk === undefined) return;
  const isBack = chaos.log.begin('disk');
  await disk.fill();
  try {
    const until = performance.now() + awayMs;
    await tuneInNewFormat(chaos, random);
    await chaos.api.call('POST', `/channels/${random.pick(chaos.station.channels).id}/rebuild`);
    await delay(Math.max(0, until - performance.now()));
  } finally {
    await disk.free();
    isBack();
  }
  await answersAgain(chaos, 'the disk has room again');
}

/** A slate has to be made for it, and there is no place where it could be kept. */
async function tuneInNewFormat(chaos: Chaos, random: Random): Promise<void> {
  const { api, station, log, lag } = chaos;
  const bitrateKbps = Math.round(random.between(101, 199));
  const spec = { ...cheapProfile, video: { ...cheapProfile.video, bitrateKbps } };
  const name = `Made on a full disk ${Math.round(random.next() * 1e9)}`;
  const profile = await api.call('POST', '/profiles', { name, spec });
  const like = await api.call('GET', `/channels/${station.channels[0]?.id}`);
  if (profile?.status !== 201 || like?.status !== 200) return;
  const number = String(1_000 + Math.round(random.next() * 100_000));
  const { schedule } = like.body;
  const made = await api.call('POST', '/channels', { number, name, profileId: profile.body.id, schedule });
  if (made?.status !== 201) return;
  const watcher = new Watcher(`${station.server.base}/iptv/channel/${number}.ts`, { lag });
  await Promise.race([watcher.over, delay(4_000)]);
  const { status } = watcher;
  watcher.leave();
  if (status === undefined) log.fault('a channel in a new format was not answered in 4 s on a full disk');
  else log.answered(status, 'a channel in a new format');
  const removed = await api.call('DELETE', `/channels/${made.body.id}`);
  if (removed?.status === 204) await api.call('DELETE', `/profiles/${profile.body.id}`);
}

async function databaseStopped(chaos: Chaos, awayMs: number): Promise<void> {
  const { database } = chaos.station;
  if (database === undefined) return;
  const isBack = chaos.log.begin('database');
  await database.off();
  try {
    const until = performance.now() + awayMs;
    const answer = await chaos.api.call('GET', '/media?limit=1');
    if (answer !== undefined && answer.status !== 503) {
      chaos.log.fault(`/api/media was answered with ${answer.status} while there was no database`);
    }
    await delay(Math.max(0, until - performance.now()));
  } finally {
    await database.on();
    isBack();
  }
  await answersAgain(chaos, 'the database runs again');
}

/** A write has to succeed, without a restart. */
async function answersAgain(chaos: Chaos, what: string): Promise<void> {
  const since = performance.now();
  const [channel] = chaos.station.channels;
  for (;;) {
    const answer = await chaos.api.call('PATCH', `/channels/${channel?.id}`, { name: `Since ${what}` });
    const tookMs = Math.round(performance.now() - since);
    if (answer?.status === 200) {
      chaos.log.note(`${what}: it took the API ${tookMs} ms to answer`);
      return;
    }
    if (tookMs > recoveryMs) {
      chaos.log.fault(`${what}, but the API says ${answer?.status} after ${tookMs} ms`);
      return;
    }
    await delay(500);
  }
}
