import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { broadcastClips, encodersOf, makeClips, makeRest, type TestChannel } from '../support/broadcast.ts';
import { capture } from '../support/capture.ts';
import { readExposition, total } from '../support/exposition.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

describe('the metrics of restarts, breakers and the database', () => {
  let server: RunningServer;
  let channel: TestChannel;
  let clips: string;
  const leaves: AbortController[] = [];

  beforeAll(async () => {
    clips = await mkdtemp(join(tmpdir(), 'aircheck-clips-'));
    await makeClips(clips, 8);
    await makeRest(clips);
    server = await startServer({
      AIRCHECK_LIBRARY_SETTLE_MS: '0',
      AIRCHECK_LIBRARY_WATCH: 'false',
      AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
      AIRCHECK_STREAMING_LINGER_MS: '1000',
      AIRCHECK_METRICS_OPEN: 'true',
    });
    [channel] = (await broadcastClips(server, clips)) as [TestChannel];
  }, 180_000);

  afterEach(() => {
    for (const leave of leaves) leave.abort();
    leaves.length = 0;
  });
  afterAll(async () => {
    await server?.remove();
    await rm(clips, { recursive: true, force: true });
  });

  const value = async (name: string, labels?: Record<string, string>) => {
    const text = await (await fetch(`${server.base}/metrics`)).text();
    return total(readExposition(text), `aircheck_${name}`, labels) ?? 0;
  };
  const watch = () => {
    const leave = new AbortController();
    leaves.push(leave);
    void capture(channel.url, 600_000, leave.signal);
  };
  const rises = (name: string, labels: Record<string, string>, above: number) =>
    until(`${name} is above ${above}`, async () => (await value(name, labels)) > above || undefined, 120_000);
  const programmeIsOn = () =>
    until(
      'the programme is on',
      async () => (await server.api('GET', `/streams/${channel.id}`)).body.state === 'programme' || undefined,
      60_000,
    );

  it('time the first picture of the programme, cold and warm', async () => {
    watch();
    await rises('tune_first_picture_seconds_count', { tune: 'cold' }, 0);
    watch();
    await rises('tune_first_picture_seconds_count', { tune: 'warm' }, 0);
  }, 150_000);

  it('count the encoder that takes the place of one that was killed', async () => {
    watch();
    await programmeIsOn();
    const before = await value('restarts_total');
    for (const pid of await encodersOf(server)) process.kill(pid, 'SIGKILL');
    await rises('restarts_total', {}, before);
  }, 150_000);

  it('tell how long ago a channel had output, and that health knows it too', async () => {
    watch();
    await programmeIsOn();
    expect(await value('channel_output_age_seconds', { channel: '1' })).toBeLessThan(30);
    const { channels } = (await (await fetch(`${server.base}/health`)).json()) as {
      channels: { lastOutputAgeMs?: number; breaker: string }[];
    };
    expect(channels[0]?.lastOutputAgeMs).toBeLessThan(30_000);
    expect(channels[0]?.breaker).toBe('closed');
  }, 150_000);

  it('time what is asked of the database', async () => {
    const before = await value('database_call_duration_seconds_count', { outcome: 'ok' });
    await server.api('GET', '/media');
    await rises('database_call_duration_seconds_count', { outcome: 'ok' }, before);
  });

  it('follow a breaker that opens, and count what it refuses', async () => {
    watch();
    await programmeIsOn();
    const retries = await value('restarts_total', { cause: 'retry' });
    for (const name of await readdir(clips)) await rm(join(clips, name));
    await rises('restarts_total', { cause: 'retry' }, retries);
    await until(
      'the breaker is open',
      async () => (await value('breaker_state', { channel: '1' })) === 2 || undefined,
      120_000,
    );
    await rises('restart_refusals_total', { reason: 'breaker-open' }, 0);
    const health = (await (await fetch(`${server.base}/health`)).json()) as {
      status: string;
      channels: { breaker: string }[];
    };
    expect(health.status).toBe('degraded');
    expect(health.channels[0]?.breaker).toBe('open');
  }, 300_000);
});
