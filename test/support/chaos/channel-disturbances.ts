import { copyFile, open, rename, rm, stat, truncate, unlink, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chaos } from './context.ts';
import type { CheapChannel } from './lineup.ts';
import type { Random } from './random.ts';
import { cheapRecordings } from './recordings.ts';
import { encoderOnAir, type OnAir, programmeBack, streamOf } from './recovery.ts';

export const channelDisturbances = [
  'kill',
  'kill',
  'kill',
  'stop',
  'kill of the next encoder',
  'deleted file',
  'truncated file',
  'corrupted file',
] as const;

export type ChannelDisturbance = (typeof channelDisturbances)[number];

const killLimitMs = 5_000;
const stopLimitMs = 10_000;
/** From the beginning of the item that follows a broken one. */
const nextItemLimitMs = 5_000;
/** For an item that has failed before: the delays of its retries grow, and at last it is given up. */
const lenientLimitMs = 40_000;

/** Does harm to the channels that are watched, one kind at a time for each, and sees them come back. */
export class ChannelDisturber {
  /** Items that were harmed before. */
  private readonly hurt = new Set<number>();

  constructor(
    private readonly chaos: Chaos,
    private readonly channel: CheapChannel,
    private readonly random: Random,
  ) {}

  /** False when there was no occasion for it. */
  async do(kind: ChannelDisturbance): Promise<boolean> {
    switch (kind) {
      case 'kill':
        return this.signal(kind, 'SIGKILL', killLimitMs);
      case 'stop':
        return this.signal(kind, 'SIGSTOP', stopLimitMs);
      case 'kill of the next encoder':
        return this.killNext(kind);
      case 'deleted file':
        return this.damage(kind, unlink);
      case 'truncated file':
        return this.damage(kind, async (file) => truncate(file, Math.round((await stat(file)).size * 0.4)));
      case 'corrupted file':
        return this.damage(kind, (file) => this.corrupt(file));
    }
  }

  private async signal(kind: ChannelDisturbance, signal: NodeJS.Signals, limitMs: number): Promise<boolean> {
    const { chaos, channel } = this;
    const onAir = await this.untilOnAir();
    if (onAir === undefined) return false;
    const isHurt = this.hurt.has(onAir.itemId) || onAir.itemStartsAt < chaos.hurtUntil;
    this.hurt.add(onAir.itemId);
    const since = performance.now();
    if (!send(onAir.pid, signal)) return false;
    chaos.log.did(kind);
    await programmeBack(chaos, channel, {
      kind: isHurt ? `${kind} of an item that had failed` : kind,
      since,
      lostPid: onAir.pid,
      limitMs: isHurt ? lenientLimitMs : limitMs,
    });
    return true;
  }

  /** Of the item that comes: it must be there in time all the same. */
  private async killNext(kind: ChannelDisturbance): Promise<boolean> {
    const { chaos, channel } = this;
    const waitUntil = performance.now() + 30_000;
    for (;;) {
      if (chaos.over.aborted || performance.now() > waitUntil) return false;
      const [stream, onAir] = await Promise.all([streamOf(chaos, channel), encoderOnAir(chaos, channel)]);
      const next = stream?.encoderPids.find((pid) => pid !== onAir?.pid);
      if (onAir !== undefined && next !== undefined && send(next, 'SIGKILL')) {
        chaos.log.did(kind);
        const endsAt = performance.now() + Date.parse(stream?.item?.endsAt ?? '') - Date.now();
        await delay(Math.max(0, endsAt - performance.now()) + 1_000);
        await programmeBack(chaos, channel, { kind, since: endsAt, limitMs: killLimitMs, lostPid: next });
        const item = (await streamOf(chaos, channel))?.item;
        if (item !== undefined) this.hurt.add(item.id);
        return true;
      }
      await delay(200);
    }
  }

  /** Breaks the file that is being read, until the next item is on. */
  private async damage(
    kind: ChannelDisturbance,
    breakIt: (file: string) => Promise<unknown>,
  ): Promise<boolean> {
    const { chaos, channel } = this;
    const onAir = await this.untilOnAir();
    const stream = await streamOf(chaos, channel);
    if (onAir === undefined || stream?.item === undefined) return false;
    const { file } = onAir;
    chaos.log.did(kind);
    chaos.log.note(`channel ${channel.number}: ${kind} ${file}`);
    try {
      await breakIt(file);
      const endsAt = performance.now() + Date.parse(stream.item.endsAt) - Date.now();
      await delay(Math.max(0, endsAt - performance.now()));
      await programmeBack(chaos, channel, {
        kind,
        since: endsAt,
        limitMs: nextItemLimitMs,
        lostPid: onAir.pid,
      });
      return true;
    } finally {
      await restore(file);
    }
  }

  private async corrupt(file: string): Promise<void> {
    const { size } = await stat(file);
    const handle = await open(file, 'r+');
    try {
      const garbage = Buffer.from(
        Array.from({ length: Math.round(size * 0.6) }, () => this.random.between(0, 256)),
      );
      await handle.write(garbage, 0, garbage.length, Math.round(size * 0.2));
    } finally {
      await handle.close();
    }
  }

  /** Waits for an encoder that is not yet done with its item. */
  private async untilOnAir(): Promise<OnAir | undefined> {
    const waitUntil = performance.now() + 15_000;
    while (!this.chaos.over.aborted && performance.now() < waitUntil) {
      const onAir = await encoderOnAir(this.chaos, this.channel);
      if (onAir !== undefined) return onAir;
      await delay(200);
    }
    return undefined;
  }
}

/** Puts the file back as it was, with its time, so that a scan knows it again. */
async function restore(file: string): Promise<void> {
  const original = (await cheapRecordings()).find((path) => basename(path) === basename(file));
  if (original === undefined) throw new Error(`there is no original of ${file}`);
  const part = join(file, '..', `.${basename(file)}.part`);
  const { atime, mtime } = await stat(original);
  await copyFile(original, part);
  await utimes(part, atime, mtime);
  await rename(part, file).catch(async (error) => {
    await rm(part, { force: true });
    throw error;
  });
}

/** False when the process has ended meanwhile. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
