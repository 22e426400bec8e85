import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  broadcastSamples,
  clockOf,
  decodeErrors,
  encodersOf,
  makeClips,
  recordingNumbers,
  type TestChannel,
  tuneError,
} from '../support/broadcast.ts';
import { capture } from '../support/capture.ts';
import type { ClockFrame } from '../support/picture-clock.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';
import { analyse, backwardSteps, largestStep } from '../support/transport-stream.ts';

const minute = 60_000;
const frameTicks = 3_000;

let server: RunningServer;
let channel: TestChannel;

let clips: string;

// SOAK_CLIP_SECONDS makes the items that short.
beforeAll(async () => {
  const seconds = Number(process.env.SOAK_CLIP_SECONDS ?? 0);
  clips = await mkdtemp(join(tmpdir(), 'aircheck-clips-'));
  if (seconds > 0) await makeClips(clips, seconds);
  server = await startServer({ AIRCHECK_LIBRARY_SETTLE_MS: '0', AIRCHECK_PLAYOUT_HORIZON_HOURS: '48' });
  const options = seconds > 0 ? { profile: '720p', folder: clips } : { profile: '720p' };
  [channel] = (await broadcastSamples(server, options)) as [TestChannel];
});

afterAll(async () => {
  await server?.remove();
  await rm(clips, { recursive: true, force: true });
});

interface Item {
  start: string;
  stop: string;
  media: { title: string };
}

const say = (text: string) => process.stdout.write(`${text}\n`);

it('joints: items follow each other without a fault, whole, and on time', async () => {
  const durationMs = Number(process.env.SOAK_MINUTES ?? 10) * minute;
  const from = new Date().toISOString();
  const { bytes, worstGapMs, firstByteAt = 0, ended } = await capture(channel.url, durationMs);
  expect(ended).toBe(false);
  const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
  const { body } = await server.api('GET', `/channels/${channel.id}/playout?limit=500&from=${from}`);
  const frames = await clockOf(bytes);
  const items = await itemsIn(body.items, firstByteAt, firstByteAt + durationMs);
  const edges = items.map((item) => edgesOf(item, frames, firstByteAt));
  const errors = await decodeErrors(bytes);
  say(
    `  ${items.length} whole items, ${Math.round(bytes.length / 1e6)} MB, worst gap ${Math.round(worstGapMs)} ms`,
  );
  say(
    `  continuity errors ${found.continuityErrors.length}, discontinuity flags ${found.discontinuities.length}`,
  );
  say(`  PMT versions ${found.pmt.variants}, largest DTS step ${largestStep(found.video.units) / 90} ms`);
  say(
    `  DTS steps back: video ${backwardSteps(found.video.units)}, audio ${backwardSteps(found.audio.units)}`,
  );
  say(`  decoder complaints: ${errors === '' ? 'none' : errors.slice(0, 300)}`);
  for (const edge of edges) say(`  ${JSON.stringify(edge)}`);
  const late = edges.flatMap((edge) => edge.lateMs ?? []);
  say(
    `  drift from the first item to the last: ${(late.at(-1) ?? 0) - (late[0] ?? 0)} ms over ${late.length}`,
  );
  await mkdir('.demo', { recursive: true });
  await writeFile('.demo/soak-joints.ts', bytes);
  expect(found.continuityErrors).toEqual([]);
  expect(found.discontinuities).toEqual([]);
  expect(found.pmt.variants).toBe(1);
  expect(backwardSteps(found.video.units) + backwardSteps(found.audio.units)).toBe(0);
  expect(largestStep(found.video.units)).toBeLessThanOrEqual(2 * frameTicks);
  expect(errors).toBe('');
  expect(items.length).toBeGreaterThan(durationMs / minute);
  for (const { lostAtStartMs, lostAtEndMs } of edges) {
    expect(lostAtStartMs).toBeLessThan(500);
    expect(lostAtEndMs).toBeLessThan(500);
  }
});

