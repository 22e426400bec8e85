import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { channelDisturbances } from '../support/chaos/channel-disturbances.ts';
import { type ChaosReport, runChaos } from '../support/chaos/chaos.ts';
import { serverDisturbances } from '../support/chaos/server-disturbances.ts';
import { makeStation, type Station } from '../support/chaos/station.ts';

const lingerMs = 1_500;

// CHAOS_SEED repeats the order of an earlier run; test/soak/chaos.soak.ts is the same for an hour.
describe('a server to which everything happens at once', () => {
  const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
  let station: Station;
  let report: ChaosReport;

  beforeAll(async () => {
    console.log(`CHAOS_SEED=${seed}`);
    station = await makeStation({
      channels: 3,
      settings: {
        AIRCHECK_STREAMING_LINGER_MS: String(lingerMs),
        AIRCHECK_STREAMING_VIEWER_STALL_MS: '3000',
        // As much harm in a minute as a year holds: the limits against storms are another test's matter.
        AIRCHECK_STREAMING_BREAKER_OPEN_MS: '5000',
        AIRCHECK_STREAMING_RESTARTS_PER_MINUTE: '100',
        AIRCHECK_STREAMING_RESTART_DISTANCE_MS: '1000',
      },
    });
    report = await runChaos(station, {
      seed,
      durationMs: 60_000,
      lingerMs,
      channelPauseMs: [500, 2_500],
      serverPauseMs: [2_000, 6_000],
      awayMs: [5_000, 9_000],
      audiencePauseMs: [300, 1_500],
      editPauseMs: [1_500, 4_000],
      growthMegabytes: 250,
      say: (text) => console.log(text),
      ...(process.env.CHAOS_LOG ? { logFile: process.env.CHAOS_LOG } : {}),
    });
  }, 420_000);

  afterAll(() => station?.stop(), 60_000);

  it('keeps its viewers, brings their programmes back in time, and has nothing left over at the end', () => {
    expect(report.faults).toEqual([]);
  });

  it('was done every kind of harm that this machine allows', () => {
    const wanted = new Set<string>([...channelDisturbances, ...serverDisturbances({ station })]);
    expect([...wanted].filter((kind) => !report.operations.has(kind))).toEqual([]);
  });
});
