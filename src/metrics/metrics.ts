import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Histogram, Registry } from 'prom-client';
import { EventLoopWindow } from './event-loop-window.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { ScrapeMetrics } from './scrape-metrics.ts';
import type { MetricSources } from './sources.ts';
import { StreamingMetrics } from './streaming-metrics.ts';
import { observeMs } from './values.ts';

/** A text of thousands of lines is written in slices, between which the streams have their turn. */
const sliceMs = 1;

const databaseBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const planBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

type Outcome = 'ok' | 'failed';

/** Everything that the server counts and measures of itself, as Prometheus reads it. */
export class Metrics {
  /** To be told of what happens on the streaming side. */
  readonly streaming: StreamingMetrics;
  /** To be told of what is asked of the database. */
  readonly database: {
    called(outcome: Outcome, ms: number): void;
    retried(): void;
    gaveUp(): void;
  };
  readonly #registry = new Registry();
  readonly #atScrape: ScrapeMetrics;
  readonly #eventLoop = new EventLoopWindow();
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #plans: Histogram<'kind' | 'outcome'>;
  #started = false;
  #writing: Promise<string> | undefined;

  constructor(sources: MetricSources) {
    const registers = [this.#registry];
    this.streaming = new StreamingMetrics(this.#registry);
    this.#atScrape = new ScrapeMetrics(this.#registry, {
      sources,
      breakers: this.streaming.breakers,
      eventLoop: this.#eventLoop,
    });
    this.database = databaseMetrics(this.#registry);
    this.#plans = new Histogram({
      name: 'aircheck_plan_duration_seconds',
      help: 'How long it took to plan and store a timeline: one that is extended, or one that is rebuilt.',
      labelNames: ['kind', 'outcome'] as const,
      buckets: planBuckets,
      registers,
    });
    for (const kind of ['extend', 'rebuild']) {
      for (const outcome of ['ok', 'failed']) this.#plans.zero({ kind, outcome });
    }
    this.#requests = new Counter({
      name: 'aircheck_http_requests_total',
      help: 'Requests that were answered; a stream counts when it begins.',
      labelNames: ['method', 'route', 'status'] as const,
      registers,
    });
  }

  /** Begins to watch the process. May be called twice. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#eventLoop.start();
    addProcessMetrics(this.#registry);
  }

  stop(): void {
    this.#eventLoop.stop();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics as they are now. Those who ask at the same time get the same text. */
  text(): Promise<string> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Counts an answer. `route` is the pattern that has matched, never the address that was asked for. */
  answered(request: { method: string; route: string; status: number }): void {
    const { method, route, status } = request;
    this.#requests.inc({
      method: methods.has(method) ? method : 'other',
      route,
      status: `${Math.floor(status / 100)}xx`,
    });
  }

  /** Runs a plan and measures it. */
  async planned<T>(kind: 'extend' | 'rebuild', plan: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const note = (outcome: Outcome) =>
      observeMs(this.#plans, { kind, outcome }, performance.now() - startedAt);
    try {
      const result = await plan();
      note('ok');
      return result;
    } catch (error) {
      note('failed');
      throw error;
    }
  }

  async #write(): Promise<string> {
    this.#atScrape.look();
    const parts: string[] = [];
    let since = performance.now();
    for (const { name } of this.#registry.getMetricsAsArray()) {
      parts.push(await this.#registry.getSingleMetricAsString(name));
      if (performance.now() - since < sliceMs) continue;
      await nextTurn();
      since = performance.now();
    }
    return `${parts.join('\n\n')}\n`;
  }
}

/** Whatever else a client may call its method. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function databaseMetrics(registry: Registry): Metrics['database'] {
  const registers = [registry];
  const calls = new Histogram({
    name: 'aircheck_database_call_duration_seconds',
    help: 'How long the database took to answer.',
    labelNames: ['outcome'] as const,
    buckets: databaseBuckets,
    registers,
  });
  for (const outcome of ['ok', 'failed']) calls.zero({ outcome });
  const retries = new Counter({
    name: 'aircheck_database_retries_total',
    help: 'Calls of the database that were tried again.',
    registers,
  });
  const givenUp = new Counter({
    name: 'aircheck_database_given_up_total',
    help: 'Calls of the database that were given up after the last try.',
    registers,
  });
  return {
    called: (outcome, ms) => observeMs(calls, { outcome }, ms),
    retried: () => retries.inc(),
    gaveUp: () => givenUp.inc(),
  };
}
