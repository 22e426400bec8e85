import http from 'node:http';
import type { OwnLag } from './own-lag.ts';
import { StreamChecker, type StreamFigures } from './stream-checker.ts';

/**
 * `refused`: another answer than 200. `ended`: by the server, in order. `broken`: by the server, without a proper
 * end. `left`: by itself.
 */
export type WatcherState = 'connecting' | 'watching' | 'refused' | 'ended' | 'broken' | 'left';

export interface WatcherFigures extends StreamFigures {
  /** The longest time without a byte after the first one, as far as the server is to blame. */
  worstGapMs: number;
  /** When it was over, in monotonic milliseconds. */
  worstGapAt: number;
}

/** A player that watches for as long as one likes, and keeps no more than counts of what it saw. */
export class Watcher {
  state: WatcherState = 'connecting';
  status: number | undefined;
  retryAfter: string | undefined;
  firstByteMs: number | undefined;
  /** Monotonic milliseconds of the end, however it came. */
  endedAt: number | undefined;
  readonly checker = new StreamChecker();
  /** Resolves when it no longer watches. */
  readonly over: Promise<void>;
  private readonly startedAt = performance.now();
  private lastAt: number | undefined;
  private worstGap = { ms: 0, at: 0 };
  private readonly request: http.ClientRequest;
  private readonly finish: (state: WatcherState) => void;

  constructor(
    readonly url: string,
    private readonly deps: {
      lag: OwnLag;
      /** Also gets every byte, for a decoder for example. */
      onBytes?: (bytes: Buffer) => void;
    },
  ) {
    let over = () => {};
    this.over = new Promise((resolve) => {
      over = resolve;
    });
    this.finish = (state) => {
      if (this.endedAt !== undefined) return;
      this.noteGap(performance.now());
      this.endedAt = performance.now();
      this.state = state;
      this.request.destroy();
      over();
    };
    this.request = http.get(url, { agent: false }, (response) => this.watch(response));
    this.request.on('error', () => this.finish('broken'));
  }

  get connected(): boolean {
    return this.state === 'watching';
  }

  leave(): void {
    this.finish('left');
  }

  figures(): WatcherFigures {
    const now = performance.now();
    if (this.endedAt === undefined) this.noteGap(now);
    return {
      ...this.checker.figures(),
      worstGapMs: Math.round(this.worstGap.ms),
      worstGapAt: this.worstGap.at,
    };
  }

  private watch(response: http.IncomingMessage): void {
    this.status = response.statusCode;
    this.retryAfter = response.headers['retry-after'];
    if (response.statusCode !== 200) {
      response.resume();
      this.finish('refused');
      return;
    }
    this.state = 'watching';
    response.on('data', (bytes: Buffer) => {
      const now = performance.now();
      this.firstByteMs ??= now - this.startedAt;
      this.noteGap(now);
      this.lastAt = now;
      this.checker.push(bytes, now);
      this.deps.onBytes?.(bytes);
    });
    response.on('end', () => this.finish(response.complete ? 'ended' : 'broken'));
    response.on('error', () => this.finish('broken'));
    response.on('close', () => this.finish('broken'));
  }

  private noteGap(now: number): void {
    if (this.lastAt === undefined) return;
    if (now - this.lastAt <= this.worstGap.ms) return;
    const ms = now - this.lastAt - this.deps.lag.within(this.lastAt, now);
    if (ms > this.worstGap.ms) this.worstGap = { ms, at: now };
  }
}
