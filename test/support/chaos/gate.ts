import type { RunningServer } from '../server.ts';
import { type MetricsReading, readMetrics } from './metrics.ts';

/** Breakers and refusals older than this no longer excuse anything. */
const keptMs = 900_000;
/** Who is throttled waits for so long at most, before it asks again. */
const longestThrottleMs = 60_000;

/** Knows when the restart gate kept channels waiting, by the server's own metrics. */
export class Gate {
  /** The latest reading; undefined while the server gives none. */
  latest: MetricsReading | undefined;
  private readonly held: { channel: string | undefined; at: number }[] = [];
  private readonly listeners: ((reading: MetricsReading) => void)[] = [];

  constructor(private readonly server: RunningServer) {}

  /** To be called every second. */
  async look(): Promise<void> {
    const reading = await readMetrics(this.server);
    if (reading === undefined) return;
    const now = performance.now();
    // Whose restart it was that had to wait for those of others, the metrics do not say.
    const throttled = (from: MetricsReading) =>
      from.sum('aircheck_restart_refusals_total', { reason: 'throttled' });
    if (this.latest !== undefined && throttled(reading) > throttled(this.latest)) {
      this.held.push({ channel: undefined, at: now });
    }
    for (const [channel, state] of Object.entries(reading.by('aircheck_breaker_state', 'channel'))) {
      if (state !== 0) this.held.push({ channel, at: now });
    }
    while (this.held[0] !== undefined && now - this.held[0].at > keptMs) this.held.shift();
    this.latest = reading;
    for (const listener of this.listeners) listener(reading);
  }

  onReading(listener: (reading: MetricsReading) => void): void {
    this.listeners.push(listener);
  }

  /** Whether a channel had to wait at some time since then (monotonic milliseconds). */
  heldSince(channelNumber: string, since: number): boolean {
    return this.held.some(({ channel, at }) =>
      channel === undefined ? at >= since - longestThrottleMs : at >= since && channel === channelNumber,
    );
  }
}
