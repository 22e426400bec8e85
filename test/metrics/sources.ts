import type { MetricSources, StreamView } from '../../src/metrics/sources.ts';

/** Sources of a server that does nothing, of which a test changes what it is about. */
export function quietSources(): MetricSources {
  return {
    version: '1.2.3',
    lineup: () => [],
    horizonEndsAt: () => undefined,
    streams: () => [],
    bytesSent: () => 0,
    encoders: () => ({ running: 0, slotsUsed: 0, slots: 16 }),
    inspectors: () => 0,
    tasks: () => [],
    isReady: () => true,
    checks: () => ({}),
  };
}

/** A channel on air. */
export function streamOf(number: string, more: Partial<StreamView> = {}): StreamView {
  return {
    channelId: `channel-${number}`,
    number,
    name: `Channel ${number}`,
    state: 'programme',
    startedAt: 0,
    leadMs: 1_000,
    joints: 0,
    restarts: 0,
    breaker: 'closed',
    warnings: [],
    lastOutputAgeMs: 0,
    bufferBytes: 0,
    viewers: [],
    ...more,
  };
}

export function viewerOf(more: Partial<StreamView['viewers'][number]> = {}): StreamView['viewers'][number] {
  return {
    id: 'viewer',
    address: '192.0.2.1',
    userAgent: 'test',
    connectedAt: 0,
    bytes: 0,
    lagMs: 0,
    skips: 0,
    ...more,
  };
}
