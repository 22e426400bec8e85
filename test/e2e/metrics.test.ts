import { mkdtemp, readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { broadcastClips, encodersOf, makeRest, type TestChannel } from '../support/broadcast.ts';
import { type Capture, capture } from '../support/capture.ts';
import { readExposition, total } from '../support/exposition.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

const slots = 3;

/** A value of the metrics as they are now; what is not there is undefined. */
async function scraped(
  server: RunningServer,
): Promise<(name: string, labels?: Record<string, string>) => number | undefined> {
  const response = await fetch(`${server.base}/metrics`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  expect(response.status).toBe(200);
  const samples = readExposition(await response.text());
  expect(samples.filter(({ value }) => value < 0)).toEqual([]);
  return (name, labels) => total(samples, `aircheck_${name}`, labels);
}

/** A recording that no encoder can make small, so that what a player does not read soon fills all buffers. */
async function makeNoise(file: string, seconds: number): Promise<void> {
  const picture = ['-f', 'lavfi', '-i', `testsrc2=s=320x180:r=25:d=${seconds},noise=alls=60:allf=t`];
  const sound = ['-f', 'lavfi', '-i', `sine=d=${seconds}`];
  await execa('ffmpeg', [
    '-nostdin',
    '-v',
    'error',
    ...picture,
    ...sound,
    '-c:v',
    'mpeg2video',
    '-q:v',
    '2',
    file,
  ]);
}

/** A player that has asked for a stream and takes nothing of it. */
async function unread(url: string): Promise<http.IncomingMessage> {
  const request = http.get(url, { agent: false });
  const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  return response.on('error', () => {});
}

describe('the metrics of a server that broadcasts', () => {
  let server: RunningServer;
  let channels: TestChannel[];
  let clips: string;
  const leaves: AbortController[] = [];

  beforeAll(async () => {
    clips = await mkdtemp(join(tmpdir(), 'aircheck-clips-'));
    // Of several lengths, so that the joints of the channels do not meet.
    for (const seconds of [6, 7, 8]) await makeNoise(join(clips, `${seconds}.mkv`), seconds);
    await makeRest(clips);
    server = await startServer({
      AIRCHECK_LIBRARY_SETTLE_MS: '0',
      // Files that vanish are to be found missing by the encoders.
      AIRCHECK_LIBRARY_WATCH: 'false',
      AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
      AIRCHECK_STREAMING_LINGER_MS: '1000',
      AIRCHECK_STREAMING_MAX_PROCESSES: String(slots),
      AIRCHECK_STREAMING_RING_SECONDS: '5',
      AIRCHECK_STREAMING_VIEWER_STALL_MS: '10000',
    });
    channels = await broadcastClips(server, clips, { channels: 5, bitrateKbps: 4_000 });
  }, 180_000);

  afterEach(() => {
    for (const leave of leaves) leave.abort();
    leaves.length = 0;
  });
  afterAll(async () => {
    await server?.remove();
    await rm(clips, { recursive: true, force: true });
  });

  const channel = (index: number) => channels[index] as TestChannel;
  const value = async (name: string, labels?: Record<string, string>) =>
    (await scraped(server))(name, labels);

  /** Watches until `leave`; what it got comes from `watched`. */
  function watch(index: number): { watched: Promise<Capture>; leave: () => Promise<Capture> } {
    const controller = new AbortController();
    leaves.push(controller);
    const watched = capture(channel(index).url, 600_000, controller.signal);
    return {
      watched,
      leave: () => {
        controller.abort();
        return watched;
      },
    };
  }

  /** Does something, and waits until a metric is higher than before by what it should be. */
  async function moves(
    name: string,
    labels: Record<string, string>,
    cause: () => Promise<unknown> | unknown,
    by = 1,
  ): Promise<void> {
    const before = (await value(name, labels)) ?? 0;
    await cause();
    const least = before + by;
    await until(
      `${name} ${JSON.stringify(labels)} has gone from ${before} to ${least}`,
      async () => ((await value(name, labels)) ?? 0) >= least || undefined,
      60_000,
    );
  }

  const programmeIsOn = (index: number) =>
    until(
      'the programme is on',
      async () => {
        const { body } = await server.api('GET', `/streams/${channel(index).id}`);
        return body.state === 'programme' || undefined;
      },
      60_000,
    );
  const nobodyIsLeft = () =>
    until('all encoders have ended, and this is known', async () => {
      const pids = await encodersOf(server);
      return (pids.length === 0 && (await value('processes', { kind: 'encoder' })) === 0) || undefined;
    });

  it('are for those who have the key', async () => {
    expect((await fetch(`${server.base}/metrics`)).status).toBe(401);
    const headers = { authorization: `Bearer ${server.key}` };
    const response = await fetch(`${server.base}/metrics`, { headers });
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('process_resident_memory_bytes ');
  });

  it('count as many encoders as the system has processes, at every moment', async () => {
    await nobodyIsLeft();
    const spawns = (await value('encoder_spawns_total')) ?? 0;
    const viewers = [watch(0), watch(1)];
    let most = 0;
    for (let look = 0; look < 30; look++) {
      if (look === 20) await viewers[0]?.leave();
      // One that comes or goes just now may be counted already, or still; the next look must agree.
      const agreed = await until(
        'the metric and the system agree',
        async () => {
          const before = await encodersOf(server);
          const told = await scraped(server);
          const after = await encodersOf(server);
          expect(told('encoder_slots_used')).toBeLessThanOrEqual(slots);
          if (before.toString() !== after.toString()) return undefined;
          return told('processes', { kind: 'encoder' }) === before.length ? before : undefined;
        },
        3_000,
      );
      most = Math.max(most, agreed.length);
    }
    expect(most).toBeGreaterThanOrEqual(2);
    await moves('encoder_ends_total', { how: 'released' }, () => viewers[1]?.leave());
    await nobodyIsLeft();
    expect(await value('encoder_spawns_total')).toBeGreaterThanOrEqual(spawns + 2);
    expect(await value('encoder_slots')).toBe(slots);
  }, 150_000);

  it('follow a viewer from its request to its end', async () => {
    await nobodyIsLeft();
    const first = await scraped(server);
    const cold = watch(0);
    await until('it is counted', async () => (await value('viewers', { channel: '1' })) === 1 || undefined);
    const onAir = await scraped(server);
    const states = ['starting', 'programme', 'slate'];
    expect(states.map((state) => onAir('channels_on_air', { state }))).toContain(1);
    expect(onAir('channels')).toBe(5);
    expect(onAir('viewers')).toBe(1);
    await programmeIsOn(0);
    expect(await value('channel_slate', { channel: '1' })).toBe(0);
    const warm = watch(0);
    await until('it is counted', async () => (await value('viewers', { channel: '1' })) === 2 || undefined);
    const count = 'tune_first_byte_seconds_count';
    await until('both have had a byte', async () => {
      const told = await scraped(server);
      const more = (tune: string) => (told(count, { tune }) ?? 0) - (first(count, { tune }) ?? 0);
      return (more('cold') === 1 && more('warm') === 1) || undefined;
    });
    await delay(1_000);
    const received = (await Promise.all([cold.leave(), warm.leave()])).map(({ bytes }) => bytes.length);
    await until('both are gone', async () => (await value('viewers', { channel: '1' })) === 0 || undefined);
    const last = await scraped(server);
    const left = { reason: 'left' };
    expect(last('viewer_closes_total', left)).toBe((first('viewer_closes_total', left) ?? 0) + 2);
    // What was sent and had not arrived when they left counts too.
    const sent = (last('sent_bytes_total') ?? 0) - (first('sent_bytes_total') ?? 0);
    expect(sent).toBeGreaterThanOrEqual((received[0] ?? 0) + (received[1] ?? 0));
  }, 150_000);

  it('count joints', async () => {
    const viewer = watch(0);
    await moves('joint_gap_seconds_count', {}, () => programmeIsOn(0), 2);
    await viewer.leave();
  }, 150_000);

  it('count an encoder that somebody kills', async () => {
    const viewer = watch(0);
    await programmeIsOn(0);
    await moves('encoder_ends_total', { how: 'killed' }, async () => {
      const [pid] = await until('an encoder runs', async () => {
        const pids = await encodersOf(server);
        return pids.length > 0 ? pids : undefined;
      });
      process.kill(pid as number, 'SIGKILL');
    });
    await viewer.leave();
    await nobodyIsLeft();
  }, 150_000);

  it('count a tune for which there was no encoder', async () => {
    await moves('spawn_refusals_total', { reason: 'pool-full' }, async () => {
      await until(
        'somebody was refused',
        async () => {
          // Where an item is nearly over, a channel may begin without an encoder, and needs one when it is too late.
          const tunes = channels.map((_, index) => watch(index));
          const first = await Promise.race([...tunes.map(({ watched }) => watched), delay(2_000)]);
          await Promise.all(tunes.map(({ leave }) => leave()));
          return first?.status === 503 || undefined;
        },
        60_000,
      );
    });
    await nobodyIsLeft();
  }, 150_000);

  it('see viewers that stop reading fall behind, skip when they go on, and be closed when they do not', async () => {
    const reading = watch(0);
    await programmeIsOn(0);
    const stopped = [await unread(channel(0).url), await unread(channel(0).url)];
    // The lag grows until they are behind all that the channel keeps, which is 5 s.
    let lag = 0;
    await until(
      'they are too far behind',
      async () => {
        const before = lag;
        await delay(500);
        lag = (await value('viewer_lag_seconds', { channel: '1' })) ?? 0;
        return (lag > 3 && lag <= before) || undefined;
      },
      60_000,
    );
    await moves('viewer_skips_total', {}, () => stopped[0]?.resume());
    await until(
      'the other one is closed',
      async () => (await value('viewer_closes_total', { reason: 'stalled' })) === 1 || undefined,
    );
    stopped[0]?.destroy();
    expect((await reading.leave()).bytes.length).toBeGreaterThan(0);
  }, 150_000);

  it('count runs of tasks, plans and requests, and tell how far channels are planned', async () => {
    const run = () => server.api('POST', '/tasks/playout/run');
    const startedAt = Date.now() / 1000;
    await moves('task_runs_total', { task: 'playout', outcome: 'ok' }, run);
    const rebuild = () => server.api('POST', `/channels/${channel(0).id}/rebuild`);
    await moves('plan_duration_seconds_count', { kind: 'rebuild', outcome: 'ok' }, rebuild);
    const route = { method: 'GET', route: '/api/channels/:id', status: '2xx' };
    await moves('http_requests_total', route, () => server.api('GET', `/channels/${channel(0).id}`));
    const told = await scraped(server);
    expect(told('task_last_success_timestamp_seconds', { task: 'playout' })).toBeGreaterThanOrEqual(
      startedAt,
    );
    expect(told('task_last_duration_seconds', { task: 'playout' })).toBeGreaterThan(0);
    expect(told('plan_duration_seconds_count', { kind: 'extend', outcome: 'ok' })).toBeGreaterThan(0);
    for (const { number } of channels) {
      expect(told('playout_horizon_seconds', { channel: number })).toBeGreaterThan(48 * 3600);
      expect(told('breaker_state', { channel: number })).toBe(0);
    }
  });

  it('see that the streaming thread was late, and tell every reader of it', async () => {
    const worst = () => value('event_loop_delay_max_seconds');
    await until('a delay is seen', async () => {
      process.kill(server.pid, 'SIGSTOP');
      await delay(400);
      process.kill(server.pid, 'SIGCONT');
      return ((await worst()) ?? 0) > 0.3 || undefined;
    });
    // The API has a watch of its own, which one look does not take from the other.
    expect((await server.api('GET', '/server')).body.eventLoop.maxMs).toBeGreaterThan(300);
    expect(await worst()).toBeGreaterThan(0.3);
  });

  it('count a viewer whose channel is taken away, and forget a channel that is deleted', async () => {
    const { watched } = watch(4);
    await until('it is counted', async () => (await value('viewers', { channel: '5' })) === 1 || undefined);
    await moves('viewer_closes_total', { reason: 'channel-gone' }, () =>
      server.api('DELETE', `/channels/${channel(4).id}`),
    );
    expect((await watched).ended).toBe(true);
    const told = await scraped(server);
    for (const name of ['viewers', 'breaker_state', 'playout_horizon_seconds', 'channel_slate']) {
      expect([name, told(name, { channel: '5' })]).toEqual([name, undefined]);
    }
    expect(told('channels')).toBe(4);
  });

  it('count encoders that fail, and show the slate that stands in for them', async () => {
    const viewer = watch(1);
    await programmeIsOn(1);
    await moves('encoder_ends_total', { how: 'failed' }, async () => {
      for (const name of await readdir(clips)) await rm(join(clips, name));
    });
    await until('the slate is on', async () => {
      const told = await scraped(server);
      const onSlate = told('channels_on_air', { state: 'slate' }) === 1;
      return (onSlate && told('channel_slate', { channel: '2' }) === 1) || undefined;
    });
    await viewer.leave();
  }, 150_000);
});
