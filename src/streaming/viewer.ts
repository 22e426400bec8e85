import type { ServerResponse } from 'node:http';
import { discontinuityPackets } from '../mpegts/packet.ts';
import type { Cursor, Ring, RingEntry } from './ring.ts';

export interface ViewerLimits {
  /** Closed after taking no byte for so long. */
  stallMs: number;
  /** Closed after having to skip so often within a minute. */
  skips: number;
}

export type ViewerEnd = 'left' | 'stalled' | 'skipped-too-often' | 'server-stopped' | 'channel-gone';

/**
 * One connected player: a cursor in its channel's ring. It is written to as fast as it reads and never
 * faster; what it cannot take stays in the ring, so a slow viewer costs the server no memory of its own.
 */
export class Viewer {
  readonly id: string;
  readonly address: string;
  readonly userAgent: string;
  readonly connectedAt = Date.now();
  /** Resolves when the connection has ended, and all that was sent has been taken or given up. */
  readonly closed: Promise<void>;
  bytes = 0;
  skips = 0;
  private cursor: Cursor | undefined;
  private blockedAt: number | undefined;
  private readonly skippedAt: number[] = [];
  private sawPicture = false;
  private ended: ViewerEnd | undefined;

  constructor(
    private readonly deps: {
      id: string;
      response: ServerResponse;
      ring: Ring;
      limits: ViewerLimits;
      /** Monotonic milliseconds. */
      now: () => number;
      onFirstByte?: () => void;
      onFirstPicture?: () => void;
      onSkip?: () => void;
      onEnd: (viewer: Viewer, reason: ViewerEnd) => void;
    },
  ) {
    const { response } = deps;
    this.id = deps.id;
    this.address = response.req.socket.remoteAddress ?? '';
    this.userAgent = response.req.headers['user-agent'] ?? '';
    this.closed = new Promise((resolve) => response.once('close', resolve));
    response.once('close', () => this.finish('left'));
    response.on('error', () => this.finish('left'));
  }

  /** How much of the channel it has not been sent yet. */
  get lagTicks(): number {
    return this.cursor === undefined ? 0 : this.deps.ring.lagOf(this.cursor.sequence);
  }

  get waiting(): boolean {
    return this.cursor === undefined;
  }

  /** Puts the viewer at an entry, which is the first thing that it is sent. */
  enter(entry: RingEntry): void {
    this.cursor = entry.cursor;
    this.send();
  }

  /** Sends what there is, until the connection takes no more. */
  send(): void {
    const { response, ring } = this.deps;
    while (this.cursor !== undefined && this.blockedAt === undefined && this.ended === undefined) {
      if (this.cursor.sequence < ring.first && !this.skip()) return;
      const chunk = ring.get(this.cursor.sequence);
      if (chunk === undefined) return;
      const bytes = this.cursor.offset === 0 ? chunk.bytes : chunk.bytes.subarray(this.cursor.offset);
      this.cursor = { sequence: this.cursor.sequence + 1, offset: 0 };
      if (this.bytes === 0) this.deps.onFirstByte?.();
      this.bytes += bytes.length;
      if (!response.write(bytes)) this.block();
    }
  }

  /** What it is sent from now on shows the programme. */
  notePicture(): void {
    if (this.sawPicture || this.bytes === 0) return;
    this.sawPicture = true;
    this.deps.onFirstPicture?.();
  }

  /** Closes the viewer when it has taken nothing for too long. To be called now and then. */
  check(): void {
    if (this.blockedAt === undefined) return;
    if (this.deps.now() - this.blockedAt > this.deps.limits.stallMs) this.drop('stalled');
  }

  /** Ends the response after the packets that were written. */
  end(reason: 'server-stopped' | 'channel-gone'): void {
    if (this.ended !== undefined) return;
    const { response, limits } = this.deps;
    response.end();
    // One that takes nothing would keep its connection for ever.
    setTimeout(() => response.destroy(), limits.stallMs).unref();
    this.finish(reason);
  }

  /** Ends the connection at once. */
  drop(reason: ViewerEnd): void {
    this.deps.response.destroy();
    this.finish(reason);
  }

  private block(): void {
    this.blockedAt = this.deps.now();
    this.deps.response.once('drain', () => {
      this.blockedAt = undefined;
      this.send();
    });
  }

  /** The ring has moved past the viewer: it goes on at the newest key frame. Returns whether it may. */
  private skip(): boolean {
    const now = this.deps.now();
    const entry = this.deps.ring.newestEntry();
    this.skips++;
    this.deps.onSkip?.();
    this.skippedAt.push(now);
    while (this.skippedAt[0] !== undefined && now - this.skippedAt[0] > 60_000) this.skippedAt.shift();
    if (entry === undefined || this.skippedAt.length > this.deps.limits.skips) {
      this.drop('skipped-too-often');
      return false;
    }
    this.cursor = entry.cursor;
    if (!this.deps.response.write(discontinuityPackets(entry.counters))) this.block();
    return this.blockedAt === undefined;
  }

  private finish(reason: ViewerEnd): void {
    if (this.ended !== undefined) return;
    this.ended = reason;
    this.deps.onEnd(this, reason);
  }
}
