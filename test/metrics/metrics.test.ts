import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { MetricSources, StreamView } from '../../src/metrics/sources.ts';
import { readExposition, type Sample, total } from '../support/exposition.ts';
import { until } from '../support/server.ts';
import { quietSources, streamOf, viewerOf } from './sources.ts';

let sources: MetricSources;
let metrics: Metrics;

beforeEach(() => {
  sources = quietSources();
  metrics = new Metrics(sources);
});
afterEach(() => metrics.stop());

const read = async (): Promise<Sample[]> => readExposition(await metrics.text());

interface Cause {
  metric: string;
  labels?: Record<string, string>;
  /** What one event adds; 1 where it is not said. */
  adds?: number;
  event: (metrics: Metrics) => void;
}

const causes: Cause[] = [
  { metric: 'aircheck_encoder_spawns_total', event: ({ streaming }) => streaming.encoderSpawned() },
  ...(['finished', 'released', 'killed', 'failed'] as const).map((how) => ({
    metric: 'aircheck_encoder_ends_total',
    labels: { how },
    event: ({ streaming }: Metrics) => streaming.encoderEnded(how),
  })),
  ...(['pool-full', 'memory', 'file-descriptors', 'stopping'] as const).map((reason) => ({
    metric: 'aircheck_spawn_refusals_total',
    labels: { reason },
    event: ({ streaming }: Metrics) => streaming.spawnRefused(reason),
  })),
  ...(['retry', 'takeover', 'trial', 'health', 'age'] as const).map((cause) => ({
    metric: 'aircheck_restarts_total',
    labels: { cause },
    event: ({ streaming }: Metrics) => streaming.restarted(cause),
  })),
  ...(['breaker-open', 'too-soon', 'throttled'] as const).map((reason) => ({
    metric: 'aircheck_restart_refusals_total',
    labels: { reason },
    event: ({ streaming }: Metrics) => streaming.restartRefused(reason),
  })),
  ...(['cold', 'warm'] as const).flatMap((tune): Cause[] => [
    {
      metric: 'aircheck_tune_first_byte_seconds_sum',
      labels: { tune },
      adds: 0.25,
      event: ({ streaming }) => streaming.firstByte(tune, 250),
    },
    {
      metric: 'aircheck_tune_first_picture_seconds_sum',
      labels: { tune },
      adds: 1.5,
      event: ({ streaming }) => streaming.firstPicture(tune, 1_500),
    },
  ]),
  {
    metric: 'aircheck_joint_gap_seconds_bucket',
    labels: { le: '0' },
    event: ({ streaming }) => streaming.joint(0),
  },
  { metric: 'aircheck_joint_gap_seconds_sum', adds: 2, event: ({ streaming }) => streaming.joint(2_000) },
  { metric: 'aircheck_viewer_skips_total', event: ({ streaming }) => streaming.viewerSkipped() },
  ...(['left', 'stalled', 'skipped-too-often', 'server-stopped', 'channel-gone'] as const).map((reason) => ({
    metric: 'aircheck_viewer_closes_total',
    labels: { reason },
    event: ({ streaming }: Metrics) => streaming.viewerClosed(reason),
  })),
  ...(['ok', 'failed'] as const).map((outcome) => ({
    metric: 'aircheck_database_call_duration_seconds_count',
    labels: { outcome },
    event: ({ database }: Metrics) => database.called(outcome, 3),
  })),
  { metric: 'aircheck_database_retries_total', event: ({ database }) => database.retried() },
  { metric: 'aircheck_database_given_up_total', event: ({ database }) => database.gaveUp() },
];

describe('what the metrics are told', () => {
  it.each(causes)('moves $metric $labels', async ({ metric, labels, adds, event }) => {
    // It is there before anything has happened, so that the first event is seen as a change.
    expect(total(await read(), metric, labels)).toBe(0);
    event(metrics);
    event(metrics);
    expect(total(await read(), metric, labels)).toBeCloseTo(2 * (adds ?? 1));
  });

  it('adds no series, whatever happens', async () => {
    const before = (await read()).length;
    for (const { event } of causes) event(metrics);
    expect((await read()).length).toBe(before);
  });

  it('counts answers by route and class of status, and every unknown method as one', async () => {
    for (const status of [200, 204, 304, 404, 503]) {
      metrics.answered({ method: 'GET', route: '/api/media/:id', status });
    }
    for (const method of ['BREW', 'PROPFIND']) metrics.answered({ method, route: 'none', status: 404 });
    const samples = (await read()).filter(({ name }) => name === 'aircheck_http_requests_total');
    const route = { method: 'GET', route: '/api/media/:id' };
    expect(samples.map(({ labels, value }) => ({ ...labels, value }))).toEqual([
      { ...route, status: '2xx', value: 2 },
      { ...route, status: '3xx', value: 1 },
      { ...route, status: '4xx', value: 1 },
      { ...route, status: '5xx', value: 1 },
      { method: 'other', route: 'none', status: '4xx', value: 2 },
    ]);
  });

  it('measures plans, also those that fail, and gives what came of them', async () => {
    expect(await metrics.planned('extend', async () => 7)).toBe(7);
    const failing = metrics.planned('rebuild', () => Promise.reject(new Error('no disk')));
    await expect(failing).rejects.toThrow('no disk');
    const samples = await read();
    const count = (kind: string, outcome: string) =>
      total(samples, 'aircheck_plan_duration_seconds_count', { kind, outcome });
    expect([count('extend', 'ok'), count('extend', 'failed')]).toEqual([1, 0]);
    expect([count('rebuild', 'ok'), count('rebuild', 'failed')]).toEqual([0, 1]);
  });
});

