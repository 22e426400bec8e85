import { existsSync } from 'node:fs';
import { connect as connectTo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, type OpenOptions, openDatabase } from '../../src/db/connection.ts';
import { StartError } from '../../src/errors.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';

const serverUrl = inject('postgresUrl');

describe.skipIf(serverUrl === null)('opening a PostgreSQL database', () => {
  let databaseUrl: string;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ databaseUrl, drop } = await createTestDatabase(serverUrl!));
  });

  afterAll(async () => drop?.());

  const open = (options: Partial<OpenOptions> = {}) =>
    openDatabase({ databaseUrl, dataFolder: '/nonexistent', log: pino({ level: 'silent' }), ...options });

  async function failure(options: Partial<OpenOptions>): Promise<StartError> {
    const result = await open(options).catch((error: unknown) => error);
    expect(result).toBeInstanceOf(StartError);
    return result as StartError;
  }

  function urlWith(change: (url: URL) => void): string {
    const url = new URL(databaseUrl);
    change(url);
    return url.href;
  }

  it('lets servers that start at once migrate it without an error, and again later', async () => {
    const opened = await Promise.all([open(), open(), open(), open()]);
    const later = await open();
    const rows = await later.sql`select hash from drizzle.__drizzle_migrations`;
    expect(new Set(rows.map((row) => row.hash)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(0);
    await Promise.all([...opened, later].map((database) => database.stop()));
    await later.stop();
  });

  it('leaves the embedded database alone', async () => {
    const dataFolder = '/nonexistent/data';
    const database = await open({ dataFolder });
    expect(existsSync(join(dataFolder))).toBe(false);
    await database.stop();
  });

  it('says that the password is wrong, and does not say the password', async () => {
    const began = performance.now();
    const url = urlWith((u) => {
      u.password = 'very-secret';
    });
    const error = await failure({ databaseUrl: url });
    expect(error.message).toMatch(/127\.0\.0\.1:\d+.*refuses the user or the password/);
    expect(error.message).not.toContain('very-secret');
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('does not show the password of a URL that cannot be read', async () => {
    const error = await failure({ databaseUrl: 'postgres://user:very/secret@#[host:5432/x' });
    expect(error.message).toMatch(/%XX/);
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('very/secret');
  });

  it('says that there is no such database', async () => {
    const url = urlWith((u) => {
      u.pathname = '/nowhere';
    });
    expect((await failure({ databaseUrl: url })).message).toMatch(/no such database/);
  });

  it('gives up after a while when nothing listens', async () => {
    const url = urlWith((u) => {
      u.port = '1';
    });
    const error = await failure({ databaseUrl: url, waitMs: 400 });
    expect(error.message).toMatch(/127\.0\.0\.1:1.*ECONNREFUSED.*Check that the server runs/);
  });

  it('waits for a server that is still starting', async () => {
    const { port, listen, close } = await lateProxy(Number(new URL(databaseUrl).port));
    const lines: string[] = [];
    const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) });
    const url = urlWith((u) => {
      u.port = String(port);
    });
    const opening = open({ databaseUrl: url, log });
    await until(() => lines.some((line) => line.includes('waiting for the database')));
    await listen();
    await (await opening).stop();
    await close();
  });

  it('says what a user without rights needs', async () => {
    const fresh = await createTestDatabase(serverUrl!);
    const admin = connect({ url: fresh.databaseUrl }, { max: 1 });
    const name = new URL(fresh.databaseUrl).pathname.slice(1).replace('test', 'user');
    await admin.sql.unsafe(`create role ${name} login password 'x'`);
    const url = new URL(fresh.databaseUrl);
    url.username = name;
    url.password = 'x';
    const error = await failure({ databaseUrl: url.href });
    expect(error.message).toMatch(/permission denied.*Make the user of DATABASE_URL the owner/);
    await admin.sql.unsafe(`alter database ${url.pathname.slice(1)} owner to ${name}`);
    await (await open({ databaseUrl: url.href })).stop();
    await admin.stop();
    await fresh.drop();
    const sql = postgres(serverUrl!, { max: 1 });
    await sql.unsafe(`drop role ${name}`);
    await sql.end();
  });

  it('refuses a database of a newer release', async () => {
    const fresh = await createTestDatabase(serverUrl!);
    const database = await open({ databaseUrl: fresh.databaseUrl });
    await database.sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 9999999999999)`;
    await database.stop();
    const error = await failure({ databaseUrl: fresh.databaseUrl });
    expect(error.message).toMatch(/newer release/);
    await fresh.drop();
  });
});

/** A way to the server that refuses connections until it is told to listen. */
async function lateProxy(
  serverPort: number,
): Promise<{ port: number; listen(): Promise<void>; close(): Promise<void> }> {
  const sockets = new Set<{ destroy(): void }>();
  const make = () =>
    createServer((client) => {
      const upstream = connectTo(serverPort, '127.0.0.1');
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      client.pipe(upstream).pipe(client);
    });
  const listening = (server: Server, port: number) =>
    new Promise<void>((done) => void server.listen(port, '127.0.0.1', done));
  const probe = make();
  await listening(probe, 0);
  const { port } = probe.address() as { port: number };
  await new Promise((done) => probe.close(done));
  const server = make();
  return {
    port,
    listen: () => listening(server, port),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setTimeout(done, 10));
}