it('clock: picture and /now agree at twenty random instants', async () => {
  const errors: number[] = [];
  while (errors.length < 20) {
    await delay(Math.random() * 8_000);
    const error = await tuneError(server, channel);
    if (error !== undefined) errors.push(Math.round(error));
  }
  say(`  picture less /now, ms: ${errors.join(' ')}`);
  for (const error of errors) expect(Math.abs(error)).toBeLessThan(1_000);
});

it('kills: ten encoders killed in five minutes, and one stopped', async () => {
  const leave = new AbortController();
  const watching = capture(channel.url, 8 * minute, leave.signal);
  const stream = async () => (await server.api('GET', `/streams/${channel.id}`)).body;
  const back: number[] = [];
  for (let i = 0; i < 11; i++) {
    await delay(i === 0 ? 10_000 : 27_000);
    const signal = i === 10 ? 'SIGSTOP' : 'SIGKILL';
    // One that has not done its work yet.
    const pid = await until('an encoder is at work', async () => (await stream()).encoderPids[0]);
    const at = performance.now();
    kill(pid, signal);
    await until('the programme is back with another encoder', async () => {
      const on = await stream();
      return on.state === 'programme' && !on.encoderPids.includes(pid) && on.encoderPids.length > 0
        ? true
        : undefined;
    });
    back.push(Math.round(performance.now() - at));
  }
  await delay(10_000);
  leave.abort();
  const { bytes, worstGapMs, ended } = await watching;
  const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
  const frames = await clockOf(bytes);
  const slates = slatesIn(frames);
  say(`  back after ms (the last was stopped): ${back.join(' ')}`);
  say(`  worst gap in bytes ${Math.round(worstGapMs)} ms, slates in the picture, ms: ${slates.join(' ')}`);
  say(
    `  continuity errors ${found.continuityErrors.length}, largest DTS step ${largestStep(found.video.units) / 90} ms`,
  );
  expect(ended).toBe(false);
  expect(worstGapMs).toBeLessThan(1_000);
  for (const ms of back.slice(0, 10)) expect(ms).toBeLessThan(5_000);
  expect(back.at(-1)).toBeLessThan(10_000);
  expect(found.continuityErrors).toEqual([]);
  expect(await decodeErrors(bytes)).toBe('');
  const error = await tuneError(server, channel);
  say(`  afterwards, picture less /now: ${error} ms`);
});

it('pool: 200 random tunes, departures, kills and stops leave every slot free', async () => {
  const seed = Number(process.env.SOAK_SEED ?? Date.now() % 100_000);
  say(`  seed ${seed}`);
  const random = seeded(seed);
  const other = await startServer({
    AIRCHECK_LIBRARY_SETTLE_MS: '0',
    AIRCHECK_STREAMING_MAX_PROCESSES: '2',
    AIRCHECK_STREAMING_LINGER_MS: '500',
  });
  try {
    const channels = await broadcastSamples(other, { channels: 8 });
    const watching: AbortController[] = [];
    const statuses = new Map<number, number>();
    let most = 0;
    for (let i = 0; i < 200; i++) {
      const choice = random();
      if (choice < 0.5) {
        const leave = new AbortController();
        watching.push(leave);
        const at = channels[Math.floor(random() * channels.length)] as TestChannel;
        void capture(at.url, 2 * minute, leave.signal).then(({ status }) =>
          statuses.set(status, (statuses.get(status) ?? 0) + 1),
        );
      } else if (choice < 0.8) {
        watching.splice(Math.floor(random() * watching.length), 1)[0]?.abort();
      } else {
        const pids = await encodersOf(other);
        const pid = pids[Math.floor(random() * pids.length)];
        if (pid !== undefined) kill(pid, random() < 0.7 ? 'SIGKILL' : 'SIGSTOP');
      }
      most = Math.max(most, (await encodersOf(other)).length);
      await delay(random() * 300);
    }
    for (const leave of watching) leave.abort();
    await until('nothing is on air', async () =>
      (await other.api('GET', '/streams')).body.total === 0 ? true : undefined,
    );
    const { body } = await other.api('GET', '/server');
    say(
      `  at most ${most} encoders; spawns ${body.encoders.spawns}, answers ${JSON.stringify([...statuses])}`,
    );
    expect(most).toBeLessThanOrEqual(2);
    await until('every slot is free', async () =>
      (await other.api('GET', '/server')).body.encoders.used === 0 ? true : undefined,
    );
    expect(await encodersOf(other)).toEqual([]);
    expect(statuses.get(500)).toBeUndefined();
  } finally {
    await other.remove();
  }
});

