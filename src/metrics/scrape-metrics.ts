import { Counter, Gauge, type Registry } from 'prom-client';
import type { EventLoopDelay } from '../event-loop.ts';
import type { BreakerState } from '../streaming/observer.ts';
import type { MetricSources, StreamView, TaskView } from './sources.ts';
import { set } from './values.ts';

type EventLoopDelays = Pick<EventLoopDelay, 'p50Ms' | 'p99Ms' | 'maxMs'>;

/** What the sources say at one moment: asked once, told by many metrics. */
interface Look {
  at: number;
  lineup: readonly { id: string; number: string }[];
  streams: readonly StreamView[];
  tasks: readonly TaskView[];
  encoders: ReturnType<MetricSources['encoders']>;
  eventLoop: EventLoopDelays;
}

type Write<L extends string> = (
  write: (labels: Record<L, string>, value: number) => void,
  look: Look,
) => void;

const states: Record<StreamView['state'], true> = { starting: true, programme: true, slate: true };
const breakerValues: Record<BreakerState, number> = { closed: 0, 'half-open': 1, open: 2 };

/** The metrics whose values are read at the moment at which somebody asks for them. */
export class ScrapeMetrics {
  readonly #registry: Registry;
  readonly #sources: MetricSources;
  readonly #breakers: Map<string, BreakerState>;
  readonly #eventLoop: { read(): EventLoopDelays };
  #look = nothing;

  constructor(
    registry: Registry,
    from: {
      sources: MetricSources;
      /** What is known of breakers, by channel number; those of channels that are gone are removed. */
      breakers: Map<string, BreakerState>;
      eventLoop: { read(): EventLoopDelays };
    },
  ) {
    this.#registry = registry;
    this.#sources = from.sources;
    this.#breakers = from.breakers;
    this.#eventLoop = from.eventLoop;
    this.#addServer();
    this.#addEncoders();
    this.#addChannels();
    this.#addViewers();
    this.#addTasks();
  }

