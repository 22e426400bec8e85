import type { Logger } from 'pino';
import { UnavailableError } from '../errors.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { RenderedGuide } from './render.ts';

/** A whole guide, ready to be sent with one write. It is replaced, never changed. */
export interface GuideSnapshot {
  body: Buffer<ArrayBuffer>;
  gzip: Buffer<ArrayBuffer>;
  /** Of `body` and of `gzip`, with quotes. */
  etag: string;
  gzipEtag: string;
  /** When the content last changed. */
  lastModified: EpochMs;
  builtAt: EpochMs;
}

/**
 * Keeps the guide as text. Whoever asks after an edit gets the guide with that edit, and one build serves all
 * who wait. When building fails, the last good guide is served.
 */
export class GuideService {
  private current: GuideSnapshot | undefined;
  /** Counts edits; a guide shows all edits up to its own number. */
  private edits = 0;
  private shown = -1;
  /** Answers how many edits had been made when it began. */
  private building: Promise<number> | undefined;
  private failed: { at: EpochMs; edits: number; error: unknown } | undefined;

  constructor(
    private readonly deps: {
      /** Gives up when the signal aborts. */
      render: (options: { now: EpochMs; signal: AbortSignal }) => Promise<RenderedGuide>;
      log: Logger;
      now?: () => EpochMs;
      /** A guide older than this is built anew when it is asked for. */
      maxAgeMs?: number;
      /** No new attempt so soon after one that failed. */
      retryMs?: number;
      timeoutMs?: number;
    },
  ) {}

  /** The guide with all edits made so far. Throws UnavailableError when there is none and none can be built. */
  async snapshot(): Promise<GuideSnapshot> {
    const wanted = this.edits;
    let tried = this.isFresh(wanted) || this.hasFailed(wanted) ? wanted : -1;
    while (tried < wanted) tried = await this.nextBuild();
    if (this.current !== undefined) return this.current;
    throw new UnavailableError('The guide is not available at the moment.', {
      operation: 'building the guide',
      cause: this.failed?.error,
      retryAfterSeconds: Math.ceil(this.retryMs / 1000),
    });
  }

  /** Something that the guide shows has changed, of one channel or of several: the next snapshot has it. */
  invalidate(channelId?: string): void {
    this.edits += 1;
    this.deps.log.debug({ channelId }, 'the guide will be built anew');
  }

  private isFresh(wanted: number): boolean {
    const maxAgeMs = this.deps.maxAgeMs ?? 600_000;
    return this.current !== undefined && this.shown >= wanted && this.now() - this.current.builtAt < maxAgeMs;
  }

  private hasFailed(wanted: number): boolean {
    const { failed } = this;
    return failed !== undefined && failed.edits >= wanted && this.now() - failed.at < this.retryMs;
  }

  /** The build that is under way, or a new one. */
  private nextBuild(): Promise<number> {
    this.building ??= this.build().finally(() => {
      this.building = undefined;
    });
    return this.building;
  }

  private async build(): Promise<number> {
    const { log } = this.deps;
    const edits = this.edits;
    const now = this.now();
    try {
      const rendered = await this.renderInTime(now);
      this.accept(rendered, now);
      this.shown = edits;
      this.failed = undefined;
      for (const problem of rendered.problems) log.warn(problem, 'the guide of a channel could not be built');
      const { channels, body, gzip } = rendered;
      const tookMs = this.now() - now;
      log.debug({ channels, bytes: body.length, gzipBytes: gzip.length, tookMs }, 'the guide was built');
    } catch (error) {
      this.failed = { at: this.now(), edits, error };
      log.warn({ err: error, servedFrom: this.current?.builtAt }, 'building the guide failed');
    }
    return edits;
  }

  private async renderInTime(now: EpochMs): Promise<RenderedGuide> {
    const timeoutMs = this.deps.timeoutMs ?? 120_000;
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `Building the guide took longer than ${timeoutMs} ms.`;
        const error = new UnavailableError(message, { operation: 'building the guide' });
        controller.abort(error);
        reject(error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([this.deps.render({ now, signal: controller.signal }), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The same content keeps its buffers and its date. */
  private accept({ body, gzip, etag }: RenderedGuide, builtAt: EpochMs): void {
    if (this.current?.etag === etag) {
      this.current = { ...this.current, builtAt };
      return;
    }
    this.current = {
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
      gzip: Buffer.from(gzip.buffer, gzip.byteOffset, gzip.byteLength),
      etag,
      gzipEtag: etag.replace(/"$/, '-gzip"'),
      lastModified: builtAt,
      builtAt,
    };
  }

  private get retryMs(): number {
    return this.deps.retryMs ?? 5_000;
  }

  private now(): EpochMs {
    return (this.deps.now ?? Date.now)();
  }
}
