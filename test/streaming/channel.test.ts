import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { Config } from '../../src/config.ts';
import { NotFoundError, UnavailableError } from '../../src/errors.ts';
import { encodeArguments, isCopyable } from '../../src/ffmpeg/arguments.ts';
import { Demuxer } from '../../src/mpegts/demuxer.ts';
import { Muxer } from '../../src/mpegts/muxer.ts';
import type { TimelineMedia } from '../../src/playout/timeline.ts';
import { complaintsOf, ffmpeg } from '../mpegts/real-ffmpeg.ts';
import { analyse, faultsOf } from '../support/transport-stream.ts';
import { eventually, executable, isAlive } from './processes.ts';
import { brightness, Shelf, Station, smallProfile, timeline, type Watcher } from './station.ts';

const frameTicks = 3600;
const frame = frameTicks / 90_000;
const minutes = 60_000;
const fractional = {
  ...smallProfile,
  video: { ...smallProfile.video, frameRate: { num: 24_000, den: 1001 } },
};

let shelf: Shelf;
let long: TimelineMedia;
let other: TimelineMedia;
let film: TimelineMedia;
let silent: TimelineMedia;
let radio: TimelineMedia;
let ready: TimelineMedia;

beforeAll(async () => {
  shelf = await Shelf.open();
  await shelf.prepareSlates(smallProfile, fractional);
  long = await shelf.record('long.mkv', 120, { seconds: 60, args: ['-g', '250'] });
  other = await shelf.record('other.mkv', 200, { seconds: 60, args: ['-g', '250'] });
  film = await shelf.record('film.mkv', 90, {
    seconds: 4,
    rate: '24000/1001',
    size: '426x180',
    args: ['-c:a', 'ac3', '-ac', '1'],
  });
  silent = await shelf.record('silent.mp4', 150, { seconds: 4, rate: '60', args: ['-an'] });
  radio = await shelf.record('radio.m4a', 0, { seconds: 4, args: ['-vn'] });
  ready = await shelf.record('ready.mp4', 220, {
    seconds: 6,
    args: [
      '-preset',
      'fast',
      '-profile:v',
      'high',
      '-bf',
      '2',
      '-g',
      '25',
      '-x264-params',
      'b-pyramid=0:scenecut=0',
    ],
  });
}, 60_000);

afterAll(() => shelf.close());

/** Tests that run side by side need the hook of their own context. */
type OnFinished = TestContext['onTestFinished'];

async function open(finished: OnFinished, settings: Partial<Config['streaming']> = {}): Promise<Station> {
  const station = await Station.open(shelf, settings);
  finished(() => station.stop());
  return station;
}

/** Something that has been on for a minute and will be for long. */
const endless = (media: TimelineMedia) => timeline(Date.now() - 20_000, { media, ms: 60 * minutes, inMs: 0 });

/** How bright a gray of RGB is in video: its Y runs from 16 to 235. */
const luma = (gray: number) => 16 + (gray * 219) / 255;
const slateLuma = 46;

/** Which recordings were shown, by their gray, the slate left out. */
async function grays(watcher: Watcher, known: readonly number[]): Promise<number[]> {
  const shown = (await brightness(watcher.bytes)).filter(
    ({ luma: found }) => Math.abs(found - slateLuma) > 6,
  );
  return shown.map(({ luma: found }) => known.find((gray) => Math.abs(luma(gray) - found) < 6) ?? -found);
}

async function expectFlawless(watcher: Watcher): Promise<void> {
  expect(faultsOf(analyse(watcher.bytes), { frameTicks })).toEqual([]);
  expect(await complaintsOf(watcher.bytes)).toBe('');
}

const stateOf = (station: Station, id: string) => station.manager.stream(id)?.state;

/** Where an instant of the timeline has its place on a channel's clock, in seconds. */
function clockAt(station: Station, id: string, at: number): number {
  return station.settings.clockStart / 90_000 + (at - station.manager.stream(id)!.startedAt) / 1000;
}