  /** Asks the sources. What is written after is what they said now. */
  look(): void {
    const sources = this.#sources;
    this.#look = {
      at: Date.now(),
      lineup: sources.lineup(),
      streams: sources.streams(),
      tasks: sources.tasks(),
      encoders: sources.encoders(),
      eventLoop: this.#eventLoop.read(),
    };
    const numbers = new Set(this.#look.lineup.map(({ number }) => number));
    for (const number of this.#breakers.keys()) if (!numbers.has(number)) this.#breakers.delete(number);
  }

  #addServer(): void {
    this.#gauge('aircheck_build_info', 'The release that runs.', ['version'], (write) =>
      write({ version: this.#sources.version }, 1),
    );
    this.#gauge('aircheck_ready', 'Whether the server can take viewers: 1 or 0.', [], (write) =>
      write({}, Number(this.#sources.isReady())),
    );
    this.#gauge(
      'aircheck_health_check_ok',
      'Whether what the server needs is there: 1 or 0.',
      ['check'],
      (write) => {
        for (const [check, { ok }] of Object.entries(this.#sources.checks())) write({ check }, Number(ok));
      },
    );
    const delays = [
      ['p50', 'half of the times', ({ p50Ms }: EventLoopDelays) => p50Ms],
      ['p99', 'at worst in 99 of 100 times', ({ p99Ms }: EventLoopDelays) => p99Ms],
      ['max', 'at worst', ({ maxMs }: EventLoopDelays) => maxMs],
    ] as const;
    for (const [name, text, ms] of delays) {
      this.#gauge(
        `aircheck_event_loop_delay_${name}_seconds`,
        `How late the streaming thread came to its work in the last half to whole minute: ${text}.`,
        [],
        (write, { eventLoop }) => write({}, ms(eventLoop) / 1000),
      );
    }
  }

  #addEncoders(): void {
    this.#gauge('aircheck_processes', 'Processes that the server runs.', ['kind'], (write, { encoders }) => {
      write({ kind: 'encoder' }, encoders.running);
      write({ kind: 'inspector' }, this.#sources.inspectors());
    });
    this.#gauge(
      'aircheck_encoder_slots_used',
      'Encoders that run or wait for their turn to start.',
      [],
      (write, { encoders }) => write({}, encoders.slotsUsed),
    );
    this.#gauge('aircheck_encoder_slots', 'Encoders that may run.', [], (write, { encoders }) =>
      write({}, encoders.slots),
    );
  }

  #addChannels(): void {
    this.#gauge('aircheck_channels', 'Enabled channels.', [], (write, { lineup }) =>
      write({}, lineup.length),
    );
    this.#gauge(
      'aircheck_channels_on_air',
      'Channels on air, by what they send.',
      ['state'],
      (write, { streams }) => {
        for (const state of Object.keys(states)) {
          write({ state }, streams.filter((stream) => stream.state === state).length);
        }
      },
    );
    this.#gauge(
      'aircheck_channel_slate',
      'Whether a channel on air shows its slate: 1 or 0.',
      ['channel'],
      (write, { streams }) => {
        for (const { number, state } of streams) write({ channel: number }, Number(state === 'slate'));
      },
    );
    this.#gauge(
      'aircheck_channel_output_age_seconds',
      'How long ago a channel on air last had something for its viewers.',
      ['channel'],
      (write, { streams }) => {
        for (const { number, lastOutputAgeMs } of streams) {
          write({ channel: number }, lastOutputAgeMs / 1000);
        }
      },
    );
    this.#gauge(
      'aircheck_breaker_state',
      'The circuit breaker of a channel: 0 closed, 1 half-open (one trial), 2 open.',
      ['channel'],
      (write, { lineup, streams }) => {
        for (const { number } of lineup) {
          write({ channel: number }, breakerValues[this.#breakers.get(number) ?? 'closed']);
        }
        for (const { number, breaker } of streams) {
          if (breaker !== undefined) write({ channel: number }, breakerValues[breaker]);
        }
      },
    );
    this.#gauge(
      'aircheck_playout_horizon_seconds',
      'How far ahead the timeline of a channel is planned.',
      ['channel'],
      (write, { lineup, at }) => {
        for (const { id, number } of lineup) {
          write({ channel: number }, ((this.#sources.horizonEndsAt(id) ?? at) - at) / 1000);
        }
      },
    );
  }

  #addViewers(): void {
    this.#gauge(
      'aircheck_viewers',
      'Players that are connected.',
      ['channel'],
      (write, { lineup, streams }) => {
        for (const { number } of lineup) write({ channel: number }, 0);
        for (const { number, viewers } of streams) write({ channel: number }, viewers.length);
      },
    );
    this.#gauge(
      'aircheck_viewer_lag_seconds',
      'How much of the channel the viewer that is furthest behind has not been sent yet.',
      ['channel'],
      (write, { streams }) => {
        for (const { number, viewers } of streams) {
          write({ channel: number }, Math.max(0, ...viewers.map(({ lagMs }) => lagMs)) / 1000);
        }
      },
    );
    this.#counter('aircheck_sent_bytes_total', 'What all viewers were sent.', [], (write) =>
      write({}, this.#sources.bytesSent()),
    );
  }

  #addTasks(): void {
    this.#counter(
      'aircheck_task_runs_total',
      'Runs of what the server does by itself.',
      ['task', 'outcome'],
      (write, { tasks }) => {
        for (const { name, runs, failures } of tasks) {
          write({ task: name, outcome: 'ok' }, runs - failures);
          write({ task: name, outcome: 'failed' }, failures);
        }
      },
    );
    this.#gauge(
      'aircheck_task_last_duration_seconds',
      'How long the last run of a task took.',
      ['task'],
      (write, { tasks }) => {
        for (const { name, lastDurationMs } of tasks) {
          if (lastDurationMs !== undefined) write({ task: name }, lastDurationMs / 1000);
        }
      },
    );
    this.#gauge(
      'aircheck_task_last_success_timestamp_seconds',
      'When a task last ended well, in Unix time.',
      ['task'],
      (write, { tasks }) => {
        for (const { name, lastSucceededAt } of tasks) {
          if (lastSucceededAt !== undefined) write({ task: name }, lastSucceededAt / 1000);
        }
      },
    );
  }

  /** Written anew each time, so that the labels of what is gone go with it. */
  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[], write: Write<L>): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        write((labels, value) => set(gauge, labels, value), this.#look);
      },
    });
  }

  /** For what is counted elsewhere. */
  #counter<L extends string>(name: string, help: string, labelNames: readonly L[], write: Write<L>): void {
    const counter = new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        write((labels, value) => counter.inc(labels, value), this.#look);
      },
    });
  }
}

const nothing: Look = {
  at: 0,
  lineup: [],
  streams: [],
  tasks: [],
  encoders: { running: 0, slotsUsed: 0, slots: 0 },
  eventLoop: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
};