describe('what the metrics read', () => {
  const channels = (...numbers: string[]) => numbers.map((number) => ({ id: `channel-${number}`, number }));

  it('tells processes, slots, bytes and tasks as their sources do', async () => {
    sources.encoders = () => ({ running: 3, slotsUsed: 4, slots: 16 });
    sources.inspectors = () => 1;
    sources.bytesSent = () => 188_000;
    sources.tasks = () => [
      { name: 'playout', runs: 5, failures: 2, lastDurationMs: 250, lastSucceededAt: 1_700_000_000_000 },
    ];
    sources.checks = () => ({ database: { ok: false }, ffmpeg: { ok: true } });
    const samples = await read();
    const task = { task: 'playout' };
    const told = (name: string, labels?: Record<string, string>) =>
      total(samples, `aircheck_${name}`, labels);
    expect(told('processes', { kind: 'encoder' })).toBe(3);
    expect(told('processes', { kind: 'inspector' })).toBe(1);
    expect(told('encoder_slots_used')).toBe(4);
    expect(told('encoder_slots')).toBe(16);
    expect(told('sent_bytes_total')).toBe(188_000);
    expect(told('task_runs_total', { ...task, outcome: 'ok' })).toBe(3);
    expect(told('task_runs_total', { ...task, outcome: 'failed' })).toBe(2);
    expect(told('task_last_duration_seconds', task)).toBe(0.25);
    expect(told('task_last_success_timestamp_seconds', task)).toBe(1_700_000_000);
    expect(told('health_check_ok', { check: 'database' })).toBe(0);
    expect(told('health_check_ok', { check: 'ffmpeg' })).toBe(1);
    expect(told('ready')).toBe(1);
    expect(told('build_info', { version: '1.2.3' })).toBe(1);
    // Asked again, a counter says the same and not twice as much.
    expect(total(await read(), 'aircheck_sent_bytes_total')).toBe(188_000);
  });

  it('tells of each channel who watches it, what it sends and how far it is planned', async () => {
    const endsAt = Date.now() + 100_000_000;
    sources.lineup = () => channels('5', '5.1', '6');
    sources.horizonEndsAt = (id) => (id === 'channel-6' ? undefined : endsAt);
    sources.streams = () => [
      streamOf('5', {
        viewers: [viewerOf({ lagMs: 40 }), viewerOf({ lagMs: 2_500 })],
        lastOutputAgeMs: 80,
        breaker: 'half-open',
      }),
      streamOf('5.1', { state: 'slate' }),
    ];
    const samples = await read();
    const told = (name: string, channel: string) => total(samples, `aircheck_${name}`, { channel });
    expect(['5', '5.1', '6'].map((channel) => told('viewers', channel))).toEqual([2, 0, 0]);
    expect(told('viewer_lag_seconds', '5')).toBe(2.5);
    expect(told('channel_output_age_seconds', '5')).toBe(0.08);
    expect(told('channel_output_age_seconds', '5.1')).toBe(0);
    expect(['5', '5.1', '6'].map((channel) => told('channel_slate', channel))).toEqual([0, 1, undefined]);
    expect(['5', '5.1', '6'].map((channel) => told('breaker_state', channel))).toEqual([1, 0, 0]);
    expect(told('playout_horizon_seconds', '5')).toBeCloseTo(100_000, -2);
    expect(told('playout_horizon_seconds', '6')).toBe(0);
    const onAir = (state: string) => total(samples, 'aircheck_channels_on_air', { state });
    expect([onAir('starting'), onAir('programme'), onAir('slate')]).toEqual([0, 1, 1]);
    expect(total(samples, 'aircheck_channels')).toBe(3);
  });

  it('follows a breaker, and forgets a channel that was deleted', async () => {
    sources.lineup = () => channels('1', '2');
    const state = async (channel: string) => total(await read(), 'aircheck_breaker_state', { channel });
    metrics.streaming.breakerChanged('2', 'open');
    expect([await state('1'), await state('2')]).toEqual([0, 2]);
    metrics.streaming.breakerChanged('2', 'half-open');
    expect(await state('2')).toBe(1);
    metrics.streaming.breakerChanged('2', 'closed');
    expect(await state('2')).toBe(0);

    metrics.streaming.breakerChanged('2', 'open');
    sources.streams = () => [streamOf('2', { viewers: [viewerOf()] })];
    await read();
    sources.lineup = () => channels('1');
    sources.streams = () => [];
    const labelled = (await read()).filter(({ labels }) => labels.channel === '2');
    expect(labelled).toEqual([]);
    // Another channel that gets the number later begins anew.
    sources.lineup = () => channels('1', '2');
    expect(await state('2')).toBe(0);
  });

  it('has no more series for more viewers, only for more channels', async () => {
    const viewers = (count: number) => [
      streamOf('1', { viewers: Array.from({ length: count }, () => viewerOf()) }),
    ];
    sources.lineup = () => channels('1');
    sources.streams = () => viewers(1);
    const few = (await read()).length;
    sources.streams = () => viewers(500);
    expect((await read()).length).toBe(few);
  });

  it('is never negative, and survives figures that are none', async () => {
    const odd: StreamView = streamOf('1', { viewers: [viewerOf({ lagMs: -90 })], lastOutputAgeMs: -3 });
    sources.lineup = () => channels('1', '2');
    sources.horizonEndsAt = (id) => (id === 'channel-1' ? Date.now() - 60_000 : Number.NaN);
    sources.streams = () => [odd];
    sources.tasks = () => [{ name: 'playout', runs: 1, failures: 1, lastDurationMs: -1 }];
    for (const ms of [-5, Number.NaN, Number.POSITIVE_INFINITY]) {
      metrics.streaming.joint(ms);
      metrics.streaming.firstByte('cold', ms);
      metrics.streaming.firstPicture('warm', ms);
      metrics.database.called('ok', ms);
    }
    const samples = await read();
    expect(samples.filter(({ value }) => !(value >= 0))).toEqual([]);
    expect(total(samples, 'aircheck_playout_horizon_seconds', { channel: '1' })).toBe(0);
    // The first of the three was a duration, if an odd one.
    expect(total(samples, 'aircheck_joint_gap_seconds_count')).toBe(1);
  });

  it('asks each source once, however many read at the same time', async () => {
    let asked = 0;
    sources.streams = () => {
      asked++;
      return [streamOf('1')];
    };
    const texts = await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
    expect(asked).toBe(1);
    expect(new Set(texts).size).toBe(1);
    await metrics.text();
    expect(asked).toBe(2);
  });

  it('lets others have their turn while it writes of many channels', async () => {
    const numbers = Array.from({ length: 2_000 }, (_, index) => String(index + 1));
    sources.lineup = () => channels(...numbers);
    sources.streams = () => numbers.map((number) => streamOf(number, { viewers: [viewerOf()] }));
    let turns = 0;
    let writing = true;
    const others = (async () => {
      while (writing) {
        await nextTurn();
        turns++;
      }
    })();
    await metrics.text();
    writing = false;
    await others;
    expect(turns).toBeGreaterThan(3);
  });
});

