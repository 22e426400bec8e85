import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type ReadProgramme, readGuideAsJellyfin } from '../guide/players.ts';
import { makeClips, recordingNumbers } from '../support/broadcast.ts';
import { addLibrary } from '../support/chaos/lineup.ts';
import { type ClockFrame, readPictureClock } from '../support/picture-clock.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';
import { analyse } from '../support/transport-stream.ts';

const minutes = Number(process.env.SOAK_MINUTES ?? 60);
const minuteMs = 60_000;
const blockMs = 5 * minuteMs;
const clockStart = 900_000;
const frameMs = 1_000 / 30;
const say = (text: string) => process.stdout.write(`${text}\n`);

interface Item {
  start: string;
  kind: 'program' | 'filler' | 'offline';
  filler?: string;
  media?: { title: string };
}

it(
  'guide: each programme begins on the air when the guide said that it would',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'aircheck-guide-'));
    const server = await startServer({
      AIRCHECK_LIBRARY_SETTLE_MS: '0',
      AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
      AIRCHECK_STREAMING_CLOCK_START: String(clockStart),
    });
    try {
      const channel = await broadcastWithFiller(server, root);
      const file = join(root, 'capture.ts');
      const from = Date.now();
      const watching = watch(channel.url, file, minutes * minuteMs);
      const startedAt = await until('it is on air', async () => {
        const { body } = await server.api('GET', `/streams/${channel.id}`);
        return body.startedAt === undefined ? undefined : Date.parse(body.startedAt);
      });
      const promised = await readGuideUntil(from + minutes * minuteMs, server);
      const arrivals = await watching;
      const items = await itemsOnAir(server, channel.id, from);
      await report({ items, promised, arrivals, file, startedAt });
    } finally {
      await server.remove();
      await rm(root, { recursive: true, force: true });
    }
  },
  (2 * minutes + 15) * minuteMs,
);

/**
 * A channel of clips of 21 s with all kinds of filler between and in them: blocks of five minutes begin at fixed
 * times, in turn with breaks and a tail, and padded to the minute.
 */
async function broadcastWithFiller(server: RunningServer, root: string) {
  const library = join(root, 'library');
  await mkdir(join(library, 'shows'), { recursive: true });
  await mkdir(join(library, 'spots'));
  await makeClips(join(library, 'shows'), 21, [1, 4]);
  await makeClips(join(library, 'spots'), 5, [2, 9]);
  await addLibrary(server, library);
  const collectionOf = async (folder: string): Promise<string> => {
    const { body } = await server.api('POST', '/collections', {
      name: folder,
      kind: 'query',
      query: { folder },
    });
    return body.id;
  };
  const [shows, spots] = [await collectionOf('shows'), await collectionOf('spots')];
  const { body: profiles } = await server.api('GET', '/profiles');
  const profile = profiles.items.find(({ name }: { name: string }) => name === '480p');
  const fillers = [
    {
      pre: { from: spots, count: 1 },
      mid: { from: spots, every: 'PT9S' },
      post: { from: spots, count: 1 },
      tail: { from: spots },
    },
    { post: { from: spots, pad: 'PT1M' }, fallback: { from: spots } },
  ];
  const first = Math.floor(Date.now() / blockMs) * blockMs;
  const slots = Array.from({ length: Math.ceil((minutes * minuteMs) / blockMs) + 2 }, (_, n) => ({
    id: `block-${n}`,
    play: shows,
    mode: 'flood',
    order: 'shuffle',
    start: new Date(first + n * blockMs).toISOString().slice(11, 16),
    filler: fillers[n % 2],
  }));
  const { status, body } = await server.api('POST', '/channels', {
    number: '1',
    name: 'All kinds of filler',
    profileId: profile.id,
    zone: 'UTC',
    schedule: { slots: [...slots.slice(1), ...slots.slice(0, 1)] },
  });
  if (status !== 201) throw new Error(`the channel: ${JSON.stringify(body)}`);
  return { id: body.id as string, url: `${server.base}/iptv/channel/${body.id}.ts` };
}

/** Keeps what a viewer gets in a file, and when it came: the offsets of the pieces and epoch milliseconds. */
function watch(url: string, file: string, durationMs: number): Promise<{ offset: number; at: number }[]> {
  return new Promise((done, fail) => {
    const arrivals: { offset: number; at: number }[] = [];
    const written = createWriteStream(file);
    let offset = 0;
    const request = http.get(url, { agent: false }, (response) => {
      const timer = setTimeout(() => request.destroy(), durationMs);
      response.on('data', (bytes: Buffer) => {
        arrivals.push({ offset, at: Date.now() });
        offset += bytes.length;
        written.write(bytes);
      });
      response.on('close', () => {
        clearTimeout(timer);
        written.end(() => done(arrivals));
      });
      response.on('error', () => {});
    });
    request.on('error', (error) => {
      if (arrivals.length === 0) fail(error);
    });
  });
}

/** What the guide, fetched every half minute, last said of each start before it came. */
async function readGuideUntil(until: number, server: RunningServer): Promise<ReadProgramme[]> {
  const promised = new Map<number, ReadProgramme>();
  while (Date.now() < until) {
    const fetchedAt = Date.now();
    const response = await fetch(`${server.base}/iptv/xmltv.xml?days=1`);
    if (response.ok) {
      // An answer to what lies ahead takes the place of the one before.
      for (const start of promised.keys()) if (start > fetchedAt) promised.delete(start);
      for (const programme of readGuideAsJellyfin(await response.text())) {
        if (programme.start > fetchedAt) promised.set(programme.start, programme);
      }
    }
    await delay(Math.min(30_000, Math.max(0, until - Date.now())));
  }
  return [...promised.values()];
}

