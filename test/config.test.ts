import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, settings } from '../src/config.ts';
import { StartError } from '../src/errors.ts';

const documented = join(import.meta.dirname, '../config/default.yaml');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-config-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('config/default.yaml', () => {
  test('has every setting and no other, each with its default', async () => {
    const file: unknown = parse(await readFile(documented, 'utf8'));
    expect(leaves(file).sort()).toEqual(
      settings()
        .map(({ path }) => path.join('.'))
        .sort(),
    );
    expect(loadConfig({}, documented)).toEqual(loadConfig({}));
  });

  test('says what each setting means, and which environment variable overrides it', async () => {
    const lines = (await readFile(documented, 'utf8')).split('\n').map((line) => line.trim());
    for (const { path, variable } of settings()) {
      const at = lines.indexOf(`# ${variable}`);
      expect(lines[at + 1], variable).toMatch(new RegExp(`^${path.at(-1)}:`));
      expect(lines[at - 1], variable).toMatch(/^# ./);
    }
  });
});

describe('the configuration', () => {
  test('comes from defaults, then the file, then the environment', async () => {
    const file = await written('streaming:\n  lingerMs: 30000\n  prepareMs: 7000\nport: 9000\n');
    const config = loadConfig({ AIRCHECK_CONFIG: file, AIRCHECK_STREAMING_LINGER_MS: '40000' });
    expect(config.port).toBe(9000);
    expect(config.streaming).toMatchObject({ lingerMs: 40_000, prepareMs: 7_000, leadMs: 1_250 });
  });

  test('takes every kind of value from the environment', () => {
    const config = loadConfig({
      AIRCHECK_PORT: '8123',
      AIRCHECK_DATA: 'somewhere',
      AIRCHECK_ADMIN_KEY: '0123456789abcdef',
      AIRCHECK_PUBLIC_URL: 'https://tv.example.org/',
      AIRCHECK_TRUST_PROXY: 'true',
      AIRCHECK_LIBRARY_WATCH: '0',
      AIRCHECK_LOG_LEVEL: 'debug',
      AIRCHECK_STREAMING_SPAWNS_PER_SECOND: '0.5',
      AIRCHECK_STREAMING_RETRY_MS: '1,2',
      DATABASE_URL: 'postgres://user@host/name',
      PATH: '/usr/bin',
    });
    expect(config).toMatchObject({
      port: 8123,
      data: resolve('somewhere'),
      adminKey: '0123456789abcdef',
      publicUrl: 'https://tv.example.org',
      trustProxy: true,
      library: { watch: false },
      log: { level: 'debug' },
      streaming: { spawnsPerSecond: 0.5, retryMs: [1, 2] },
      databaseUrl: 'postgres://user@host/name',
    });
  });

  test('counts what is empty as not set', async () => {
    const file = await written('port:\nlog:\nadminKey:\nlibrary:\n  probes:\n');
    expect(loadConfig({ AIRCHECK_CONFIG: file, AIRCHECK_ADMIN_KEY: '', DATABASE_URL: '' })).toEqual(
      loadConfig({ AIRCHECK_CONFIG: '' }),
    );
  });

  test.each([
    ['a setting that does not exist', { AIRCHECK_PROT: '1' }, '', 'AIRCHECK_PROT: there is no such setting'],
    ['a key that does not exist', {}, 'prot: 1', /^ {2}prot in .*\.yaml: there is no such setting/m],
    ['a key that does not exist deeper', {}, 'log:\n  levle: info', /^ {2}log\.levle in .*no such setting/m],
    ['a number that is too large', { AIRCHECK_PORT: '70000' }, '', 'port (from AIRCHECK_PORT)'],
    ['a number that is none', { AIRCHECK_PORT: 'http' }, '', 'port (from AIRCHECK_PORT)'],
    ['blanks for a number', { AIRCHECK_PORT: ' ' }, '', 'port (from AIRCHECK_PORT)'],
    ['true for a number', {}, 'port: true', /port \(from .*\.yaml\)/],
    [
      'one wrong of several',
      { AIRCHECK_STREAMING_RETRY_MS: '5,x' },
      '',
      'streaming.retryMs.1 (from AIRCHECK_STREAMING_RETRY_MS)',
    ],
    ['a short key', { AIRCHECK_ADMIN_KEY: 'secret' }, '', 'adminKey (from AIRCHECK_ADMIN_KEY)'],
    ['another database', { DATABASE_URL: 'mysql://x' }, '', 'databaseUrl (from DATABASE_URL)'],
    ['a URL of another kind', { AIRCHECK_PUBLIC_URL: 'ftp://x' }, '', 'publicUrl (from AIRCHECK_PUBLIC_URL)'],
    ['a value where keys belong', { AIRCHECK_LOG_LEVEL: 'info' }, 'log: debug', /log \(from .*\)/],
    [
      'settings that contradict each other',
      { AIRCHECK_STREAMING_SLATE_BELOW_MS: '2000' },
      '',
      'streaming.slateBelowMs (from AIRCHECK_STREAMING_SLATE_BELOW_MS)',
    ],
    ['a list for a file', {}, '- 1', 'it is not a mapping'],
    ['a file that is no YAML', {}, 'a: [', 'cannot be read'],
  ])('stops the start for %s, and names it', async (_, env, yaml, words) => {
    const file = yaml === '' ? undefined : await written(yaml);
    expect(() => loadConfig(env, file)).toThrow(StartError);
    expect(() => loadConfig(env, file)).toThrow(words);
  });

  test('does not repeat a secret in its complaint', () => {
    expect(() => loadConfig({ AIRCHECK_ADMIN_KEY: 'hunter2', DATABASE_URL: 'hunter2' })).not.toThrow(
      'hunter2',
    );
  });

  test('stops the start for a file that is not there', () => {
    expect(() => loadConfig({ AIRCHECK_CONFIG: '/nowhere/aircheck.yaml' })).toThrow(
      '/nowhere/aircheck.yaml does not exist',
    );
  });

  test('names everything that is wrong at once', () => {
    expect(() => loadConfig({ AIRCHECK_PORT: '-1', AIRCHECK_SHUTDOWN_MS: '0' })).toThrow(
      /port.*\n.*shutdownMs/,
    );
  });
});

let files = 0;

async function written(yaml: string): Promise<string> {
  const file = join(folder, `${files++}.yaml`);
  await writeFile(file, yaml);
  return file;
}

/** Dotted paths of everything that is not a mapping. */
function leaves(value: unknown, prefix: string[] = []): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [prefix.join('.')];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, [...prefix, key]));
}
