import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Finding } from '../../src/doctor/check.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';
import { startServer } from '../support/server.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-doctor-e2e-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A trial encoding takes seconds of both cores: most tests do without, and look at something else. */
const noTrial = { AIRCHECK_FFMPEG_PATH: '/no/ffmpeg' };

interface Answer {
  code: number;
  output: string;
}

function run(args: string[], env: Record<string, string>): Promise<Answer> {
  const own = { ...process.env, AIRCHECK_PORT: '0', AIRCHECK_HOST: '127.0.0.1', ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'doctor', ...args], { env: own }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, output: stdout + stderr });
    });
  });
}

/** What is found, by its subject. */
async function examine(env: Record<string, string>, args: string[] = []) {
  const { code, output } = await run(['--json', ...args], env);
  const report = JSON.parse(output) as { ok: boolean; findings: Finding[] };
  expect(code).toBe(report.ok ? 0 : 1);
  return {
    ...report,
    output,
    of: (subject: string) => report.findings.find((finding) => finding.subject === subject),
  };
}

describe('aircheck doctor', () => {
  it('finds nothing wrong where the server could be started, says so line by line, and leaves nothing behind', async () => {
    const data = join(folder, 'fresh');
    const { code, output } = await run([], { AIRCHECK_DATA: data });
    expect(code).toBe(0);
    expect(output).toMatch(/^✓ Node/m);
    expect(output).toMatch(/^✓ trial encoding|^! trial encoding/m);
    expect(output).toMatch(/^✓ database {10,} embedded; it will be made/m);
    expect(output).not.toMatch(/^✗/m);
    expect(output.trim().split('\n').at(-1)).toMatch(/Everything that the server needs|The server can work/);
    await expect(rename(data, `${data}2`)).rejects.toThrow('ENOENT');
  });

  it('works with a configuration that is wrong, and names what is', async () => {
    const file = join(folder, 'wrong.yaml');
    await writeFile(
      file,
      'prot: 1\nstreaming:\n  leadMs: many\n  slateBelowMs: 9000\nffmpeg:\n  path: /no/ffmpeg\n',
    );
    const wrong = await examine({ AIRCHECK_DATA: join(folder, 'a'), AIRCHECK_LIBRARY_PROBES: '0' }, [
      '-c',
      file,
    ]);
    expect(wrong.ok).toBe(false);
    const found = wrong.of('configuration')?.found;
    for (const key of ['prot', 'streaming.leadMs', 'library.probes']) expect(found).toMatch(key);
    // What is right is taken as it is.
    expect(wrong.of('ffmpeg')?.found).toMatch('/no/ffmpeg');
    expect(wrong.of('data folder')?.found).toMatch(folder);
    const away = await examine({ AIRCHECK_CONFIG: '/no/such.yaml', AIRCHECK_DATA: join(folder, 'a') });
    expect(away.of('configuration')?.found).toMatch('/no/such.yaml does not exist');
    expect(away.of('ffmpeg')?.verdict).toBe('ok');
    const broken = join(folder, 'broken.yaml');
    await writeFile(broken, 'a: [');
    expect((await examine(noTrial, ['-c', broken])).of('configuration')?.verdict).toBe('problem');
  });

  it('works without the database, and tells no secret', async () => {
    const secrets = {
      ...noTrial,
      AIRCHECK_ADMIN_KEY: 'sesame-open-sesame',
      PGPASSWORD: 'another-hidden-word',
    };
    const url = 'postgres://me:hidden%2Fword@127.0.0.1:1/tv';
    const away = await examine({ ...secrets, DATABASE_URL: url, AIRCHECK_DATA: join(folder, 'b') });
    expect(away.of('database')).toMatchObject({
      verdict: 'problem',
      found: expect.stringContaining('127.0.0.1:1'),
      remedy: expect.stringContaining('Check that the server runs'),
    });
    expect(away.of('libraries')?.verdict).toBe('skipped');
    const wrong = await examine({ ...secrets, DATABASE_URL: 'postgres://me:hidden/word@x:y/z' });
    expect(wrong.of('database')?.verdict).toBe('problem');
    const other = await examine({ ...secrets, DATABASE_URL: 'mysql://me:hidden-word@x/z' });
    expect(other.of('configuration')?.verdict).toBe('problem');
    for (const { output } of [away, wrong, other]) expect(output).not.toMatch(/sesame|hidden/);
  });

  it('tells a server that runs from one that does not, and reads its database when it may', async () => {
    const library = join(folder, 'films');
    await mkdir(library);
    await writeFile(join(library, 'a.txt'), 'no film');
    const server = await startServer();
    const port = new URL(server.base).port;
    const env = { AIRCHECK_DATA: server.data, AIRCHECK_PORT: port };
    await server.api('POST', '/libraries', { name: 'Films', path: library });

    const running = await examine(env);
    expect(running.ok).toBe(true);
    expect(running.of('port')).toMatchObject({
      verdict: 'ok',
      found: `aircheck answers at 127.0.0.1:${port} (pid ${server.pid})`,
    });
    expect(running.of('database')).toMatchObject({
      verdict: 'skipped',
      found: expect.stringContaining('/health'),
    });
    expect(running.of('libraries')?.verdict).toBe('skipped');
    const stranger = await examine({ ...env, ...noTrial, AIRCHECK_DATA: join(folder, 'c') });
    expect(stranger.of('port')?.verdict).toBe('warning');

    await server.end('SIGTERM');
    const stopped = await examine({ ...env, ...noTrial });
    expect(stopped.of('port')).toMatchObject({ verdict: 'ok', found: `127.0.0.1:${port} is free` });
    expect(stopped.of('database')?.found).toMatch(/^embedded \(PostgreSQL \d+/);
    expect(stopped.of('schema')).toMatchObject({ verdict: 'ok' });
    expect(stopped.of('library')).toMatchObject({ verdict: 'ok', found: `Films: ${library}` });
    await rename(library, `${library} elsewhere`);
    expect((await examine({ ...env, ...noTrial })).of('library')).toMatchObject({ verdict: 'warning' });
    await server.remove();
  }, 90_000);
});

const postgresUrl = inject('postgresUrl');

describe.skipIf(postgresUrl === null)('aircheck doctor with PostgreSQL', () => {
  it('sees an empty database, one that is up to date, a newer one, and one that is gone', async () => {
    const { databaseUrl, drop } = await createTestDatabase(postgresUrl!);
    const env = { ...noTrial, DATABASE_URL: databaseUrl, AIRCHECK_DATA: join(folder, 'postgres') };
    try {
      const empty = await examine(env);
      expect(empty.of('database')?.found).toMatch(/^PostgreSQL \d+\.\d+ at .*database aircheck_test/);
      expect(empty.of('schema')).toMatchObject({
        verdict: 'note',
        found: expect.stringMatching(/^\d+ migrations/),
      });
      expect((await examine(env)).of('schema')?.verdict).toBe('note');

      const server = await startServer({ DATABASE_URL: databaseUrl });
      expect((await examine(env)).of('schema')).toMatchObject({ verdict: 'ok' });
      await server.remove();

      const { default: postgres } = await import('postgres');
      const sql = postgres(databaseUrl, { max: 1 });
      await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', ${Date.now() * 2})`;
      await sql.end();
      const newer = await examine(env);
      expect(newer.of('schema')).toMatchObject({
        verdict: 'problem',
        remedy: expect.stringContaining('backup'),
      });
    } finally {
      await drop();
    }
    const gone = await examine(env);
    expect(gone.of('database')).toMatchObject({
      verdict: 'problem',
      found: expect.stringContaining('no such database'),
    });
  }, 90_000);
});