describe.concurrent('a channel', () => {
  it('joins short items of every kind without a seam, and each is on at its time', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished);
    expect(isCopyable(ready.probe, smallProfile)).toBe(true);
    const items = timeline(
      Date.now() - 1000,
      { media: film, ms: 3000, inMs: 500 },
      { media: ready, ms: 2440 },
      { media: silent, ms: 2000 },
      { media: radio, ms: 2000 },
      { media: ready, ms: 3000, inMs: 2000 },
      { media: long, ms: 60_000 },
    );
    const id = station.add('5', items);
    const watcher = await station.watch('5');
    expect([watcher.status, watcher.response.headers['content-type']]).toEqual([200, 'video/mp2t']);
    await watcher.until(() => station.manager.stream(id)?.item?.id === items.at(-1)!.id);
    const { length } = analyse(watcher.bytes).clock;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 60);
    const starts = items.map((item) => clockAt(station, id, item.startsAt));
    expect(station.manager.stream(id)!.joints).toBe(5);
    watcher.leave();
    const stream = analyse(watcher.bytes);
    expect(stream.opening.filter((kind) => kind !== 'sdt').slice(0, 3)).toEqual(['pat', 'pmt', 'video key']);
    await expectFlawless(watcher);
    const shown = await brightness(watcher.bytes);
    // Where no picture is in the media, black is shown: its Y is 16.
    const wanted = [film, ready, silent, radio, ready, long].map((media, index) => [
      media.title,
      starts[index],
    ]);
    // An encoder that is slow to start leaves the slate in front.
    if (shown[0]?.luma === slateLuma) shown.shift();
    const program = shown.filter(({ to, from }) => to > from + 2 * frame);
    expect(program.length, JSON.stringify({ shown, wanted })).toBe(6);
    program.slice(1).forEach(({ from }, index) => {
      expect(Math.abs(from - starts[index + 1]!), JSON.stringify({ shown, wanted })).toBeLessThan(
        1.5 * frame,
      );
    });
  });

  it('loses no picture of a copy whose pictures are reordered, wherever it is cut', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished);
    const cuts = Array.from({ length: 10 }, (_, index) => ({
      media: ready,
      ms: 800 + 40 * (index % 6),
      inMs: 1000 * (index % 5),
    }));
    const id = station.add('5', timeline(Date.now() - 200, ...cuts, { media: long, ms: 60_000 }));
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)?.item?.id === cuts.length + 1);
    const { length } = analyse(watcher.bytes).clock;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 25);
    await expectFlawless(watcher);
    const shown = analyse(watcher.bytes).video.units.map((unit) => unit.pts);
    shown.sort((a, b) => a - b);
    const steps = shown.slice(1).map((pts, index) => pts - shown[index]!);
    expect(steps.filter((step) => step !== frameTicks)).toEqual([]);
  });

  it('goes on without a step where a copied recording has a hole', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    // What could be copied when it was probed has been damaged since.
    const hole = 'select=not(between(t\\,1.5\\,4))';
    const input = [`color=c=0xdcdcdc:s=320x180:r=25,${hole}`, `sine=f=440:r=48000,a${hole}`];
    const damaged = await shelf.record('damaged.mp4', 220, {
      seconds: 6,
      input: input.flatMap((source) => ['-f', 'lavfi', '-i', source]),
      args: ['-fps_mode', 'passthrough', '-bf', '0', '-g', '25'],
    });
    const media = { ...ready, absolutePath: damaged.absolutePath };
    const items = timeline(
      Date.now() - 500,
      { media: long, ms: 2_500 },
      { media, ms: 5_800 },
      { media: long, ms: 60_000 },
    );
    const id = station.add('5', items);
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)?.item?.id === 3);
    expect(station.manager.encoderRuns(id)[1]?.args).toContain('copy');
    expect(faultsOf(analyse(watcher.bytes), { frameTicks })).toEqual([]);
  });

  it('has one encoder for all who watch it', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const id = station.add('5', endless(long));
    const first = await station.watch('5');
    await first.seconds(0.5);
    const more = await Promise.all([station.watch('5'), station.watch('5'), station.watch('5')]);
    await Promise.all(more.map((watcher) => watcher.seconds(1)));
    expect(await station.encoders()).toHaveLength(1);
    expect([station.pool.used, station.pool.spawns]).toEqual([1, 1]);
    expect(station.manager.viewers).toBe(4);
    expect(station.manager.stream(id)!.viewers).toHaveLength(4);
    for (const watcher of more) {
      expect(
        analyse(watcher.bytes)
          .opening.filter((kind) => kind !== 'sdt')
          .slice(0, 3),
      ).toEqual(['pat', 'pmt', 'video key']);
      await expectFlawless(watcher);
    }
  });

  it('goes on when its encoder is killed, and the programme comes back', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.until(() => stateOf(station, id) === 'programme');
    const [victim] = station.manager.stream(id)!.encoderPids;
    process.kill(victim!, 'SIGKILL');
    await watcher.until(() => {
      const { state, encoderPids } = station.manager.stream(id)!;
      return state === 'programme' && encoderPids[0] !== undefined && encoderPids[0] !== victim;
    });
    const length = analyse(watcher.bytes).clock.length;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 25);
    await expectFlawless(watcher);
    expect(new Set(await grays(watcher, [120]))).toEqual(new Set([120]));
    expect(station.log.filter(({ level }) => level >= 50)).toEqual([]);
  });

  it('goes on when its encoder hangs, which is ended', async ({ onTestFinished }) => {
    const station = await open(onTestFinished, { watchdogMs: 1000 });
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.until(() => stateOf(station, id) === 'programme');
    const [hanging] = station.manager.stream(id)!.encoderPids;
    process.kill(hanging!, 'SIGSTOP');
    await watcher.until(() => {
      const { state, encoderPids } = station.manager.stream(id)!;
      return state === 'programme' && encoderPids[0] !== undefined && encoderPids[0] !== hanging;
    });
    expect(await isAlive(hanging!)).toBe(false);
    expect(await station.encoders()).toHaveLength(1);
    await expectFlawless(watcher);
  });

  it('shows its slate for an item that is not there, and the next item on time', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished, { retryMs: [100, 100] });
    const missing = { ...other, absolutePath: '/nowhere/missing.mkv' };
    const items = timeline(Date.now() - 500, { media: missing, ms: 4500 }, { media: long, ms: 60_000 });
    const id = station.add('5', items);
    const watcher = await station.watch('5');
    await watcher.until(() => stateOf(station, id) === 'slate');
    await watcher.until(() => stateOf(station, id) === 'programme');
    expect(station.manager.stream(id)!.item!.id).toBe(2);
    const start = clockAt(station, id, items[1]!.startsAt);
    const length = analyse(watcher.bytes).clock.length;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 25);
    await expectFlawless(watcher);
    const shown = await brightness(watcher.bytes);
    expect(shown.length, JSON.stringify(shown)).toBe(2);
    expect(shown.map((stretch) => stretch.luma)).toEqual([slateLuma, 119]);
    expect(Math.abs(shown[1]!.from - start), JSON.stringify({ shown, start })).toBeLessThan(1.5 * frame);
    // Once, and two retries; the second item; nothing else.
    expect(station.pool.spawns).toBe(4);
  });

  it('tries an item that does not play now and then, and shows it from the second that is due when it does', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished, { retryMs: [50], retryLaterMs: 1_000 });
    const folder = await mkdtemp(join(tmpdir(), 'aircheck-away-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const absolutePath = join(folder, 'away.mkv');
    const items = timeline(Date.now() - 500, { media: { ...long, absolutePath }, ms: 60_000 });
    const id = station.add('5', items);
    const watcher = await station.watch('5');
    // Once, a retry soon after, and at least one later on.
    await watcher.until(() => station.pool.spawns >= 3);
    await symlink(long.absolutePath, absolutePath);
    await watcher.until(() => stateOf(station, id) === 'programme');
    expect(station.manager.stream(id)!.item!.id).toBe(1);
    await watcher.seconds(1);
    await expectFlawless(watcher);
  });

  it('goes on with the picture where the sound of a recording has run away from it', async ({
    onTestFinished,
  }) => {
    const folder = await mkdtemp(join(tmpdir(), 'aircheck-runaway-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'runaway.ts');
    const args = encodeArguments({
      ...{ path: long.absolutePath, probe: long.probe, profile: smallProfile, fromMs: 0, frames: 200 },
      ...{ copy: false, manyEntries: false, threads: 1 },
    });
    const demuxer = new Demuxer(smallProfile.audio.sampleRate, 0);
    const units = [...demuxer.push(await ffmpeg(args)), ...demuxer.flush()];
    const muxer = new Muxer({ provider: 'a', name: 'b' });
    const awayFrom = units.find(({ stream }) => stream === 'video')!.pts + 4 * 90_000;
    for (const unit of units) {
      const away = unit.stream === 'audio' && unit.pts > awayFrom ? 20 * 90_000 : 0;
      muxer.write({ ...unit, pts: unit.pts + away, dts: unit.dts + away });
    }
    await writeFile(file, muxer.take()!.bytes);
    const station = await Station.open(shelf, {}, await executable(folder, `cat '${file}'`));
    onTestFinished(() => station.stop());
    const items = timeline(Date.now(), { media: long, ms: 8_000 }, { media: long, ms: 60_000 });
    const id = station.add('5', items);
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)!.item?.id === 2);
    expect(station.reasons).toEqual([]);
    const shown = await brightness(watcher.bytes);
    expect(shown.filter(({ luma }) => luma === slateLuma)).toEqual([]);
    await expectFlawless(watcher);
  });

  it('shows its slate where nothing is scheduled, without any process', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const offline = station.add('5', timeline(Date.now() - 500, { ms: 60_000 }));
    const unplanned = station.add('6', [], fractional);
    const [one, two] = await Promise.all([station.watch('5'), station.watch('6')]);
    await Promise.all([one!.seconds(6.5), two!.seconds(6.5)]);
    for (const id of [offline, unplanned]) {
      expect(station.manager.stream(id)).toMatchObject({
        state: 'slate',
        reason: 'nothing is scheduled',
        encoderPids: [],
      });
    }
    expect(station.pool.spawns).toBe(0);
    await expectFlawless(one!);
    expect(faultsOf(analyse(two!.bytes), { frameTicks: 3753.75, maxFrames: 1 })).toEqual([]);
    expect(await complaintsOf(two!.bytes)).toBe('');
  });

  it('cuts over when what is on is changed', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.until(() => stateOf(station, id) === 'programme');
    const [before] = station.manager.stream(id)!.encoderPids;
    station.lineup.items.set(
      id,
      timeline(Date.now() - 10_000, { media: other, ms: 60 * minutes }).map((item) => ({ ...item, id: 77 })),
    );
    station.lineup.change(id);
    await watcher.until(() => {
      const stream = station.manager.stream(id)!;
      return stream.item!.id === 77 && stream.state === 'programme' && !stream.encoderPids.includes(before!);
    });
    const length = analyse(watcher.bytes).clock.length;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 25);
    await eventually('the first encoder is gone', async () => !(await isAlive(before!)));
    await expectFlawless(watcher);
    expect(await grays(watcher, [120, 200])).toEqual([120, 200]);
  });

  it('goes over from its slate to what is newly scheduled', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const id = station.add('5', timeline(Date.now() - 500, { ms: 60 * minutes }));
    const watcher = await station.watch('5');
    await watcher.until(() => stateOf(station, id) === 'slate');
    await watcher.seconds(1);
    // One that cannot be played: the slate has to go on.
    station.lineup.items.set(id, endless({ ...other, absolutePath: '/nowhere/missing.mkv' }));
    station.lineup.change(id);
    await watcher.seconds(3);
    station.lineup.items.set(id, endless(long));
    station.lineup.change(id);
    await watcher.until(() => stateOf(station, id) === 'programme');
    station.lineup.items.set(id, []);
    station.lineup.change(id);
    await watcher.until(() => stateOf(station, id) === 'slate');
    station.lineup.items.set(id, endless(other));
    station.lineup.change(id);
    await watcher.until(() => stateOf(station, id) === 'programme');
    const { length } = analyse(watcher.bytes).clock;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 25);
    await expectFlawless(watcher);
    expect(await grays(watcher, [120, 200])).toEqual([120, 200]);
  });

  it('is not disturbed by a change of something else', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.until(() => stateOf(station, id) === 'programme');
    const { encoderPids } = station.manager.stream(id)!;
    const [item] = station.lineup.items.get(id)!;
    station.lineup.items.set(id, [
      { ...item!, id: 99 },
      ...timeline(item!.endsAt, { media: other, ms: minutes }),
    ]);
    station.lineup.change(id);
    await watcher.seconds(2);
    expect(station.manager.stream(id)!.encoderPids).toEqual(encoderPids);
    expect(station.manager.stream(id)!.joints).toBe(0);
    expect(await grays(watcher, [120, 200])).toEqual([120]);
  });

  it('keeps its encoder while somebody watches, a little longer, and no longer', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished, { lingerMs: 700 });
    const id = station.add('5', endless(long));
    const stays = await station.watch('5');
    const leaves = await station.watch('5');
    await leaves.seconds(0.5);
    leaves.leave();
    await eventually('one has left', () => station.manager.viewers === 1);
    await stays.seconds(2.5);
    expect(station.pool.used).toBe(1);
    stays.leave();
    await eventually('the other has left', () => station.manager.viewers === 0);
    expect(station.pool.used).toBe(1);
    const back = await station.watch('5');
    await back.seconds(2);
    expect([station.pool.used, station.pool.spawns]).toEqual([1, 1]);
    back.leave();
    while (station.pool.used > 0) await station.pool.slotFreed(AbortSignal.timeout(10_000));
    expect(station.manager.stream(id)).toBeUndefined();
    expect(station.manager.streams()).toEqual([]);
    await eventually('no process is left', async () => (await station.encoders()).length === 0);
  });

  it('is refused where all encoders are in use, and let in where one only lingers', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished, { maxProcesses: 1 });
    station.add('5', endless(long));
    const second = station.add('6', endless(other));
    const offline = station.add('7', []);
    const first = await station.watch('5');
    await first.seconds(0.5);
    const refused = await station.watch('6');
    expect([refused.status, refused.response.headers['x-error']]).toEqual([503, 'SpawnRefusedError']);
    await expect(station.manager.tune('6', {} as ServerResponse, () => {})).rejects.toBeInstanceOf(
      UnavailableError,
    );
    expect(station.manager.stream(second)).toBeUndefined();
    // What needs no encoder is not refused.
    const slate = await station.watch('7');
    await slate.until(() => stateOf(station, offline) === 'slate');
    // Nor did the one on air notice.
    await first.seconds(1.5);
    await expectFlawless(first);
    slate.leave();
    await eventually('the slate is left', () => station.manager.viewers === 1);
    first.leave();
    await eventually('all have left', () => station.manager.viewers === 0);
    const admitted = await station.watch('6');
    expect(admitted.status).toBe(200);
    await admitted.until(() => stateOf(station, second) === 'programme');
    expect(await station.encoders()).toHaveLength(1);
  });

  it('must be there, and be enabled', async ({ onTestFinished }) => {
    const station = await open(onTestFinished);
    const id = station.add('5', endless(long));
    const channel = station.lineup.channels.get(id)!;
    station.lineup.channels.set(id, { ...channel, enabled: false });
    for (const number of ['5', 'channel-5', '99', '']) {
      expect(() => station.manager.find(number)).toThrow(NotFoundError);
      await expect(station.manager.tune(number, {} as ServerResponse, () => {})).rejects.toBeInstanceOf(
        NotFoundError,
      );
    }
    expect(station.pool.spawns).toBe(0);
  });

  it('ends for its viewers when it is disabled, and is as good as new when it is enabled again', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished, { lingerMs: 600 });
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.seconds(0.5);
    const channel = station.lineup.channels.get(id)!;
    station.lineup.channels.set(id, { ...channel, enabled: false });
    station.lineup.change(id);
    await watcher.ended;
    expect(watcher.response.complete).toBe(true);
    expect(watcher.bytes.length % 188).toBe(0);
    expect(station.manager.stream(id)).toBeUndefined();
    station.lineup.channels.set(id, channel);
    const again = await station.watch('5');
    await again.seconds(2);
    expect(again.response.readableEnded).toBe(false);
    await expectFlawless(again);
  });

  it('ends on the boundary of a packet when the server stops, and leaves no process', async ({
    onTestFinished,
  }) => {
    const station = await open(onTestFinished);
    station.add('5', endless(long));
    station.add('6', endless(other));
    const watchers = await Promise.all([station.watch('5'), station.watch('6')]);
    await Promise.all(watchers.map((watcher) => watcher.seconds(1)));
    await Promise.all([station.manager.stop(), ...watchers.map((watcher) => once(watcher.response, 'end'))]);
    for (const watcher of watchers) {
      expect(watcher.response.complete).toBe(true);
      expect(watcher.bytes.length % 188).toBe(0);
      expect(analyse(watcher.bytes).trailingBytes).toBe(0);
      await expectFlawless(watcher);
    }
    expect(await station.encoders()).toEqual([]);
    expect(station.manager.streams()).toEqual([]);
    await expect(station.manager.tune('5', {} as ServerResponse, () => {})).rejects.toBeInstanceOf(
      UnavailableError,
    );
    await station.manager.stop();
  });
});
