import { basename, extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chaos } from './context.ts';
import type { CheapChannel } from './lineup.ts';
import { encodersWithFiles } from './process-figures.ts';

export interface StreamSeen {
  state: 'starting' | 'programme' | 'slate';
  reason?: string;
  encoderPids: number[];
  item?: { id: number; title?: string; offsetMs: number; endsAt: string };
}

export interface Expectation {
  /** What has been done to the channel, for the report. */
  kind: string;
  /** When, in monotonic milliseconds. */
  since: number;
  /** How long the slate may keep the viewers from the programme. */
  limitMs: number;
  /** An encoder that is not to be counted any more. */
  lostPid?: number;
}

/** An open breaker may take so long to let a trial through, and the trial another item. */
const longestHoldMs = 180_000;
const lookEveryMs = 100;

/** Waits until a channel's viewers have their programme again, and records how long they were without it. */
export async function programmeBack(
  chaos: Chaos,
  channel: CheapChannel,
  expected: Expectation,
): Promise<void> {
  const { log, gate } = chaos;
  const { kind, since, limitMs } = expected;
  // The end of the item at the latest, if the system took an encoder for good that had done its work.
  const graceMs = limitMs + 40_000;
  while (!(await isBack(chaos, channel, expected.lostPid))) {
    const waitedMs = performance.now() - since;
    const patienceMs = gate.heldSince(channel.number, since) ? longestHoldMs + graceMs : graceMs;
    if (waitedMs > patienceMs) {
      const seen = JSON.stringify(await streamOf(chaos, channel));
      log.fault(`channel ${channel.number} is not back ${Math.round(waitedMs)} ms after ${kind}: ${seen}`);
      return;
    }
    await delay(lookEveryMs);
  }
  const { ms, untilMs } = withoutProgramme(chaos, channel, since);
  log.back(kind, ms, untilMs);
  if (ms <= limitMs) return;
  if (gate.heldSince(channel.number, since)) log.heldBack++;
  else log.fault(`channel ${channel.number} had no programme for ${Math.round(ms)} ms after ${kind}`);
}

/** The channel as the API tells of it; undefined when it is not on air. */
export async function streamOf(chaos: Chaos, channel: CheapChannel): Promise<StreamSeen | undefined> {
  const answer = await chaos.api.call('GET', `/streams/${channel.id}`);
  return answer?.status === 200 ? answer.body : undefined;
}

export interface OnAir {
  pid: number;
  file: string;
  itemId: number;
  /** When the item began, in epoch milliseconds. */
  itemStartsAt: number;
}

/** The encoder of the item on air. One that has done its work already is not there any more. */
export async function encoderOnAir(chaos: Chaos, channel: CheapChannel): Promise<OnAir | undefined> {
  const [stream, encoders] = await Promise.all([
    streamOf(chaos, channel),
    encodersWithFiles(chaos.station.server),
  ]);
  const found = encoders.find(
    ({ pid, file }) => stream?.encoderPids.includes(pid) && titleOf(file) === stream.item?.title,
  );
  if (found === undefined || stream?.item === undefined) return undefined;
  const { id, offsetMs } = stream.item;
  return { ...found, itemId: id, itemStartsAt: Date.now() - offsetMs };
}

async function isBack(chaos: Chaos, channel: CheapChannel, lostPid: number | undefined): Promise<boolean> {
  const stream = await streamOf(chaos, channel);
  if (stream?.state !== 'programme' || !chaos.watchers.get(channel.id)?.checker.moving) return false;
  const onAir = await encoderOnAir(chaos, channel);
  return onAir !== undefined && onAir.pid !== lostPid;
}

/**
 * The longest slate since then, and how long after the disturbance the last one was over. What an encoder had made
 * before it was lost is aired first: the slate comes later than the harm.
 */
function withoutProgramme(
  chaos: Chaos,
  channel: CheapChannel,
  since: number,
): { ms: number; untilMs: number } {
  const stills = chaos.watchers.get(channel.id)?.checker.stills ?? [];
  const ends = stills.map(({ from, to = performance.now() }) => ({ from: Math.max(since, from), to }));
  const after = ends.filter(({ to }) => to > since);
  return {
    ms: Math.max(0, ...after.map(({ from, to }) => to - from)),
    untilMs: Math.max(0, ...after.map(({ to }) => to - since)),
  };
}

function titleOf(file: string): string {
  return basename(file, extname(file));
}
