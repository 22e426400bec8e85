import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { connect } from '../../src/db/connection.ts';
import { encodersOf, makeClips } from './broadcast.ts';
import { capture } from './capture.ts';
import { seeded } from './random.ts';
import { type RunningServer, startServer, until } from './server.ts';

export interface CrashOptions {
  kills: number;
  seed: number;
  /** Where the recordings are put; it is the caller's to remove. */
  folder: string;
  /** Without it, the embedded database. */
  databaseUrl?: string;
}

const settings = {
  AIRCHECK_LIBRARY_SETTLE_MS: '0',
  AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
  // Edits show soon, so that the two timelines can be told apart.
  AIRCHECK_PLAYOUT_FREEZE_MS: '0',
};
const hourMs = 3_600_000;
/** A timeline is replaced from its next checkpoint on, which is a quarter of an hour away at most. */
const settledAfterMs = hourMs;
const longestStartMs = 30_000;

type Side = 'a' | 'b';

/** What the server has acknowledged, and what it may have done besides when it was killed. */
interface Ledger {
  /** Which folder the first channel plays. */
  side: Side;
  sideMaybe: Side | undefined;
  channels: Set<string>;
  channelsMaybe: Set<string>;
}

interface Station {
  server: RunningServer;
  databaseUrl: string | undefined;
  libraryId: string;
  channelId: string;
  profileId: string;
  collections: Record<Side, string>;
}

/**
 * Kills the server with SIGKILL at random moments while channels are made, edited and rebuilt, a library is scanned and
 * somebody watches; and sees after each new start that everything is as it was before or after what was under way.
 */
export async function crashRounds(options: CrashOptions): Promise<void> {
  const random = seeded(options.seed);
  const env = { ...settings, ...(options.databaseUrl && { DATABASE_URL: options.databaseUrl }) };
  await makeRecordings(options.folder);
  const station: Station = {
    ...(await setUp(await startServer(env), options.folder)),
    databaseUrl: options.databaseUrl,
  };
  const ledger: Ledger = {
    side: 'a',
    sideMaybe: undefined,
    channels: new Set(),
    channelsMaybe: new Set(),
  };
  const startsMs: number[] = [];
  try {
    for (let round = 1; round <= options.kills; round++) {
      const killAfterMs = random() ** 2 * 2_500;
      const work = disturb(station, ledger, options.folder, round);
      await delay(killAfterMs);
      await station.server.end('SIGKILL');
      await work;
      const began = performance.now();
      station.server = await startServer(env, { data: station.server.data });
      startsMs.push(Math.round(performance.now() - began));
      await inspect(
        station,
        ledger,
        options.folder,
        `round ${round}, killed after ${Math.round(killAfterMs)} ms`,
      );
    }
    expect(await station.server.end('SIGTERM')).toBe(0);
  } finally {
    await station.server.remove();
  }
  console.log(`${options.kills} kills, seed ${options.seed}: back after ${startsMs.join(', ')} ms`);
  expect(Math.max(...startsMs)).toBeLessThan(longestStartMs);
}

/** Two recordings on each side, of which each is in one folder only. */
async function makeRecordings(folder: string): Promise<void> {
  const clips = join(folder, 'clips');
  await mkdir(clips, { recursive: true });
  await makeClips(clips, 60);
  for (const [index, name] of (await readdir(clips)).toSorted().entries()) {
    const side = join(folder, index % 2 === 0 ? 'a' : 'b');
    await mkdir(side, { recursive: true });
    await copyFile(join(clips, name), join(side, `${index}.mkv`));
  }
  await rm(clips, { recursive: true });
  await mkdir(join(folder, 'more'));
}

async function setUp(server: RunningServer, folder: string): Promise<Omit<Station, 'databaseUrl'>> {
  const { body: library } = await server.api('POST', '/libraries', { name: 'Recordings', path: folder });
  await until('the library is scanned', () => isScanned(server, library.id), 60_000);
  const collection = async (side: Side) => {
    const wanted = { name: side, kind: 'query', query: { folder: side } };
    return (await server.api('POST', '/collections', wanted)).body.id as string;
  };
  const collections = { a: await collection('a'), b: await collection('b') };
  const { body: profiles } = await server.api('GET', '/profiles');
  const profileId = profiles.items.find(({ name }: { name: string }) => name === '480p').id;
  const channel = await server.api('POST', '/channels', newChannel('1', profileId, collections.a));
  expect(channel.status).toBe(201);
  return { server, libraryId: library.id, channelId: channel.body.id, profileId, collections };
}

function newChannel(number: string, profileId: string, play: string) {
  return { number, name: `Channel ${number}`, profileId, seed: 1, schedule: schedule(play) };
}

function schedule(play: string) {
  return { slots: [{ id: 'all', play, mode: 'flood', order: 'shuffle' }] };
}

async function isScanned(server: RunningServer, libraryId: string): Promise<true | undefined> {
  const { body } = await server.api('GET', `/libraries/${libraryId}/scan`);
  return body.state === 'done' && body.pending === 0 ? true : undefined;
}

