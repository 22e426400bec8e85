import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

export interface EventLoopDelay {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  sinceMs: number;
}

const resolutionMs = 10;

/** Watches how late this thread comes to its timers. The timer's own interval is taken off the figures. */
export class EventLoopMonitor {
  private readonly histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  private since = performance.now();

  start(): void {
    this.histogram.enable();
  }

  /** The delays since the last call. */
  read(): EventLoopDelay {
    const result = this.peek();
    this.reset();
    return result;
  }

  /** The delays since the last reset. */
  peek(): EventLoopDelay {
    const delay = (ns: number) => Math.max(0, Math.round(ns / 1e4 - resolutionMs * 100) / 100);
    const { histogram } = this;
    return {
      p50Ms: delay(histogram.percentile(50)),
      p99Ms: delay(histogram.percentile(99)),
      maxMs: delay(histogram.max),
      sinceMs: Math.round(performance.now() - this.since),
    };
  }

  reset(): void {
    this.histogram.reset();
    this.since = performance.now();
  }

  stop(): void {
    this.histogram.disable();
  }
}
