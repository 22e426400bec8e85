import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { broadcastClips, decodeErrors, makeClips, makeRest, type TestChannel } from '../support/broadcast.ts';
import { capture } from '../support/capture.ts';
import { cheapProfile } from '../support/chaos/recordings.ts';
import { hasOwnPostgres, type OwnPostgres, startOwnPostgres } from '../support/postgres-cluster.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';
import { canMount, SmallDisk } from '../support/small-disk.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { analyse, backwardSteps, largestStep } from '../support/transport-stream.ts';

const settings = { AIRCHECK_LIBRARY_SETTLE_MS: '0', AIRCHECK_PLAYOUT_HORIZON_HOURS: '48' };
const frameTicks = (90_000 * cheapProfile.video.frameRate.den) / cheapProfile.video.frameRate.num;
/** OUTAGE_SECONDS=60 for as long as the requirement says. */
const outageMs = Number(process.env.OUTAGE_SECONDS ?? 10) * 1_000;

let clips: string;

beforeAll(async () => {
  clips = mkdtempSync(join(tmpdir(), 'aircheck-clips-'));
  await makeClips(clips, 6);
  await makeRest(clips);
}, 120_000);

afterAll(() => rmSync(clips, { recursive: true, force: true }));

/** A viewer, and what to say of what it has seen. */
function watch(channel: TestChannel) {
  const leave = new AbortController();
  const watching = capture(channel.url, 600_000, leave.signal);
  return async () => {
    leave.abort();
    const { bytes, ended, worstGapMs } = await watching;
    const found = analyse(bytes.subarray(0, bytes.length - (bytes.length % 188)));
    expect(ended).toBe(false);
    expect(found.continuityErrors).toEqual([]);
    expect(backwardSteps(found.video.units)).toBe(0);
    expect(largestStep(found.video.units)).toBeLessThanOrEqual(2 * frameTicks);
    expect(await decodeErrors(bytes)).toBe('');
    return Math.round(worstGapMs);
  };
}

async function joints(server: RunningServer, channel: TestChannel): Promise<number> {
  return (await server.api('GET', `/streams/${channel.id}`)).body.joints;
}

