import { encodersOf } from '../broadcast.ts';
import type { Chaos } from './context.ts';
import type { MetricsReading } from './metrics.ts';
import { figuresOf } from './process-figures.ts';

export interface Minute {
  /** Since the beginning. */
  minute: number;
  rssMegabytes: number;
  descriptors: number;
  encoders: number;
  worstGapMs: number;
  restarts: Record<string, number> | undefined;
  spawns: number | undefined;
  /** How late the server's streaming thread came to its work. */
  loopMaxMs: number | undefined;
}

/** Samples what a long run is judged by. */
export class Minutes {
  readonly list: Minute[] = [];
  /** The most restarts in any 60 s, by the metrics. */
  mostRestarts = 0;
  private readonly restarts: { at: number; total: number }[] = [];

  constructor(private readonly chaos: Chaos) {
    chaos.gate.onReading((reading) => this.count(reading));
  }

  async sample(): Promise<Minute> {
    const { station, gate, watchers, log } = this.chaos;
    const figures = await figuresOf(station.server.pid);
    const server = await this.chaos.api.call('GET', '/server');
    const gaps = [...watchers.values()].map((watcher) => watcher.figures().worstGapMs);
    const minute: Minute = {
      minute: Math.round((performance.now() - log.startedAt) / 6_000) / 10,
      rssMegabytes: figures.rssMegabytes,
      descriptors: figures.descriptors,
      encoders: (await encodersOf(station.server)).length,
      worstGapMs: Math.max(0, ...gaps),
      restarts: gate.latest?.by('aircheck_restarts_total', 'cause'),
      spawns: server?.body?.encoders?.spawns,
      loopMaxMs: server?.body?.eventLoop?.maxMs,
    };
    this.list.push(minute);
    return minute;
  }

  /** Growth in a minute, by a straight line through the samples without the first third, in which caches fill. */
  slope(what: 'rssMegabytes' | 'descriptors'): number {
    const samples = this.list.slice(Math.floor(this.list.length / 3));
    const n = samples.length;
    if (n < 3) return 0;
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / n;
    const x = samples.map(({ minute }) => minute);
    const y = samples.map((sample) => sample[what]);
    const [meanX, meanY] = [mean(x), mean(y)];
    const above = x.reduce((sum, value, index) => sum + (value - meanX) * (y[index]! - meanY), 0);
    const below = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
    return below === 0 ? 0 : above / below;
  }

  private count(reading: MetricsReading): void {
    const now = performance.now();
    const total = reading.sum('aircheck_restarts_total');
    this.restarts.push({ at: now, total });
    while (this.restarts[0] !== undefined && now - this.restarts[0].at > 60_000) this.restarts.shift();
    this.mostRestarts = Math.max(this.mostRestarts, total - (this.restarts[0]?.total ?? total));
  }
}
