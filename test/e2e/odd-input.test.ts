import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeErrors, makeRest } from '../support/broadcast.ts';
import { capture } from '../support/capture.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';
import { analyse, backwardSteps, largestStep } from '../support/transport-stream.ts';

const seconds = 2;
const picture = (size: string, rate: string) => [
  '-f',
  'lavfi',
  '-i',
  `testsrc=s=${size}:r=${rate}:d=${seconds}`,
];
const sound = (layout = 'stereo') => [
  ...['-f', 'lavfi', '-i', `sine=frequency=500:duration=${seconds}`],
  ...['-af', `aformat=channel_layouts=${layout}`],
];
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast'];
const plain = [...picture('320x180', '30'), ...sound(), ...h264, '-c:a', 'aac'];

const playable: Record<string, string[]> = {
  'no sound.mp4': [...picture('320x180', '25'), ...h264],
  'no picture.m4a': [...sound(), '-c:a', 'aac'],
  'uneven.mkv': [
    ...picture('320x180', '30'),
    ...sound(),
    '-vf',
    "select='not(mod(n,7))+lt(mod(n,60),20)'",
    '-vsync',
    'vfr',
    ...h264,
  ],
  'ten bits.mkv': [
    ...picture('320x180', '24'),
    ...sound('5.1'),
    '-c:v',
    'libx265',
    '-preset',
    'ultrafast',
    '-pix_fmt',
    'yuv420p10le',
    '-c:a',
    'ac3',
  ],
  'anamorphic.mpg': [
    ...picture('352x288', '25'),
    ...sound(),
    '-aspect',
    '4:3',
    '-c:v',
    'mpeg2video',
    '-c:a',
    'mp2',
  ],
  'interlaced.ts': [
    ...picture('320x240', '25'),
    ...sound('mono'),
    '-flags',
    '+ilme+ildct',
    '-field_order',
    'tt',
    '-c:v',
    'mpeg2video',
    '-c:a',
    'mp2',
  ],
  'it\'s  "quoted".mp4': plain,
  'a; rm -rf $HOME `id`.mp4': plain,
  '-i.mp4': plain,
  '100% 🎬 é#?.mp4': plain,
};

describe('odd recordings', () => {
  let server: RunningServer;
  let folder: string;
  let listed: Map<string, { state: string; reason?: string; id: string }>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aircheck-odd-'));
    for (const [name, args] of Object.entries(playable)) {
      execFileSync('ffmpeg', ['-nostdin', '-v', 'error', ...args, `file:${join(folder, name)}`]);
    }
    await writeFile(join(folder, 'empty.mkv'), '');
    await writeFile(join(folder, 'words.mkv'), 'These are words.\n'.repeat(500));
    const whole = await readFile(join(folder, '-i.mp4'));
    await writeFile(join(folder, 'cut off.mp4'), whole.subarray(0, whole.length / 2));

    await makeRest(folder);
    server = await startServer({ AIRCHECK_LIBRARY_SETTLE_MS: '0', AIRCHECK_PLAYOUT_HORIZON_HOURS: '48' });
    const { body: library } = await server.api('POST', '/libraries', { name: 'Odd', path: folder });
    await until('the library is scanned', async () => {
      const { body } = await server.api('GET', `/libraries/${library.id}/scan`);
      return body.state === 'done' && body.pending === 0 ? true : undefined;
    });
    const { body } = await server.api('GET', '/media?limit=100');
    listed = new Map(body.items.map((media: { path: string }) => [media.path, media]));
  }, 120_000);

  afterAll(async () => {
    await server?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('are listed as ready, or as failed with a reason', () => {
    for (const name of Object.keys(playable))
      expect([name, listed.get(name)?.state]).toEqual([name, 'ready']);
    for (const name of ['empty.mkv', 'words.mkv', 'cut off.mp4']) {
      expect([name, listed.get(name)?.state]).toEqual([name, 'failed']);
      expect(listed.get(name)?.reason?.length).toBeGreaterThan(5);
    }
    // With what is played afterwards.
    expect(listed.size).toBe(Object.keys(playable).length + 3 + 1);
  });

  it('go on air one after the other, each without a fault', async () => {
    const media = Object.keys(playable).map((name) => listed.get(name)?.id);
    const collect = async (name: string, ids: (string | undefined)[]) =>
      (await server.api('POST', '/collections', { name, kind: 'manual', media: ids })).body.id;
    const [odd, rest] = [await collect('Odd', media), await collect('Rest', [listed.get('rest.mkv')?.id])];
    const { body: profile } = await server.api('POST', '/profiles', {
      name: 'small',
      spec: {
        video: {
          ...{ codec: 'h264', width: 320, height: 180, frameRate: { num: 30, den: 1 } },
          ...{ bitrateKbps: 400, preset: 'ultrafast', keyframeMs: 1000 },
        },
        audio: { codec: 'aac', bitrateKbps: 64 },
      },
    });
    const { body: channel } = await server.api('POST', '/channels', {
      number: '1',
      name: 'Odd',
      profileId: profile.id,
      // Two days of two seconds each would be planned for longer than all of them are watched here.
      schedule: {
        slots: [
          { id: 'odd', play: odd, mode: 'multiple', count: 30 * media.length, order: 'custom' },
          { id: 'rest', play: rest, mode: 'flood' },
        ],
      },
    });
    const durationMs = (Object.keys(playable).length * seconds + 5) * 1000;
    const watching = capture(`${server.base}/iptv/channel/1.ts`, durationMs);
    const reasons = new Set<string>();
    const done = watching.then(() => true);
    for (let over = false; !over; ) {
      const { body: stream } = await server.api('GET', `/streams/${channel.id}`);
      // That an encoder is late is the doing of a busy machine, not of its recording.
      const late = stream.reason === 'the encoder is starting';
      if (stream.state === 'slate' && stream.joints > 0 && !late)
        reasons.add(`${stream.item.title}: ${stream.reason}`);
      over = await Promise.race([
        done,
        new Promise<false>((resolve) => setTimeout(() => resolve(false), 200)),
      ]);
    }
    const { bytes } = await watching;
    const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
    const { body: stream } = await server.api('GET', `/streams/${channel.id}`);
    expect(stream.joints).toBeGreaterThanOrEqual(Object.keys(playable).length - 1);
    expect([...reasons]).toEqual([]);
    expect(found.continuityErrors).toEqual([]);
    expect(backwardSteps(found.video.units)).toBe(0);
    expect(largestStep(found.video.units)).toBeLessThanOrEqual(6_000);
    expect(await decodeErrors(bytes)).toBe('');
  }, 90_000);
});