/** What the admin API answers, and how long it takes for it. */
async function asked(server: RunningServer, method: string, path: string, body?: unknown) {
  const began = performance.now();
  const response = await fetch(`${server.base}/api${path}`, {
    method,
    headers: {
      authorization: `Bearer ${server.key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    retryAfter: Number(response.headers.get('retry-after')),
    body: JSON.parse((await response.text()) || '{}'),
    tookMs: performance.now() - began,
  };
}

/** The lines that a server has written since, by what they say. */
function linesSince(server: RunningServer, offset: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of server.output().slice(offset).split('\n')) {
    const said = /"msg":"([^"]*)"/.exec(line)?.[1];
    if (said !== undefined) counts.set(said, (counts.get(said) ?? 0) + 1);
  }
  return counts;
}

// These servers mostly wait, each for a database of its own; the tests of one server come one after the other.
const sideBySide = { concurrent: true };

describe.runIf(hasOwnPostgres())('a server whose PostgreSQL is stopped', sideBySide, () => {
  let cluster: OwnPostgres;
  let server: RunningServer;
  let channel: TestChannel;

  beforeAll(async () => {
    cluster = await startOwnPostgres();
    server = await startServer({ ...settings, DATABASE_URL: cluster.url });
    [channel] = (await broadcastClips(server, clips)) as [TestChannel];
  }, 120_000);

  afterAll(async () => {
    await server?.remove();
    await cluster?.stop();
  });

  it.sequential(
    'goes on sending, answers 503, and is itself again soon after the start',
    async () => {
      const endWatching = watch(channel);
      await until('the programme is on', async () => {
        const { body } = await server.api('GET', `/streams/${channel.id}`);
        return body.state === 'programme' ? true : undefined;
      });
      const offset = server.output().length;
      const jointsBefore = await joints(server, channel);
      const { body: libraries } = await server.api('GET', '/libraries');
      const libraryId = libraries.items[0].id;
      await cluster.halt('immediate');
      const stoppedAt = performance.now();

      // What is due meanwhile fails, and is not forgotten.
      await server.api('POST', `/libraries/${libraryId}/scan`);
      const slowest = { read: 0, write: 0 };
      while (performance.now() - stoppedAt < outageMs) {
        const read = await asked(server, 'GET', '/media');
        const write = await asked(server, 'PATCH', `/channels/${channel.id}`, { name: 'Not now' });
        for (const answer of [read, write]) {
          expect(answer.status).toBe(503);
          expect(answer.type).toContain('application/problem+json');
          expect(answer.retryAfter).toBeGreaterThan(0);
          expect(answer.body.detail).toContain('database');
        }
        slowest.read = Math.max(slowest.read, read.tookMs);
        slowest.write = Math.max(slowest.write, write.tookMs);
        const now = await asked(server, 'GET', `/channels/${channel.id}/now`);
        expect(now.status).toBe(200);
        expect(now.body.item).toBeDefined();
        expect((await fetch(`${server.base}/iptv/channels.m3u`)).status).toBe(200);
        await delay(200);
      }
      expect(slowest.read).toBeLessThan(5_000);
      expect(slowest.write).toBeLessThan(5_000);
      expect(await joints(server, channel)).toBeGreaterThan(jointsBefore);

      await cluster.start();
      const startedAt = performance.now();
      const since = () => Math.round(performance.now() - startedAt);
      const took: Record<string, number> = {};
      await until('the API is back', async () =>
        (await asked(server, 'GET', '/media')).status === 200 ? true : undefined,
      );
      took.api = since();
      await until('the scan is done', async () => {
        const { body } = await server.api('GET', `/libraries/${libraryId}/scan`);
        return body.state === 'done' ? true : undefined;
      });
      took.scan = since();
      const planned = await asked(server, 'POST', `/channels/${channel.id}/rebuild`);
      expect(planned.status).toBe(200);
      took.worker = since();
      await until('the playout task has run well', async () => {
        const { body } = await server.api('GET', '/tasks');
        const task = body.items.find(({ name }: { name: string }) => name === 'playout');
        return task.lastError === undefined ? true : undefined;
      });
      took.task = since();
      expect(Math.max(...Object.values(took))).toBeLessThan(15_000);
      const name = 'Back';
      expect((await asked(server, 'PATCH', `/channels/${channel.id}`, { name })).status).toBe(200);

      const worstGapMs = await endWatching();
      const lines = linesSince(server, offset);
      const seconds = (performance.now() - stoppedAt) / 1_000;
      console.log(
        `gap ${worstGapMs} ms, slowest answers ${JSON.stringify(slowest)}, back after ${JSON.stringify(took)}; ${JSON.stringify([...lines])}`,
      );
      // One line of a kind in some seconds, however often the API is asked.
      for (const [said, count] of lines) expect(count, said).toBeLessThanOrEqual(2 + seconds / 3);
    },
    outageMs + 90_000,
  );

  it.sequential('ends in time while it is gone', async () => {
    await cluster.halt('fast');
    const began = performance.now();
    const code = await server.end('SIGTERM');
    console.log(`ended with ${code} after ${Math.round(performance.now() - began)} ms`);
    expect(typeof code).toBe('number');
    expect(performance.now() - began).toBeLessThan(30_000);
    await cluster.start();
  }, 60_000);
});

describe.runIf(hasOwnPostgres())('a server whose PostgreSQL answers no more', sideBySide, () => {
  it('answers 503 all the same, and ends in time', async () => {
    const cluster = await startOwnPostgres();
    const { hostname, port } = new URL(cluster.url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    const url = new URL(cluster.url);
    url.port = String(proxy.port);
    const server = await startServer({ ...settings, DATABASE_URL: url.href });
    try {
      await proxy.mode('silent');
      const { status, tookMs } = await asked(server, 'GET', '/media');
      expect(status).toBe(503);
      // Whether a connection still lives is asked first, and does not take as long as a statement may.
      expect(tookMs).toBeLessThan(16_000);
      const began = performance.now();
      const code = await server.end('SIGTERM');
      console.log(
        `503 after ${Math.round(tookMs)} ms; ended with ${code} after ${Math.round(performance.now() - began)} ms`,
      );
      expect(performance.now() - began).toBeLessThan(30_000);
    } finally {
      await server.remove();
      await proxy.close();
      await cluster.stop();
    }
  }, 120_000);
});

describe.runIf(hasOwnPostgres())('a server that is granted three connections', sideBySide, () => {
  let cluster: OwnPostgres;
  let limited: string;
  let server: RunningServer;

  beforeAll(async () => {
    cluster = await startOwnPostgres();
    const admin = postgres(cluster.url, { max: 1, onnotice: () => {} });
    await admin.unsafe(`create role few login password 'few' connection limit 3`);
    await admin.unsafe('create database few owner few');
    await admin.end();
    const url = new URL(cluster.url);
    Object.assign(url, { username: 'few', password: 'few', pathname: '/few' });
    limited = url.href;
    server = await startServer({ ...settings, DATABASE_URL: limited });
  }, 120_000);

  afterAll(async () => {
    await server?.remove();
    await cluster?.stop();
  });

  it.sequential('scans, plans and answers with them', async () => {
    const [channel] = (await broadcastClips(server, clips)) as [TestChannel];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        if (i % 10 === 0) return asked(server, 'POST', `/channels/${channel.id}/rebuild`);
        return asked(server, 'GET', i % 2 ? '/media' : '/channels');
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(200));
    expect(server.output()).not.toContain('too many connections');
  }, 120_000);

  it.sequential('gets by with two of them when somebody else takes the third, and with one', async () => {
    const [id] = (await asked(server, 'GET', '/channels')).body.items.map((item: { id: string }) => item.id);
    const others: postgres.Sql[] = [];
    try {
      for (let taken = 1; taken <= 2; taken++) {
        const other = postgres(limited, { max: 1 });
        others.push(other);
        // The server gives back what it does not use.
        await until('there is room for the other', () =>
          other`select 1`.then(
            () => true,
            () => undefined,
          ),
        );
        const reads = Array.from({ length: 20 }, () => asked(server, 'GET', '/media'));
        expect((await Promise.all(reads)).map(({ status }) => status)).toEqual(Array(20).fill(200));
        await until('it is planned', async () => {
          const { status } = await asked(server, 'POST', `/channels/${id}/rebuild`);
          expect([200, 503]).toContain(status);
          return status === 200 ? true : undefined;
        });
      }
    } finally {
      for (const other of others) await other.end({ timeout: 1 });
    }
    expect((await asked(server, 'POST', `/channels/${id}/rebuild`)).status).toBe(200);
  }, 60_000);
});

/** Writes until the disk is full and for a while longer; says what was acknowledged, and what was answered otherwise. */
async function writeUntilFull(server: RunningServer, kept: Set<string>) {
  const answers = new Map<number, string>();
  let until = performance.now() + 60_000;
  const write = async (writer: number) => {
    for (let i = 0; performance.now() < until; i++) {
      const name = `full ${writer} ${i} ${'x'.repeat(180)}`;
      const answer = await asked(server, 'POST', '/collections', { name, kind: 'query', query: {} });
      if (answer.status === 201) kept.add(name);
      else if (answers.size === 0) until = performance.now() + 4_000;
      if (answer.status !== 201) answers.set(answer.status, answer.body.detail);
    }
  };
  await Promise.all([1, 2, 3, 4].map(write));
  return answers;
}

/** Begins new files of the log until there is no room for one more. */
async function useUpLog(cluster: OwnPostgres): Promise<void> {
  const sql = postgres(cluster.url, { max: 1, onnotice: () => {} });
  try {
    for (;;) await sql`select pg_switch_wal(), pg_logical_emit_message(true, 'test', repeat('x', 1000))`;
  } catch {
    // The log is full, and with it this connection has ended.
  }
  await sql.end({ timeout: 1 });
}

async function collectionNames(server: RunningServer): Promise<Set<string>> {
  const names = new Set<string>();
  for (let offset = 0; ; offset += 500) {
    const { body } = await server.api('GET', `/collections?limit=500&offset=${offset}`);
    for (const { name } of body.items) names.add(name);
    if (body.items.length < 500) return names;
  }
}

describe.runIf(canMount())('a server whose database has no room left', sideBySide, () => {
  const kinds: ('embedded' | 'postgres')[] = hasOwnPostgres() ? ['embedded', 'postgres'] : ['embedded'];

  // Of the little room, the tables take the first page or the log its next file: either may be what fails.
  // Not a byte left, and so little that it runs out amid a change.
  it.each(kinds.map((kind) => ({ kind, leaveBytes: kind === 'embedded' ? 700_000 : 0 })))(
    'goes on sending, says so, and loses nothing ($kind, $leaveBytes bytes left)',
    async ({ kind, leaveBytes }) => {
      const disk = new SmallDisk(160);
      const cluster = kind === 'postgres' ? await startOwnPostgres(disk.path) : undefined;
      let server = await startServer(
        { ...settings, ...(cluster && { DATABASE_URL: cluster.url }) },
        cluster ? {} : { data: join(disk.path, 'data') },
      );
      try {
        const [channel] = (await broadcastClips(server, clips)) as [TestChannel];
        const endWatching = watch(channel);
        await until('the programme is on', async () => (await joints(server, channel)) >= 0 || undefined);
        const kept = new Set<string>();
        disk.fill(leaveBytes);
        if (cluster && leaveBytes > 0) await useUpLog(cluster);
        const answers = await writeUntilFull(server, kept);
        const detail = answers.get(507) ?? answers.get(503);
        expect([...answers.keys()].every((status) => status === 507 || status === 503)).toBe(true);
        expect(detail, `${kept.size} acknowledged`).toBeDefined();

        disk.free();
        // A PostgreSQL that could not write its log has ended; an admin starts it again.
        const hasEnded = cluster && (await Promise.race([cluster.ended(), delay(3_000)])) !== undefined;
        if (hasEnded) await cluster.start();
        const freedAt = performance.now();
        await until('it takes changes again', async () => {
          const name = `freed ${performance.now()}`;
          const answer = await asked(server, 'POST', '/collections', { name, kind: 'query', query: {} });
          if (answer.status === 201) kept.add(name);
          return answer.status === 201 ? true : undefined;
        });
        const tookMs = Math.round(performance.now() - freedAt);
        const gapMs = await endWatching();
        const there = await collectionNames(server);
        console.log(
          `${kind}, ${leaveBytes} bytes left: ${kept.size} acknowledged, ${JSON.stringify([...answers])}, ended ${hasEnded}, back after ${tookMs} ms, gap ${gapMs} ms`,
        );
        expect([...kept].filter((name) => !there.has(name))).toEqual([]);
        expect(tookMs).toBeLessThan(15_000);

        // And the files are sound: it starts again, with everything.
        expect(await server.end('SIGTERM')).toBe(0);
        server = await startServer(
          { ...settings, ...(cluster && { DATABASE_URL: cluster.url }) },
          { data: server.data },
        );
        const afterwards = await collectionNames(server);
        expect([...kept].filter((name) => !afterwards.has(name))).toEqual([]);
      } finally {
        await server.remove();
        await cluster?.stop();
        disk.remove();
      }
    },
    180_000,
  );
});
