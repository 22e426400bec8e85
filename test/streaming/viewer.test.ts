import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Muxer } from '../../src/mpegts/muxer.ts';
import { Ring } from '../../src/streaming/ring.ts';
import { Viewer, type ViewerEnd } from '../../src/streaming/viewer.ts';
import { makeSource } from '../mpegts/units.ts';
import { analyse } from '../support/transport-stream.ts';
import { eventually } from './processes.ts';

const frameTicks = 3600;
const stallMs = 10_000;

/** A channel's ring with an endless programme, and a server that lets viewers at it. */
class Station {
  readonly ring: Ring;
  readonly viewers = new Set<Viewer>();
  readonly ends: ViewerEnd[] = [];
  /** Monotonic milliseconds as the viewers count them. */
  now = 0;
  largestChunk = 0;
  private readonly muxer = new Muxer({ provider: 'aircheck', name: 'Five' });
  private seconds = 0;
  private readonly server = createServer((_, response) => this.accept(response));
  private readonly responses: ServerResponse[] = [];

  constructor(private readonly options: { ringBytes?: number; skips?: number; pictureBytes?: number } = {}) {
    this.ring = new Ring({ ticks: 10 * 90_000, bytes: options.ringBytes ?? 2 ** 20 });
  }

  /** A request whose response has begun, and the viewer on this side of it. */
  async connect(): Promise<{ client: IncomingMessage; viewer: Viewer; response: ServerResponse }> {
    if (!this.server.listening) {
      this.server.listen(0, '127.0.0.1');
      await once(this.server, 'listening');
      onTestFinished(() => {
        this.server.closeAllConnections();
        this.server.close();
      });
    }
    const { port } = this.server.address() as AddressInfo;
    const request = get({ port, host: '127.0.0.1', headers: { 'user-agent': 'tester' }, agent: false });
    request.on('error', () => {});
    const [client] = (await once(request, 'response')) as [IncomingMessage];
    client.on('error', () => {});
    return { client, viewer: [...this.viewers].at(-1)!, response: this.responses.at(-1)! };
  }

  /** One more second of programme for everybody. */
  broadcast(): void {
    const from = 90_000 + this.seconds * 90_000;
    for (const unit of makeSource({ frames: 25, frameTicks, from })) {
      const pad = unit.stream === 'video' ? (this.options.pictureBytes ?? 0) : 0;
      this.muxer.write({ ...unit, payload: Buffer.concat([unit.payload, Buffer.alloc(pad)]) });
    }
    this.seconds++;
    const chunk = this.muxer.take()!;
    this.largestChunk = Math.max(this.largestChunk, chunk.bytes.length);
    this.ring.push(chunk, from + 90_000);
    for (const viewer of this.viewers) {
      if (viewer.waiting) viewer.enter(this.ring.newestEntry()!);
      else viewer.send();
    }
  }

  /** Goes on until nothing more fits between this server and a client that does not read. */
  async broadcastUntilFull(response: ServerResponse): Promise<void> {
    // The kernel takes some megabytes before it says no.
    for (let tries = 0; tries < 3_000; tries++) {
      this.broadcast();
      await new Promise(setImmediate);
      if (response.writableNeedDrain) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (response.writableNeedDrain) return;
      }
    }
    throw new Error('it all went somewhere');
  }

  private accept(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'video/mp2t' });
    response.flushHeaders();
    this.responses.push(response);
    this.viewers.add(
      new Viewer({
        id: `viewer ${this.responses.length}`,
        response,
        ring: this.ring,
        limits: { stallMs, skips: this.options.skips ?? 5 },
        now: () => this.now,
        onEnd: (viewer, reason) => {
          this.viewers.delete(viewer);
          this.ends.push(reason);
        },
      }),
    );
  }
}

function collect(client: IncomingMessage): { bytes: () => Buffer } {
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  return { bytes: () => Buffer.concat(parts) };
}

