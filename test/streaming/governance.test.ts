import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import type { Config } from '../../src/config.ts';
import type { TimelineMedia } from '../../src/playout/timeline.ts';
import { complaintsOf } from '../mpegts/real-ffmpeg.ts';
import { analyse, faultsOf } from '../support/transport-stream.ts';
import { eventually, executable } from './processes.ts';
import { brightness, Shelf, Station, smallProfile, timeline } from './station.ts';

const minutes = 60_000;
const frameTicks = 3600;

let shelf: Shelf;
let folder: string;
let long: TimelineMedia;
let other: TimelineMedia;

beforeAll(async () => {
  shelf = await Shelf.open();
  folder = await mkdtemp(join(tmpdir(), 'aircheck-governance-'));
  await shelf.prepareSlates(smallProfile);
  long = await shelf.record('long.mkv', 120, { seconds: 120, args: ['-g', '250'] });
  other = await shelf.record('other.mkv', 200, { seconds: 60, args: ['-g', '250'] });
}, 60_000);

afterAll(async () => {
  await shelf.close();
  await rm(folder, { recursive: true, force: true });
});

/** Tests that run side by side need the hook of their own context. */
type OnFinished = TestContext['onTestFinished'];

async function open(
  finished: OnFinished,
  settings: Partial<Config['streaming']> = {},
  ffmpegFile?: string,
): Promise<Station> {
  const station = await Station.open(shelf, settings, ffmpegFile);
  finished(() => station.stop());
  return station;
}

const endless = (media: TimelineMedia) => timeline(Date.now() - 20_000, { media, ms: 60 * minutes, inMs: 0 });
const missing = () => ({ ...other, absolutePath: '/nowhere/missing.mkv' });

// What mostly waits runs side by side; what counts single pictures, or sets the clock of all, comes alone behind it.
describe.concurrent('a channel whose items keep failing', () => {
  it('is locked out, says why in the picture, and comes back by one trial', async ({
    onTestFinished: finished,
  }) => {
    const station = await open(finished, { retryMs: [100, 100, 100, 100, 100], breakerOpenMs: 5_000 });
    const id = station.add('5', endless(missing()));
    station.add('6', endless(long));
    const bystander = await station.watch('6');
    const watcher = await station.watch('5');
    const status = () => station.manager.stream(id);
    await watcher.until(() => status()?.breaker === 'open');
    await watcher.until(() => status()?.reason?.startsWith('too many items have failed') === true);
    expect(status()?.reason).toContain('No such file or directory');
    expect(station.pool.spawns).toBe(6);
    await eventually(
      'the reason is in the picture',
      () =>
        station.slates.peek(smallProfile, 'This channel has a problem. Its recordings cannot be read') !==
        undefined,
    );
    // The file is back before the trial.
    station.lineup.items.set(id, endless(long));
    station.lineup.change(id);
    await watcher.until(() => status()?.state === 'programme');
    expect(station.heard.of('restarted').filter((cause) => cause === 'trial')).toHaveLength(1);
    await watcher.until(() => status()?.breaker === 'closed');
    expect(station.heard.calls.filter(([name]) => name === 'breakerChanged')).toEqual([
      ['breakerChanged', '5', 'open'],
      ['breakerChanged', '5', 'half-open'],
      ['breakerChanged', '5', 'closed'],
    ]);
    expect(faultsOf(analyse(watcher.bytes), { frameTicks })).toEqual([]);
    expect(await complaintsOf(watcher.bytes)).toBe('');
    // The other channel has lost nothing: its slate can only stand in front, where its encoder took long to start.
    const shown = (await brightness(bystander.bytes)).filter(({ from, to }) => to - from > 0.2);
    expect(shown.map(({ luma }) => (luma > 80 ? 'programme' : 'slate')).join(' ')).toMatch(
      /^(slate )?programme$/,
    );
  });

  it('stays locked out for who tunes again, and starts nothing for them', async ({
    onTestFinished: finished,
  }) => {
    const station = await open(finished, { retryMs: [50, 50, 50, 50, 50], lingerMs: 0 });
    const id = station.add('5', endless(missing()));
    const first = await station.watch('5');
    await first.until(() => station.manager.stream(id)?.breaker === 'open');
    const { spawns } = station.pool;
    first.leave();
    await eventually('the channel is off the air', () => station.manager.stream(id) === undefined);
    const second = await station.watch('5');
    await second.until(() => station.manager.stream(id)?.state === 'slate');
    await second.seconds(1);
    expect(station.manager.stream(id)?.breaker).toBe('open');
    expect(station.pool.spawns).toBe(spawns);
  });
});

describe.concurrent('the health task', () => {
  it('has nothing against channels that show their programme or their slate', async ({
    onTestFinished: finished,
  }) => {
    const station = await open(finished);
    station.add('5', endless(long));
    station.add('6', []);
    const watchers = await Promise.all([station.watch('5'), station.watch('6')]);
    await Promise.all(watchers.map((watcher) => watcher.seconds(1)));
    expect(station.manager.checkHealth()).toEqual({ channels: 2, restarted: [], refused: [] });
  });

  it('starts a channel anew that puts out nothing, but not again and again', async ({
    onTestFinished: finished,
  }) => {
    const station = await open(finished, { stallMs: 1_000 });
    const id = station.add(
      '5',
      timeline(Date.now() - 500, { media: long, ms: 6_000 }, { media: long, ms: 60_000 }),
    );
    const watcher = await station.watch('5');
    await watcher.seconds(0.5);
    const { itemAt } = station.lineup;
    station.lineup.itemAt = () => {
      throw new Error('the timeline is broken');
    };
    await eventually(
      'the channel is silent',
      () => (station.manager.stream(id)?.lastOutputAgeMs ?? 0) > 1_000,
    );
    expect(station.manager.checkHealth().restarted).toEqual(['5']);
    expect(station.manager.checkHealth().refused).toEqual([{ channel: '5', reason: 'too-soon' }]);
    expect(station.log.filter(({ msg }) => msg === 'the channel stumbled over its item')).toHaveLength(1);
    station.lineup.itemAt = itemAt;
    await watcher.until(() => station.manager.stream(id)?.state === 'programme');
    expect(station.heard.of('restarted')).toContain('health');
    expect(watcher.response.readableEnded).toBe(false);
    expect(faultsOf(analyse(watcher.bytes), { frameTicks })).toEqual([]);
  });
});