async function itemsOnAir(server: RunningServer, channelId: string, from: number): Promise<Item[]> {
  const items: Item[] = [];
  for (let at = from; ; ) {
    const query = `limit=500&from=${new Date(at).toISOString()}`;
    const { body } = await server.api('GET', `/channels/${channelId}/playout?${query}`);
    const page = (body.items as Item[]).filter(({ start }) => items.every((item) => item.start !== start));
    items.push(...page);
    const last = items.at(-1);
    if (page.length === 0 || last === undefined || Date.parse(last.start) > Date.now()) return items;
    at = Date.parse(last.start);
  }
}

async function report(run: {
  items: Item[];
  promised: ReadProgramme[];
  arrivals: { offset: number; at: number }[];
  file: string;
  startedAt: number;
}): Promise<void> {
  const { items, promised, arrivals, file, startedAt } = run;
  const frames = await readPictureClock(file);
  const arrivalOf = arrivalsByPicture(await readFile(file), arrivals);
  const numbers = await recordingNumbers();
  // By the clock of the stream, which a player keeps from its first byte on, the packets come ahead of their time.
  const seen = frames.map((frame) => ({ ...frame, at: startedAt + frame.ptsMs - clockStart / 90 }));
  const ahead = seen.flatMap(({ ptsMs, at }) => {
    const arrivedAt = arrivalOf(ptsMs);
    return arrivedAt === undefined ? [] : [Math.round(at - arrivedAt)];
  });
  const [beginning, end] = [seen[0]?.at ?? 0, seen.at(-1)?.at ?? 0];
  const kinds = new Map<string, number>();
  const off: { promise: number; row: number }[] = [];
  const faults: string[] = [];
  for (const item of items) {
    const startsAt = Date.parse(item.start);
    if (startsAt < beginning + 3_000 || startsAt > end - 3_000) continue;
    const kind = item.filler ?? item.kind;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  for (const programme of promised) {
    if (programme.start < beginning + 3_000 || programme.start > end - 3_000) continue;
    const item = items.find(({ start }) => Math.abs(Date.parse(start) - programme.start) <= 500);
    if (item?.media === undefined) {
      if (item?.kind !== 'offline')
        faults.push(`nothing begins at ${new Date(programme.start).toISOString()}`);
      continue;
    }
    const startsAt = Date.parse(item.start);
    const first = firstPicture(seen, numbers.get(item.media.title), startsAt);
    if (first === undefined) faults.push(`no picture of ${item.media.title} at ${item.start}`);
    else off.push({ promise: Math.round(first - programme.start), row: Math.round(first - startsAt) });
  }
  const byRow = off.map(({ row }) => row).sort((a, b) => a - b);
  const byPromise = off.map(({ promise }) => promise).sort((a, b) => a - b);
  const late = byPromise.filter((ms) => Math.abs(ms) > 500);
  say(`  ${off.length} programmes of the guide; items: ${JSON.stringify(Object.fromEntries(kinds))}`);
  say(`  first picture less the start of its item, ms: ${spread(byRow)}`);
  say(
    `  first picture less the start in the guide, which knows whole seconds only, ms: ${spread(byPromise)}`,
  );
  say(`  pictures come before their time, ms: ${spread(ahead.sort((a, b) => a - b))}`);
  say(`  further than 500 ms from the guide: ${late.length}`);
  for (const fault of faults) say(`  ${fault}`);
  expect(faults).toEqual([]);
  expect([...kinds.keys()]).toEqual(
    expect.arrayContaining(['program', 'pre', 'mid', 'post', 'tail', 'fallback']),
  );
  expect(off.length).toBeGreaterThan(minutes / 2);
  for (const ms of byRow) expect(Math.abs(ms)).toBeLessThan(2 * frameMs);
  for (const ms of byPromise) expect(Math.abs(ms)).toBeLessThan(500 + 2 * frameMs);
}

/** When the first packet of a picture came, by its time. */
function arrivalsByPicture(bytes: Buffer, arrivals: { offset: number; at: number }[]) {
  const { units } = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188))).video;
  const times = new Map<number, number>();
  let next = 0;
  for (const { packet, pts } of units) {
    while (arrivals[next + 1] !== undefined && arrivals[next + 1]!.offset <= packet * 188) next++;
    times.set(Math.round(pts / 90), arrivals[next]!.at);
  }
  return (ptsMs: number) => {
    const rounded = Math.round(ptsMs);
    return times.get(rounded) ?? times.get(rounded - 1) ?? times.get(rounded + 1);
  };
}

/** When the recording began that began nearest to an instant; the same one may have been on before. */
function firstPicture(
  seen: readonly (ClockFrame & { at: number })[],
  recording: number | undefined,
  startsAt: number,
): number | undefined {
  const near = seen.filter((frame) => Math.abs(frame.at - startsAt) < 3_000);
  const begins = near.filter((frame, index) => {
    const before = near[index - 1];
    if (frame.recording !== recording || frame.positionMs === undefined || before === undefined) return false;
    return before.recording !== recording || (before.positionMs ?? 0) > frame.positionMs;
  });
  return begins.map(({ at }) => at).sort((a, b) => Math.abs(a - startsAt) - Math.abs(b - startsAt))[0];
}

function spread(sorted: readonly number[]): string {
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return `least ${sorted[0]}, median ${at(0.5)}, 95 % ${at(0.95)}, most ${sorted.at(-1)}`;
}