/** Does everything at once, until the server is gone. Never rejects. */
async function disturb(station: Station, ledger: Ledger, folder: string, round: number): Promise<void> {
  const { server, channelId, collections, profileId } = station;
  const untilGone = async (work: () => Promise<void>) => {
    try {
      for (;;) {
        await work();
        await delay(100);
      }
    } catch {
      // It has been killed.
    }
  };
  const edit = async () => {
    const side = ledger.side === 'a' ? 'b' : 'a';
    ledger.sideMaybe = side;
    const change = { schedule: schedule(collections[side]) };
    const { status } = await server.api('PATCH', `/channels/${channelId}`, change);
    expect(status).toBe(200);
    ledger.side = side;
    ledger.sideMaybe = undefined;
  };
  let number = round * 1_000;
  const make = async () => {
    const name = String(number++);
    ledger.channelsMaybe.add(name);
    const { status } = await server.api('POST', '/channels', newChannel(name, profileId, collections.b));
    expect(status).toBe(201);
    ledger.channels.add(name);
  };
  const rebuild = async () => {
    await server.api('POST', `/channels/${channelId}/rebuild`, { from: 'now' });
  };
  let file = 0;
  const add = async () => {
    await copyFile(join(folder, 'a', '0.mkv'), join(folder, 'more', `${round}-${file++}.mkv`));
    await server.api('POST', `/libraries/${station.libraryId}/scan`);
  };
  const watching = capture(`${server.base}/iptv/channel/1.ts`, 60_000).catch(() => {});
  await Promise.all([edit, make, rebuild, add].map(untilGone));
  await watching;
}

async function inspect(station: Station, ledger: Ledger, folder: string, when: string): Promise<void> {
  const { server, channelId, collections } = station;
  expect(await encodersOf(server), when).toEqual([]);
  const locks = (await readdir(server.data)).filter((name) => /lock/.test(name));
  expect(locks.toSorted(), when).toEqual([expect.stringMatching(/^lock-\d+-/), 'server.lock']);

  const { body: channel } = await server.api('GET', `/channels/${channelId}`);
  const side: Side = channel.schedule.slots[0].play === collections.a ? 'a' : 'b';
  expect([ledger.side, ledger.sideMaybe], when).toContain(side);
  Object.assign(ledger, { side, sideMaybe: undefined });

  // All of one side as soon as it is up, and of the schedule's own soon after.
  const sides = await until(`${when}: the timeline is as long as it has to be`, async () => {
    const found = await sidesAhead(station, channelId, when);
    return found.size > 0 ? found : undefined;
  });
  expect(sides.size, when).toBe(1);
  await until(`${when}: the timeline is that of the schedule`, async () =>
    (await sidesAhead(station, channelId, when)).has(side) ? true : undefined,
  );

  const { body: channels } = await server.api('GET', '/channels?limit=500');
  const numbers = new Set(channels.items.map(({ number }: { number: string }) => number));
  for (const number of ledger.channels) expect(numbers.has(number), `${when}: channel ${number}`).toBe(true);
  for (const { id, number } of channels.items) {
    if (id === channelId) continue;
    expect(ledger.channelsMaybe.has(number), `${when}: channel ${number}`).toBe(true);
    await until(`${when}: channel ${number} is planned`, async () =>
      (await sidesAhead(station, id, when)).has('b') ? true : undefined,
    );
    // Not too many of them.
    expect((await server.api('DELETE', `/channels/${id}`)).status).toBe(204);
  }
  ledger.channels.clear();
  ledger.channelsMaybe.clear();

  await until(`${when}: the scan is done`, () => isScanned(server, station.libraryId), 60_000);
  const files = await readdir(join(folder, 'more'));
  const { body: media } = await server.api('GET', '/media?limit=500');
  const more = media.items.filter(({ path }: { path: string }) => path.startsWith('more/'));
  expect(
    more.map(({ path, state }: { path: string; state: string }) => [path, state]).toSorted(),
    when,
  ).toEqual(files.map((name) => [`more/${name}`, expect.stringMatching(/^(ready|failed)$/)]).toSorted());
}

/** Which folders a channel plays from where edits have had their effect; empty while its timeline is not whole. */
async function sidesAhead(station: Station, channelId: string, when: string): Promise<Set<Side>> {
  const now = Date.now();
  const rows = await timeline(station, channelId, now);
  // A first plan of many rows is stored in several steps.
  if ((rows.at(-1)?.endsAt ?? 0) < now + 48 * hourMs) return new Set();
  expect(rows[0]!.startsAt, when).toBeLessThanOrEqual(now);
  for (const [index, row] of rows.entries()) {
    if (index > 0) expect(row.startsAt, `${when}: a gap`).toBe(rows[index - 1]!.endsAt);
  }
  const settled = rows.filter(({ startsAt }) => startsAt > now + settledAfterMs);
  return new Set(settled.map(({ path }) => path.slice(0, 1) as Side));
}

/** As it is stored, in one look: by the API's pages it could change in between. */
async function timeline(station: Station, channelId: string, now: number) {
  const { databaseUrl, server } = station;
  const target =
    databaseUrl === undefined ? { socket: join(server.data, 'database.sock') } : { url: databaseUrl };
  const { sql, stop } = connect(target, { max: 1 });
  try {
    const rows = await sql<{ starts_at: string; ends_at: string; path: string }[]>`
      select starts_at, ends_at, path from playout_items left join media on media.id = media_id
      where channel_id = ${channelId} and ends_at > ${new Date(now).toISOString()} order by ends_at`;
    return rows.map((row) => ({
      startsAt: Date.parse(row.starts_at),
      endsAt: Date.parse(row.ends_at),
      path: row.path,
    }));
  } finally {
    await stop();
  }
}
