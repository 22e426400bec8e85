import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';

export interface PostgresCluster {
  /** Of a superuser, or of whoever TEST_DATABASE_URL names: may create databases. */
  url: string;
  stop(): Promise<void>;
}

/** A PostgreSQL of a test's own, which it may stop and start. */
export interface OwnPostgres extends PostgresCluster {
  /** Where its files are. */
  folder: string;
  /** In order: every session is ended. Or as a crash: sessions are cut, and the next start has to recover. */
  halt(how: 'fast' | 'immediate'): Promise<void>;
  /** On the same port as before. Resolves when it answers. */
  start(): Promise<void>;
  /** Resolves when it has ended by itself, with what it has said last. */
  ended(): Promise<string>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/**
 * A throwaway PostgreSQL for a test run, or the server that TEST_DATABASE_URL names. Undefined, with a line
 * that says so, when there is neither.
 */
export async function startPostgresCluster(): Promise<PostgresCluster | undefined> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { url: given, stop: async () => {} };
  const binaries = findBinaries();
  if (binaries === undefined) {
    console.warn(
      'No PostgreSQL found (TEST_DATABASE_URL, /usr/lib/postgresql/*/bin, PATH): the database tests run on the embedded database ONLY.',
    );
    return undefined;
  }
  return await startOwn(binaries, { synchronous_commit: 'off' });
}

/** Whether there is a PostgreSQL here that a test can stop and start. */
export function hasOwnPostgres(): boolean {
  return findBinaries() !== undefined;
}

/** @param parent an existing folder in which its files shall be, such as a small disk */
export async function startOwnPostgres(parent?: string): Promise<OwnPostgres> {
  const binaries = findBinaries();
  if (binaries === undefined) throw new Error('there is no PostgreSQL here');
  return await startOwn(binaries, {}, parent);
}

/** A new, empty database in the cluster. */
export async function createTestDatabase(
  url: string,
): Promise<{ databaseUrl: string; drop(): Promise<void> }> {
  const name = `aircheck_test_${randomBytes(6).toString('hex')}`;
  const asAdmin = async (statement: string) => {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end({ timeout: 5 });
    }
  };
  await asAdmin(`CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { databaseUrl: own.href, drop: () => asAdmin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))));
}

async function startOwn(
  binaries: string,
  more: Record<string, string>,
  parent = tmpdir(),
): Promise<OwnPostgres> {
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(parent, 'aircheck-postgres-'));
  const password = randomBytes(12).toString('hex');
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);
  const options = { cwd: folder, ...user };
  await promisify(execFile)(
    join(binaries, 'initdb'),
    [
      ...['-D', data, '-U', 'postgres', '--pwfile', passwordFile, '-A', 'scram-sha-256'],
      ...['-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--wal-segsize=4'],
    ],
    options,
  );
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // The folder's path can be too long for a socket.
    unix_socket_directories: '',
    fsync: 'off',
    full_page_writes: 'off',
    shared_buffers: '32MB',
    min_wal_size: '8MB',
    max_wal_size: '64MB',
    ...more,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  let server: ChildProcess;
  let exited: Promise<string>;
  const start = async () => {
    server = spawn(join(binaries, 'postgres'), ['-D', data, ...args], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    server.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000);
    });
    exited = new Promise((done) => server.once('exit', () => done(said)));
    await untilReady(server, () => said);
  };
  const halt = async (how: 'fast' | 'immediate') => {
    server.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await exited;
  };
  const stop = async () => {
    await halt('fast');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  return { url, folder, halt, start, ended: () => exited, stop };
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string, user: string) => Number(execFileSync('id', [flag, user], { stdio: 'pipe' }));
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: idOf('-u', user), gid: idOf('-g', user) };
    } catch {
      // There is no such user here.
    }
  }
  throw new Error('PostgreSQL cannot run as root, and there is neither a user "postgres" nor "nobody".');
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const address = probe.address();
  await new Promise((done) => probe.close(done));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function untilReady(server: ChildProcess, said: () => string): Promise<void> {
  await new Promise<void>((done, fail) => {
    server.stderr?.on('data', () => {
      if (said().includes('ready to accept connections')) done();
    });
    server.once('error', fail);
    server.once('exit', (code) => fail(new Error(`PostgreSQL ended with code ${code}: ${said()}`)));
  });
}