describe('a viewer', () => {
  it('begins at an entry: PAT, PMT, key frame', async () => {
    const station = new Station();
    station.broadcast();
    station.broadcast();
    const { client, viewer } = await station.connect();
    const received = collect(client);
    expect(viewer.waiting).toBe(true);
    viewer.enter(station.ring.entryFor(0)!);
    expect(viewer.waiting).toBe(false);
    station.broadcast();
    await eventually('it has all that there is', () => viewer.bytes === station.ring.bytes);
    viewer.end('server-stopped');
    await once(client, 'end');
    const stream = analyse(received.bytes());
    expect(stream.opening.filter((kind) => kind !== 'sdt').slice(0, 3)).toEqual(['pat', 'pmt', 'video key']);
    expect(stream.video.units).toHaveLength(75);
    expect(stream.continuityErrors).toEqual([]);
    expect(viewer.bytes).toBe(received.bytes().length);
    expect([viewer.userAgent, viewer.address]).toEqual(['tester', '127.0.0.1']);
  });

  it('is ended on the boundary of a packet, and told of once', async () => {
    const station = new Station({ pictureBytes: 5_000 });
    const { client, viewer } = await station.connect();
    const received = collect(client);
    for (let second = 0; second < 5; second++) station.broadcast();
    viewer.end('server-stopped');
    viewer.end('channel-gone');
    await once(client, 'end');
    expect(client.complete).toBe(true);
    expect(received.bytes().length % 188).toBe(0);
    expect(analyse(received.bytes()).syncLosses).toBe(0);
    expect(station.ends).toEqual(['server-stopped']);
  });

  it('that leaves is gone', async () => {
    const station = new Station();
    const { client, viewer } = await station.connect();
    const received = collect(client);
    station.broadcast();
    await once(client, 'data');
    client.destroy();
    await eventually('the viewer is gone', () => station.viewers.size === 0);
    expect(station.ends).toEqual(['left']);
    station.broadcast();
    viewer.send();
    viewer.check();
    expect(received.bytes().length).toBeGreaterThan(0);
  });

  it('that stops reading costs no more than a chunk, is closed in the end, and the others see no gap', async () => {
    const station = new Station({ pictureBytes: 8_000 });
    const { client: good } = await station.connect();
    const received = collect(good);
    const { client: bad, viewer, response } = await station.connect();
    bad.pause();
    await station.broadcastUntilFull(response);
    for (let second = 0; second < 60; second++) {
      station.broadcast();
      await new Promise(setImmediate);
      expect(response.writableLength).toBeLessThan(2 * station.largestChunk);
      expect(station.ring.bytes).toBeLessThanOrEqual(2 ** 20);
    }
    station.now += stallMs;
    viewer.check();
    expect(station.ends).toEqual([]);
    station.now += 1;
    viewer.check();
    expect(station.ends).toEqual(['stalled']);
    expect(response.destroyed).toBe(true);
    station.broadcast();
    const [other] = station.viewers;
    other!.end('server-stopped');
    await once(good, 'end');
    const { continuityErrors, discontinuities, syncLosses, trailingBytes } = analyse(received.bytes());
    expect({ continuityErrors, discontinuities, syncLosses, trailingBytes }).toEqual({
      continuityErrors: [],
      discontinuities: [],
      syncLosses: 0,
      trailingBytes: 0,
    });
  });

  it('that reads again in time is not closed', async () => {
    const station = new Station({ pictureBytes: 8_000, ringBytes: 2 ** 30 });
    const { client, viewer, response } = await station.connect();
    client.pause();
    await station.broadcastUntilFull(response);
    station.now += stallMs - 1;
    viewer.check();
    const drained = once(response, 'drain');
    client.resume();
    await drained;
    station.now += stallMs - 1;
    viewer.check();
    expect(station.ends).toEqual([]);
  });

  it('that the ring has left behind goes on at the newest key frame, and its player is told', async () => {
    const station = new Station({ pictureBytes: 8_000 });
    const { client, viewer, response } = await station.connect();
    client.pause();
    const received = collect(client);
    client.pause();
    await station.broadcastUntilFull(response);
    for (let second = 0; second < 20; second++) station.broadcast();
    expect(viewer.lagTicks).toBeGreaterThanOrEqual(0);
    const drained = once(response, 'drain');
    client.resume();
    await drained;
    await eventually('it has skipped', () => viewer.skips > 0);
    for (let second = 0; second < 3; second++) {
      station.broadcast();
      await new Promise(setImmediate);
    }
    viewer.end('server-stopped');
    await once(client, 'end');
    expect(viewer.skips).toBe(1);
    const bytes = received.bytes();
    const stream = analyse(bytes);
    expect(stream.syncLosses + stream.trailingBytes).toBe(0);
    expect(stream.continuityErrors).toEqual([]);
    expect(stream.malformed).toEqual([]);
    expect(stream.discontinuities.map(({ pid }) => pid).sort((a, b) => a - b)).toEqual([
      0, 0x11, 0x100, 0x101, 0x1000,
    ]);
    const jump = Math.max(...stream.discontinuities.map(({ packet }) => packet)) + 1;
    const after = analyse(bytes.subarray(jump * 188));
    expect(after.opening.filter((kind) => kind !== 'sdt').slice(0, 3)).toEqual(['pat', 'pmt', 'video key']);
    // Without the flags the same jump is an error on every PID that had one.
    const hidden = Buffer.concat([bytes.subarray(0, (jump - 5) * 188), bytes.subarray(jump * 188)]);
    expect(analyse(hidden).continuityErrors.length).toBeGreaterThan(0);
  });

  it('that has to skip too often within a minute is closed', async () => {
    const station = new Station({ pictureBytes: 8_000, skips: 2 });
    const { client, viewer, response } = await station.connect();
    for (let round = 1; round <= 3; round++) {
      client.pause();
      await station.broadcastUntilFull(response);
      for (let second = 0; second < 20; second++) station.broadcast();
      client.resume();
      await eventually(`skip ${round}`, () => viewer.skips >= round);
    }
    expect(station.ends).toEqual(['skipped-too-often']);
    expect(response.destroyed).toBe(true);
  });

  it('that skips now and then is not', async () => {
    const station = new Station({ pictureBytes: 8_000, skips: 2 });
    const { client, viewer, response } = await station.connect();
    for (let round = 1; round <= 4; round++) {
      client.pause();
      await station.broadcastUntilFull(response);
      for (let second = 0; second < 20; second++) station.broadcast();
      client.resume();
      await eventually(`skip ${round}`, () => viewer.skips >= round);
      station.now += 31_000;
    }
    expect(station.ends).toEqual([]);
  });
});