it('wrap: the clock crosses 2^32 and 2^33 ticks', async () => {
  for (const bits of [32, 33]) {
    const other = await startServer({
      AIRCHECK_LIBRARY_SETTLE_MS: '0',
      AIRCHECK_STREAMING_CLOCK_START: String(2 ** bits - 5 * 90_000),
    });
    try {
      const [first] = (await broadcastSamples(other)) as [TestChannel];
      const { bytes } = await capture(first.url, 60_000);
      const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
      const errors = await decodeErrors(bytes);
      say(
        `  2^${bits}: continuity errors ${found.continuityErrors.length}, steps back ${backwardSteps(found.video.units)}, largest step ${largestStep(found.video.units) / 90} ms, decoder: ${errors || 'nothing'}`,
      );
      await writeFile(`.demo/soak-wrap-${bits}.ts`, bytes);
      expect(found.continuityErrors).toEqual([]);
      expect(found.discontinuities).toEqual([]);
      expect(backwardSteps(found.video.units) + backwardSteps(found.audio.units)).toBe(0);
      expect(largestStep(found.video.units)).toBeLessThanOrEqual(2 * frameTicks);
      expect(errors).toBe('');
    } finally {
      await other.remove();
    }
  }
});

/** The items that are in the capture from beginning to end, by the recording's number. */
async function itemsIn(all: Item[], from: number, to: number) {
  const numbers = await recordingNumbers();
  const margin = 2_000;
  return all
    .map(({ start, stop, media }) => ({
      recording: numbers.get(media.title) as number,
      startsAt: Date.parse(start),
      durationMs: Date.parse(stop) - Date.parse(start),
    }))
    .filter(({ startsAt, durationMs }) => startsAt > from + margin && startsAt + durationMs < to - margin);
}

/** What is missing of an item in the picture. One without a picture shows no clock. */
function edgesOf(
  item: { recording: number; startsAt: number; durationMs: number },
  frames: ClockFrame[],
  firstByteAt: number,
) {
  const audioOnly = 10;
  if (item.recording === audioOnly) return { recording: audioOnly, lostAtStartMs: 0, lostAtEndMs: 0 };
  const first = frames[0]?.ptsMs ?? 0;
  const about = first + (item.startsAt - firstByteAt);
  const near = frames.filter(
    ({ recording, ptsMs }) =>
      recording === item.recording && ptsMs > about - 3_000 && ptsMs < about + item.durationMs + 3_000,
  );
  const positions = near.map(({ positionMs }) => positionMs as number);
  return {
    recording: item.recording,
    pictures: near.length,
    lostAtStartMs: Math.round(Math.min(...positions)),
    lostAtEndMs: Math.round(item.durationMs - Math.max(...positions)),
    lateMs: Math.round((near[0]?.ptsMs ?? 0) - about),
  };
}

/** How long the slate was shown each time. The recording without a picture shows no clock either: it is longer. */
function slatesIn(frames: ClockFrame[]): number[] {
  const found: number[] = [];
  let since: number | undefined;
  for (const { recording, ptsMs } of frames) {
    if (recording === undefined) since ??= ptsMs;
    else if (since !== undefined) {
      found.push(Math.round(ptsMs - since));
      since = undefined;
    }
  }
  return found;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
