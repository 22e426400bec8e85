import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { capture } from './capture.ts';
import { addLibrary } from './chaos/lineup.ts';
import { cheapProfile } from './chaos/recordings.ts';
import { type ClockFrame, readPictureClock } from './picture-clock.ts';
import { sampleRecordings } from './recordings.ts';
import type { RunningServer } from './server.ts';

export interface TestChannel {
  id: string;
  number: string;
  url: string;
}

/** Scans the sample recordings, and makes channels that shuffle all of them. */
export async function broadcastSamples(
  server: RunningServer,
  options: { channels?: number; profile?: string; folder?: string } = {},
): Promise<TestChannel[]> {
  const [first] = await sampleRecordings();
  if (first === undefined) throw new Error('there are no sample recordings');
  await addLibrary(server, options.folder ?? first.file.slice(0, -first.path.length - 1), samples);
  const all = await addQuery(server, 'All', {});
  const { body: profiles } = await server.api('GET', '/profiles');
  const { id } = profiles.items.find(({ name }: { name: string }) => name === (options.profile ?? '480p'));
  const slots = [{ id: 'all', play: all, mode: 'flood', order: 'shuffle' }];
  return await addChannels(server, id, slots, options.channels);
}

/** Ids of media, and with them every shuffle, are made of the library's name. */
const samples = 'Samples';

/**
 * Scans a folder of clips and makes channels that shuffle them: two hundred, and behind them what `makeRest` has made.
 * Days of nothing but clips would be tens of thousands of rows, and to plan them the most work of a whole test. The
 * picture is small for the same reason.
 */
export async function broadcastClips(
  server: RunningServer,
  folder: string,
  options: { channels?: number; bitrateKbps?: number } = {},
): Promise<TestChannel[]> {
  await addLibrary(server, folder, samples);
  const clips = await addQuery(server, 'Clips', { durationTo: 'PT5M' });
  const rest = await addQuery(server, 'Rest', { durationFrom: 'PT5M' });
  const slots = [
    { id: 'clips', play: clips, mode: 'multiple', count: 200, order: 'shuffle' },
    { id: 'rest', play: rest, mode: 'flood' },
  ];
  const { video, audio } = cheapProfile;
  const spec = { video: { ...video, bitrateKbps: options.bitrateKbps ?? video.bitrateKbps }, audio };
  const { body: profile } = await server.api('POST', '/profiles', { name: 'small', spec });
  return await addChannels(server, profile.id, slots, options.channels);
}

async function addQuery(server: RunningServer, name: string, query: unknown): Promise<string> {
  const { body } = await server.api('POST', '/collections', { name, kind: 'query', query });
  return body.id;
}

async function addChannels(
  server: RunningServer,
  profileId: string,
  slots: readonly unknown[],
  count = 1,
): Promise<TestChannel[]> {
  const channels: TestChannel[] = [];
  for (let n = 1; n <= count; n++) {
    const { status, body } = await server.api('POST', '/channels', {
      number: String(n),
      name: `Channel ${n}`,
      profileId,
      seed: n,
      schedule: { slots },
    });
    if (status !== 201) throw new Error(`channel ${n}: ${JSON.stringify(body)}`);
    channels.push({ id: body.id, number: body.number, url: `${server.base}/iptv/channel/${body.id}.ts` });
  }
  return channels;
}

/** The first seconds of some of the samples, as they are, under the same names: many joints in little time. */
export async function makeClips(
  folder: string,
  seconds: number,
  only: readonly number[] = [1, 2, 4, 9],
): Promise<void> {
  for (const { file, path } of await sampleRecordings(only)) {
    const clip = join(folder, basename(path));
    const cut = ['-nostdin', '-v', 'error', '-i', file, '-t', String(seconds), '-c', 'copy', clip];
    await promisify(execFile)('ffmpeg', cut);
  }
}

/** Half an hour of next to nothing, for the time for which nobody watches any more. */
export async function makeRest(folder: string): Promise<void> {
  const picture = ['-f', 'lavfi', '-i', 'color=s=64x36:r=1:d=1800', '-c:v', 'libx264'];
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', ...picture, join(folder, 'rest.mkv')]);
}

/** The recording's number by the title of its media. */
export async function recordingNumbers(): Promise<Map<string, number>> {
  const all = await sampleRecordings();
  return new Map(all.map(({ title, number }) => [title, number]));
}

/**
 * Tunes in and says how far the first picture of the programme is from what `/now` says at the moment at which
 * the first byte comes, in milliseconds; undefined when another item begins just then.
 */
export async function tuneError(server: RunningServer, channel: TestChannel): Promise<number | undefined> {
  const { bytes, firstByteAt } = await capture(channel.url, 2_500);
  const [{ body: now }, frames, numbers] = await Promise.all([
    server.api('GET', `/channels/${channel.id}/now`),
    clockOf(bytes),
    recordingNumbers(),
  ]);
  const shown = frames.find(({ recording }) => recording !== undefined);
  if (shown?.positionMs === undefined || firstByteAt === undefined) return undefined;
  if (shown.recording !== numbers.get(now.item.media.title)) return undefined;
  // Pictures of the slate stand in front where the programme was not there at once.
  const slateMs = shown.ptsMs - (frames[0]?.ptsMs ?? 0);
  const sinceMs = Date.parse(now.at) - firstByteAt;
  return shown.positionMs - slateMs - (now.positionMs - sinceMs);
}

/** The picture clock of captured bytes. */
export async function clockOf(bytes: Buffer): Promise<ClockFrame[]> {
  return withFile(bytes, (file) => readPictureClock(file));
}

/** What a decoder complains about; empty for a clean stream. */
export async function decodeErrors(bytes: Buffer): Promise<string> {
  return withFile(bytes, async (file) => {
    const run = promisify(execFile);
    const { stderr } = await run('ffmpeg', ['-nostdin', '-v', 'error', '-i', file, '-f', 'null', '-'], {
      maxBuffer: 2 ** 26,
    });
    return stderr;
  });
}

async function withFile<T>(bytes: Buffer, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'aircheck-capture-'));
  try {
    const file = join(folder, 'capture.ts');
    await writeFile(file, bytes);
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The pids of encoders that belong to a server, by what the system says. */
export async function encodersOf(server: RunningServer): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const owned = await Promise.all(pids.map((pid) => isEncoderOf(server, pid)));
  return pids.filter((_, index) => owned[index]).map(Number);
}

/** Of a process that has ended, and waits for somebody to take notice, there is nothing to read. */
async function isEncoderOf(server: RunningServer, pid: string): Promise<boolean> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  if (!(await read('cmdline')).includes('ffmpeg')) return false;
  return (await read('environ')).split('\0').includes(`AIRCHECK_OWNER=${server.data}`);
}