describe.concurrent('a channel tells', () => {
  it('how long viewers waited, and why they left', async ({ onTestFinished: finished }) => {
    const station = await open(finished, { lingerMs: 0 });
    const id = station.add('5', endless(long));
    const cold = await station.watch('5');
    await cold.until(() => station.manager.stream(id)?.state === 'programme');
    const warm = await station.watch('5');
    await warm.seconds(1);
    cold.leave();
    warm.leave();
    await eventually('both have left', () => station.manager.viewers === 0);
    expect(station.heard.of('firstByte').sort()).toEqual(['cold', 'warm']);
    expect(station.heard.of('firstPicture').sort()).toEqual(['cold', 'warm']);
    expect(station.heard.of('viewerClosed')).toEqual(['left', 'left']);
    expect(station.manager.bytesSent).toBeGreaterThanOrEqual(cold.bytes.length + warm.bytes.length);
  });

  it('which encoders it had, what they said, and how they ended', async ({ onTestFinished: finished }) => {
    const station = await open(finished, { retryMs: [50] });
    const items = timeline(Date.now() - 500, { media: missing(), ms: 3_000 }, { media: long, ms: 60_000 });
    const id = station.add('5', items);
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)?.state === 'programme');
    const runs = station.manager.encoderRuns(id);
    // One new try for the first item; the second one was made ready meanwhile.
    expect(runs.map(({ itemId }) => itemId).sort()).toEqual([1, 1, 2]);
    expect(runs[0]).toMatchObject({ itemId: 1, exit: { kind: 'failed' }, path: '/nowhere/missing.mkv' });
    expect(runs[0]?.stderr).toContain('No such file or directory');
    expect(runs[0]?.args).toContain('file:/nowhere/missing.mkv');
    expect(runs.find(({ itemId }) => itemId === 2)?.exit).toBeUndefined();
  });

  it('that its encoder is too slow, and what would help', async ({ onTestFinished: finished }) => {
    const station = await open(finished, {}, await executable(folder, 'exec ffmpeg -readrate 0.7 "$@"'));
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.until(() => (station.manager.stream(id)?.warnings.length ?? 0) > 0);
    expect(station.manager.stream(id)?.encoderPids).toHaveLength(1);
    expect(station.manager.stream(id)?.warnings[0]).toMatch(/^The encoder does 0\.\d\d of the speed/);
  }, 60_000);
});

describe('the health task, when the system clock has been set,', () => {
  it('brings a channel to the right programme', async ({ onTestFinished: finished }) => {
    const station = await open(finished);
    const from = Date.now() - 20_000;
    const id = station.add(
      '5',
      timeline(from, { media: long, ms: 10 * minutes }, { media: other, ms: 60 * minutes }),
    );
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)?.state === 'programme');
    await watcher.seconds(1);
    const now = Date.now;
    finished(() => void vi.restoreAllMocks());
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 10 * minutes);
    expect(station.manager.checkHealth().restarted).toEqual(['5']);
    await watcher.until(() => {
      const stream = station.manager.stream(id);
      return stream?.item?.id === 2 && stream.state === 'programme';
    });
    const { length } = analyse(watcher.bytes).clock;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 25);
    expect(station.manager.checkHealth().restarted).toEqual([]);
    expect(faultsOf(analyse(watcher.bytes), { frameTicks })).toEqual([]);
    expect(await complaintsOf(watcher.bytes)).toBe('');
  });
});

describe('an encoder that has run for very long', () => {
  it('is replaced without a seam', async ({ onTestFinished: finished }) => {
    const station = await open(finished, { encoderMaxAgeMs: 2_000, prepareMs: 1_500 });
    const id = station.add('5', endless(long));
    const watcher = await station.watch('5');
    await watcher.until(() => station.manager.stream(id)?.state === 'programme');
    const [first] = station.manager.stream(id)!.encoderPids;
    await watcher.until(() => {
      const { encoderPids, state } = station.manager.stream(id)!;
      return state === 'programme' && encoderPids.length === 1 && encoderPids[0] !== first;
    });
    const { length } = analyse(watcher.bytes).clock;
    await watcher.until(() => analyse(watcher.bytes).clock.length > length + 50);
    expect(station.heard.of('restarted')).toContain('age');
    expect(station.heard.of('joint').every((slateMs) => slateMs === 0)).toBe(true);
    expect(faultsOf(analyse(watcher.bytes), { frameTicks })).toEqual([]);
    const pictures = analyse(watcher.bytes).video.units.map(({ pts }) => pts);
    const steps = pictures.slice(1).map((pts, index) => pts - pictures[index]!);
    expect(steps.filter((step) => step !== frameTicks)).toEqual([]);
    expect(await brightness(watcher.bytes)).toHaveLength(1);
  });
});
