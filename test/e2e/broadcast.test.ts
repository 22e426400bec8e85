import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  broadcastClips,
  broadcastSamples,
  decodeErrors,
  encodersOf,
  makeClips,
  makeRest,
  type TestChannel,
  tuneError,
} from '../support/broadcast.ts';
import { capture } from '../support/capture.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';
import { analyse, backwardSteps, largestStep } from '../support/transport-stream.ts';

const settings = {
  AIRCHECK_LIBRARY_SETTLE_MS: '0',
  AIRCHECK_STREAMING_LINGER_MS: '1500',
  AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
};
const frameTicks = 3_000;

describe('a folder of recordings, broadcast by the built server', () => {
  let server: RunningServer;
  let channel: TestChannel;
  let second: TestChannel;

  beforeAll(async () => {
    server = await startServer(settings);
    [channel, second] = (await broadcastSamples(server, { channels: 2 })) as [TestChannel, TestChannel];
  }, 180_000);

  afterAll(() => server?.remove());

  const stream = async (id: string) => (await server.api('GET', `/streams/${id}`)).body;

  it('has every sample in the library, the one without a picture too', async () => {
    const { body } = await server.api('GET', '/media?limit=100');
    expect(body.items.map(({ state }: { state: string }) => state)).toEqual(Array(10).fill('ready'));
    expect(body.items.filter(({ width }: { width?: number }) => width === undefined)).toHaveLength(1);
  });

  it('announces the same channels in playlist and guide, under an address that the client can reach', async () => {
    const playlist = await fetch(`${server.base}/iptv/channels.m3u`);
    expect(playlist.headers.get('content-type')).toBe('audio/x-mpegurl; charset=utf-8');
    const text = await playlist.text();
    const ids = [...text.matchAll(/tvg-id="([^"]+)"/g)].map(([, id]) => id);
    expect(ids).toHaveLength(2);
    expect(text).toContain(channel.url);
    const elsewhere = await fetch(`${server.base}/iptv/channels.m3u`, { method: 'HEAD' });
    expect(elsewhere.headers.get('etag')).toBe(playlist.headers.get('etag'));

    const guide = await fetch(`${server.base}/iptv/xmltv.xml`);
    const xml = await guide.text();
    expect([...xml.matchAll(/<channel id="([^"]+)"/g)].map(([, id]) => id)).toEqual(ids);
    for (const id of ids) {
      const times = [
        ...xml.matchAll(new RegExp(`start="(\\S+) \\+0000" stop="(\\S+) \\+0000" channel="${id}"`, 'g')),
      ];
      expect(times.length).toBeGreaterThan(1_000);
      for (const [index, time] of times.entries()) {
        if (index > 0) expect(time[1]).toBe(times[index - 1]?.[2]);
      }
    }
    const etag = guide.headers.get('etag') ?? '';
    const again = await fetch(`${server.base}/iptv/xmltv.xml`, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    await server.api('PATCH', `/channels/${second.id}`, { name: 'Renamed & "quoted"' });
    const edited = await fetch(`${server.base}/iptv/xmltv.xml`, { headers: { 'if-none-match': etag } });
    expect(edited.status).toBe(200);
    expect(await edited.text()).toContain('Renamed &amp; ');
  });

  it('starts no encoder for a HEAD, and knows no channel that is not there', async () => {
    const head = await fetch(channel.url, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-type')).toBe('video/mp2t');
    expect((await server.api('GET', '/streams')).body.total).toBe(0);
    expect((await fetch(`${server.base}/iptv/channel/99.ts`)).status).toBe(404);
    await server.api('PATCH', `/channels/${second.id}`, { enabled: false });
    expect((await fetch(second.url)).status).toBe(404);
    expect(await (await fetch(`${server.base}/iptv/channels.m3u`)).text()).not.toContain(second.id);
    await server.api('PATCH', `/channels/${second.id}`, { enabled: true });
  });

  it('drops a viewer into the programme at the second that /now says, cold and warm', async () => {
    const errors = [];
    for (let i = 0; i < 4; i++) errors.push(await tuneError(server, channel));
    const known = errors.filter((error) => error !== undefined);
    expect(known.length).toBeGreaterThanOrEqual(2);
    for (const error of known) expect(Math.abs(error)).toBeLessThan(1_000);
  });

  it('sends one clean stream over joints of all kinds, by number as well as by id', async () => {
    const leave = new AbortController();
    const watching = capture(`${server.base}/iptv/channel/1.ts`, 120_000, leave.signal);
    const over = async () => ((await stream(channel.id)).joints > 0 ? true : undefined);
    await until('a joint was sent', over, 60_000);
    await delay(8_000);
    leave.abort();
    const { status, headers, bytes } = await watching;
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'video/mp2t', 'cache-control': 'no-store' });
    const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
    expect(found.opening.slice(0, 2)).toEqual(['pat', 'pmt']);
    expect(found.opening.find((packet) => packet.startsWith('video'))).toBe('video key');
    expect(found.syncLosses).toBe(0);
    expect(found.continuityErrors).toEqual([]);
    expect(found.discontinuities).toEqual([]);
    expect(found.pmt.variants).toBe(1);
    expect(backwardSteps(found.video.units)).toBe(0);
    expect(largestStep(found.video.units)).toBeLessThanOrEqual(2 * frameTicks);
    expect(backwardSteps(found.audio.units)).toBe(0);
    expect(await decodeErrors(bytes)).toBe('');
  }, 120_000);

  it('shares one encoder among all who watch, and ends it when they have gone', async () => {
    const leave = new AbortController();
    setMaxListeners(20, leave.signal);
    const viewers = Array.from({ length: 20 }, () => capture(channel.url, 60_000, leave.signal));
    await until('all are connected', async () => {
      const on = await stream(channel.id);
      return on.viewers?.length === 20 && on.state === 'programme' ? true : undefined;
    });
    const pids = await encodersOf(server);
    expect(pids.length).toBeGreaterThanOrEqual(1);
    expect(pids.length).toBeLessThanOrEqual(2);
    expect((await stream(channel.id)).encoderPids.toSorted()).toEqual(pids.toSorted());
    leave.abort();
    for (const viewer of await Promise.all(viewers)) expect(viewer.bytes.length).toBeGreaterThan(0);
    await until('the encoder has ended', async () =>
      (await encodersOf(server)).length === 0 ? true : undefined,
    );
  }, 60_000);

  it('keeps its viewers when the encoder is killed, and comes back by itself', async () => {
    const leave = new AbortController();
    const watching = capture(channel.url, 60_000, leave.signal);
    const settled = async () => {
      const on = await stream(channel.id);
      return on.state === 'programme' && on.item.endsAt && on.encoderPids.length === 1 ? on : undefined;
    };
    const before = await until('the programme is on', settled, 40_000);
    process.kill(before.encoderPids[0], 'SIGKILL');
    await until(
      'another encoder has the programme on',
      async () => {
        const on = await stream(channel.id);
        return on.state === 'programme' &&
          on.encoderPids.some((pid: number) => !before.encoderPids.includes(pid))
          ? true
          : undefined;
      },
      15_000,
    );
    await delay(3_000);
    leave.abort();
    const { bytes, ended } = await watching;
    expect(ended).toBe(false);
    const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
    expect(found.continuityErrors).toEqual([]);
    expect(largestStep(found.video.units)).toBeLessThanOrEqual(2 * frameTicks);
    expect(await decodeErrors(bytes)).toBe('');
  }, 90_000);

  it('does not move the timeline for viewers, and has the same one after a crash, without an orphan', async () => {
    const items = async () => {
      const from = new Date(start).toISOString();
      const { body } = await server.api('GET', `/channels/${channel.id}/playout?limit=200&from=${from}`);
      return body.items.map(({ start: at, media }: { start: string; media?: { id: string } }) => [
        at,
        media?.id,
      ]);
    };
    const start = Date.now();
    const before = await items();
    expect(before.length).toBe(200);
    for (let i = 0; i < 5; i++) await capture(channel.url, 300);
    expect(await items()).toEqual(before);

    void capture(channel.url, 30_000).catch(() => {});
    const [pid] = await until('an encoder runs', async () => {
      const pids = await encodersOf(server);
      return pids.length > 0 ? pids : undefined;
    });
    // A stopped one would not notice that its reader is gone.
    process.kill(pid as number, 'SIGSTOP');
    expect(await server.end('SIGKILL')).toBe('SIGKILL');
    server = await startServer(settings, { data: server.data });
    expect(await encodersOf(server)).toEqual([]);
    expect(await items()).toEqual(before);
    expect(
      (await capture(channel.url.replace(/^.*?(?=\/iptv)/, server.base), 1_500)).bytes.length,
    ).toBeGreaterThan(0);
  }, 60_000);

  it('ends cleanly: streams on a packet, exit code 0, no process left', async () => {
    const watching = capture(`${server.base}/iptv/channel/1.ts`, 30_000);
    await until('somebody watches', async () => {
      const { body } = await server.api('GET', '/streams');
      return body.items[0]?.state === 'programme' ? true : undefined;
    });
    const encoders = await encodersOf(server);
    expect(encoders.length).toBeGreaterThan(0);
    expect(await server.end('SIGTERM')).toBe(0);
    const { bytes, ended } = await watching;
    expect(ended).toBe(true);
    expect(bytes.length % 188).toBe(0);
    expect(await encodersOf(server)).toEqual([]);
  }, 60_000);
});

describe('a server that may run two encoders, on its own database or a real one', () => {
  let server: RunningServer;
  let channels: TestChannel[];
  let clips: string;

  beforeAll(async () => {
    clips = await mkdtemp(join(tmpdir(), 'aircheck-clips-'));
    await makeClips(clips, 30);
    await makeRest(clips);
    const postgres = inject('postgresUrl');
    server = await startServer({
      ...settings,
      AIRCHECK_STREAMING_MAX_PROCESSES: '2',
      ...(postgres === null ? {} : { DATABASE_URL: postgres }),
    });
    channels = await broadcastClips(server, clips, { channels: 8 });
  }, 180_000);

  afterAll(async () => {
    await server?.remove();
    await rm(clips, { recursive: true, force: true });
  });

  it('never runs a third one: the other tunes are told to come back', async () => {
    const leave = new AbortController();
    const tunes = channels.map(({ url }) => capture(url, 20_000, leave.signal));
    const counts = [];
    for (let i = 0; i < 20; i++) {
      counts.push((await encodersOf(server)).length);
      await delay(100);
    }
    leave.abort();
    const answers = await Promise.all(tunes);
    expect(Math.max(...counts)).toBe(2);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 503, 503, 503, 503, 503, 503]);
    for (const { status, headers } of answers) {
      if (status === 503) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
  }, 60_000);

  it('gives the encoder of a channel that was left to the next one', async () => {
    for (const { url } of channels.slice(0, 5)) {
      const { status } = await capture(url, 800);
      expect(status).toBe(200);
    }
  }, 60_000);
});
