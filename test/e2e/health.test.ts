import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest';
import { findProgram } from '../../src/ffmpeg/find-program.ts';
import { readExposition, total } from '../support/exposition.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

/** What a health route answers, and how long that took. */
async function asked(server: RunningServer, path: string) {
  const startedAt = performance.now();
  const response = await fetch(server.base + path);
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers as any client would
  const body: any = await response.json();
  return { status: response.status, body, tookMs: performance.now() - startedAt };
}

async function metric(server: RunningServer, name: string, labels: Record<string, string> = {}) {
  const response = await fetch(`${server.base}/metrics`);
  return total(readExposition(await response.text()), name, labels);
}

const becomes = (server: RunningServer, status: number) =>
  until(
    `ready answers ${status}`,
    async () => {
      const answer = await asked(server, '/health/ready');
      return answer.status === status ? answer : undefined;
    },
    30_000,
  );

// They mostly wait for the next look at what they need.
describe('a server whose ffmpeg goes away', { concurrent: true }, () => {
  let folder: string;
  let ffmpeg: string;
  let server: RunningServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aircheck-programs-'));
    ffmpeg = join(folder, 'ffmpeg');
    await symlink(await findProgram('ffmpeg'), ffmpeg);
    server = await startServer({ AIRCHECK_FFMPEG_PATH: ffmpeg, AIRCHECK_METRICS_OPEN: 'true' });
  });
  afterAll(async () => {
    await server?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it.sequential('is ready at once when it is on air', async () => {
    const checks = { database: { ok: true }, ffmpeg: { ok: true }, ffprobe: { ok: true } };
    expect(await asked(server, '/health/ready')).toMatchObject({ status: 200, body: { checks } });
    expect((await asked(server, '/health/live')).status).toBe(200);
    const { status, body } = await asked(server, '/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', phase: 'running', checks, channels: [] });
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect((await fetch(server.base + path, { method: 'HEAD' })).status).toBe(200);
    }
  });

  it.sequential('says so, and takes it back when the program is there again', async () => {
    await rm(ffmpeg);
    const { body } = await becomes(server, 503);
    expect(body.status).toBe('not ready');
    expect(body.checks.database).toEqual({ ok: true });
    expect(body.checks.ffmpeg.ok).toBe(false);
    expect(body.checks.ffmpeg.why).toContain('ffmpeg');
    expect(JSON.stringify(body)).not.toContain(folder);
    expect(await asked(server, '/health')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect((await asked(server, '/health/live')).status).toBe(200);
    expect(await metric(server, 'aircheck_health_check_ok', { check: 'ffmpeg' })).toBe(0);
    expect(await metric(server, 'aircheck_ready')).toBe(0);

    await symlink(await findProgram('ffmpeg'), ffmpeg);
    await becomes(server, 200);
    expect((await asked(server, '/health')).body.status).toBe('ok');
    expect(await metric(server, 'aircheck_ready')).toBe(1);
  }, 60_000);
});

/** A way to a database that can be cut: to take no connection, or to pass nothing on. */
class Way {
  private mode: 'open' | 'silent' | 'closed' = 'open';
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  constructor(private readonly target: { host: string; port: number }) {}

  /** Passes everything on. Returns the port. */
  async open(): Promise<number> {
    this.mode = 'open';
    this.server = createServer((client) => this.join(client));
    this.server.listen(this.port, '127.0.0.1');
    await new Promise((done) => this.server?.once('listening', done));
    const address = this.server.address();
    if (typeof address === 'object' && address !== null) this.port = address.port;
    return this.port;
  }

  /** Connections stay, and nothing comes through any more. */
  silence(): void {
    this.mode = 'silent';
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  /** Connections are refused. */
  close(): void {
    this.mode = 'closed';
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(client: Socket): void {
    const server = connect(this.target);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
      if (this.mode === 'open') socket.pipe(other);
    }
  }
}

const postgresUrl = inject('postgresUrl');

describe.runIf(postgresUrl !== null)('a server whose database goes away', { concurrent: true }, () => {
  /** With a database of its own, and the way to it. Both are gone when the test is. */
  async function startBeyond(finished: TestContext['onTestFinished']) {
    const { databaseUrl, drop } = await createTestDatabase(postgresUrl as string);
    finished(drop);
    const url = new URL(databaseUrl);
    const way = new Way({ host: url.hostname, port: Number(url.port || 5432) });
    url.hostname = '127.0.0.1';
    url.port = String(await way.open());
    finished(() => way.close());
    const server = await startServer({ DATABASE_URL: url.href, AIRCHECK_METRICS_OPEN: 'true' });
    finished(() => server.remove());
    return { server, way };
  }

  it.for([
    { how: 'does not answer', cut: (way: Way) => way.silence() },
    { how: 'is stopped', cut: (way: Way) => way.close() },
  ])(
    'is not ready while it $how, says so without waiting for it, and recovers by itself',
    { timeout: 120_000 },
    async ({ cut }, { onTestFinished: finished }) => {
      const { server, way } = await startBeyond(finished);
      await becomes(server, 200);
      cut(way);
      const { body, tookMs } = await becomes(server, 503);
      expect(body.checks).toMatchObject({ database: { ok: false }, ffmpeg: { ok: true } });
      expect(tookMs).toBeLessThan(2_000);
      const health = await asked(server, '/health');
      expect(health).toMatchObject({ status: 200, body: { status: 'degraded' } });
      expect(health.tookMs).toBeLessThan(2_000);
      expect(JSON.stringify([body, health.body])).not.toMatch(/postgres:|127\.0\.0\.1/);
      expect((await asked(server, '/health/live')).status).toBe(200);
      expect(await metric(server, 'aircheck_health_check_ok', { check: 'database' })).toBe(0);
      way.close();
      await way.open();
      await becomes(server, 200);
    },
  );

  it('counts the task that fails without it', async ({ onTestFinished: finished }) => {
    const { server, way } = await startBeyond(finished);
    await becomes(server, 200);
    const failed = { task: 'playout', outcome: 'failed' };
    const before = (await metric(server, 'aircheck_task_runs_total', failed)) ?? 0;
    way.close();
    const { status, body } = await server.api('POST', '/tasks/playout/run');
    expect(status).toBe(200);
    expect(body.lastError).toBeTruthy();
    // Its turn may have come meanwhile, too.
    expect(await metric(server, 'aircheck_task_runs_total', failed)).toBeGreaterThan(before);
    await way.open();
    await becomes(server, 200);
  }, 120_000);
});