describe('what the process tells of itself', () => {
  beforeEach(() => {
    metrics.start();
    metrics.start();
  });

  it('has memory, descriptors, CPU, garbage collection and the lag of the event loop', async () => {
    const samples = await read();
    const names = new Set(samples.map(({ name }) => name));
    for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'process_cpu_seconds_total']) {
      expect([name, total(samples, name)! > 0]).toEqual([name, true]);
    }
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
    const types = await metrics.text();
    expect(types).toContain('# TYPE nodejs_gc_duration_seconds histogram');
  });

  it('shows every reader how late the event loop was, however often it is read', async () => {
    const worst = async () => total(await read(), 'aircheck_event_loop_delay_max_seconds')!;
    const hold = () => {
      const end = performance.now() + 200;
      while (performance.now() < end);
    };
    const seen = await until('the delay is seen', async () => {
      hold();
      const delay = await worst();
      return delay > 0.1 ? delay : undefined;
    });
    expect(await worst()).toBeGreaterThanOrEqual(seen);
    const samples = await read();
    const [p50 = -1, p99 = -1, max = -1] = ['p50', 'p99', 'max'].map((name) =>
      total(samples, `aircheck_event_loop_delay_${name}_seconds`),
    );
    expect(p50).toBeGreaterThanOrEqual(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(max).toBeGreaterThanOrEqual(p99);
  });
});
