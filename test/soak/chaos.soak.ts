import { mkdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { runChaos } from '../support/chaos/chaos.ts';
import { makeStation } from '../support/chaos/station.ts';

const minutes = Number(process.env.CHAOS_MINUTES ?? 60);
const channels = Number(process.env.CHAOS_CHANNELS ?? 10);
const lingerMs = 5_000;

const say = (text: string) => process.stdout.write(`${text}\n`);

// CHAOS_DATABASE=embedded leaves a PostgreSQL alone that the machine may have.
it(
  'chaos: hours of harm leave viewers watching and nothing behind',
  async () => {
    const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
    await mkdir('.demo', { recursive: true });
    say(`  CHAOS_SEED=${seed}, ${minutes} minutes, ${channels} channels`);
    const station = await makeStation({
      channels,
      embedded: process.env.CHAOS_DATABASE === 'embedded',
      settings: {
        AIRCHECK_STREAMING_LINGER_MS: String(lingerMs),
        // Each channel has two encoders at a joint.
        AIRCHECK_STREAMING_MAX_PROCESSES: String(3 * channels + 8),
      },
    });
    try {
      // A restart for each kill and four for a broken file: with these pauses some five in a minute, of ten allowed.
      const channelPauseMs: [number, number] = [15_000 * channels, 30_000 * channels];
      const { faults, minutes: sampled } = await runChaos(station, {
        seed,
        durationMs: minutes * 60_000,
        lingerMs,
        channelPauseMs,
        serverPauseMs: [60_000, 240_000],
        awayMs: [5_000, 60_000],
        audiencePauseMs: [500, 5_000],
        editPauseMs: [10_000, 40_000],
        growthMegabytes: 250,
        say,
        logFile: '.demo/chaos-soak.log',
      });
      expect(faults).toEqual([]);
      // What the gate lets through in a minute, and encoders that were killed at work.
      expect(sampled.mostRestarts).toBeLessThanOrEqual(20);
      // In less time, what is allocated for good cannot be told from what is lost.
      if (minutes < 30) return;
      expect(sampled.slope('rssMegabytes')).toBeLessThan(0.5);
      expect(sampled.slope('descriptors')).toBeLessThan(0.1);
    } finally {
      await station.stop();
    }
  },
  (2 * minutes + 15) * 60_000,
);
