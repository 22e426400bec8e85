import { Counter, Histogram, type Registry } from 'prom-client';
import type {
  BreakerState,
  RestartCause,
  RestartRefusal,
  SpawnRefusal,
  StreamingObserver,
} from '../streaming/observer.ts';
import type { ViewerEnd } from '../streaming/viewer.ts';
import { observeMs } from './values.ts';

type Tune = 'cold' | 'warm';
type EncoderEnd = Parameters<StreamingObserver['encoderEnded']>[0];

// Every value that a label can have. The compiler knows when one is missing.
const encoderEnds: Record<EncoderEnd, true> = { finished: true, released: true, killed: true, failed: true };
const spawnRefusals: Record<SpawnRefusal, true> = {
  'pool-full': true,
  memory: true,
  'file-descriptors': true,
  stopping: true,
};
const restartCauses: Record<RestartCause, true> = {
  retry: true,
  takeover: true,
  trial: true,
  health: true,
  age: true,
};
const restartRefusals: Record<RestartRefusal, true> = {
  'breaker-open': true,
  'too-soon': true,
  throttled: true,
};
const viewerEnds: Record<ViewerEnd, true> = {
  left: true,
  stalled: true,
  'skipped-too-often': true,
  'server-stopped': true,
  'channel-gone': true,
};
const tunes: Record<Tune, true> = { cold: true, warm: true };

/** A joint without a slate has a gap of 0, which is what all should have. */
const gapBuckets = [0, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];
/** Around what is promised: 0.1 s warm and 0.7 s cold to the first byte, 0.3 s and 1.5 s to the first picture. */
const tuneBuckets = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10];

/** Counts what the streaming side tells of itself. */
export class StreamingMetrics implements StreamingObserver {
  /** By channel number. What is never heard of is closed. */
  readonly breakers = new Map<string, BreakerState>();
  readonly #spawns: Counter;
  readonly #ends: Counter<'how'>;
  readonly #spawnRefusals: Counter<'reason'>;
  readonly #restarts: Counter<'cause'>;
  readonly #restartRefusals: Counter<'reason'>;
  readonly #gaps: Histogram;
  readonly #firstBytes: Histogram<'tune'>;
  readonly #firstPictures: Histogram<'tune'>;
  readonly #skips: Counter;
  readonly #closes: Counter<'reason'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#spawns = new Counter({
      name: 'aircheck_encoder_spawns_total',
      help: 'Encoders that were started.',
      registers,
    });
    this.#ends = counter(registry, 'how', encoderEnds, {
      name: 'aircheck_encoder_ends_total',
      help: 'Encoders that have ended: finished, released by the server, killed from outside, or failed.',
    });
    this.#spawnRefusals = counter(registry, 'reason', spawnRefusals, {
      name: 'aircheck_spawn_refusals_total',
      help: 'Encoders that were asked for and not started.',
    });
    this.#restarts = counter(registry, 'cause', restartCauses, {
      name: 'aircheck_restarts_total',
      help: 'Encoders that were started in the place of another one.',
    });
    this.#restartRefusals = counter(registry, 'reason', restartRefusals, {
      name: 'aircheck_restart_refusals_total',
      help: 'Restarts that had to wait or were not made.',
    });
    this.#gaps = new Histogram({
      name: 'aircheck_joint_gap_seconds',
      help: 'How long the slate stood between one item and the next.',
      buckets: gapBuckets,
      registers,
    });
    this.#firstBytes = histogram(registry, {
      name: 'aircheck_tune_first_byte_seconds',
      help: 'From the request of a viewer to its first byte, cold where the channel was not on air.',
    });
    this.#firstPictures = histogram(registry, {
      name: 'aircheck_tune_first_picture_seconds',
      help: 'From the request of a viewer to its first picture of the programme.',
    });
    this.#skips = new Counter({
      name: 'aircheck_viewer_skips_total',
      help: 'How often viewers were so slow that they had to skip.',
      registers,
    });
    this.#closes = counter(registry, 'reason', viewerEnds, {
      name: 'aircheck_viewer_closes_total',
      help: 'Viewers that have gone, by why.',
    });
  }

  encoderSpawned(): void {
    this.#spawns.inc();
  }

  encoderEnded(how: EncoderEnd): void {
    this.#ends.inc({ how });
  }

  spawnRefused(reason: SpawnRefusal): void {
    this.#spawnRefusals.inc({ reason });
  }

  restarted(cause: RestartCause): void {
    this.#restarts.inc({ cause });
  }

  restartRefused(reason: RestartRefusal): void {
    this.#restartRefusals.inc({ reason });
  }

  breakerChanged(channelNumber: string, state: BreakerState): void {
    this.breakers.set(channelNumber, state);
  }

  joint(slateMs: number): void {
    observeMs(this.#gaps, {}, slateMs);
  }

  firstByte(tune: Tune, ms: number): void {
    observeMs(this.#firstBytes, { tune }, ms);
  }

  firstPicture(tune: Tune, ms: number): void {
    observeMs(this.#firstPictures, { tune }, ms);
  }

  viewerSkipped(): void {
    this.#skips.inc();
  }

  viewerClosed(reason: ViewerEnd): void {
    this.#closes.inc({ reason });
  }
}

/** A counter whose labels are all there from the beginning, so that the first increase is seen as one. */
function counter<L extends string>(
  registry: Registry,
  label: L,
  values: Record<string, true>,
  names: { name: string; help: string },
): Counter<L> {
  const made = new Counter({ ...names, labelNames: [label], registers: [registry] });
  for (const value of Object.keys(values)) made.inc({ [label]: value } as Record<L, string>, 0);
  return made;
}

function histogram(registry: Registry, names: { name: string; help: string }): Histogram<'tune'> {
  const made = new Histogram({
    ...names,
    labelNames: ['tune'] as const,
    buckets: tuneBuckets,
    registers: [registry],
  });
  for (const tune of Object.keys(tunes)) made.zero({ tune });
  return made;
}
