import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, settings } from '../src/config.ts';

const root = join(import.meta.dirname, '..');
const read = (name: string) => readFile(join(root, name), 'utf8');

describe('the container image', () => {
  test('is built in stages on a Node that is still supported, and the last one has no build tools', async () => {
    const stages = stagesOf(await read('Dockerfile'));
    expect(stages.length).toBeGreaterThan(1);
    for (const stage of stages) {
      const major = /^node:(\d+)-\S+-slim/.exec(stage[0]!.rest)?.[1];
      // Even majors have long-term support.
      expect(Number(major) % 2).toBe(0);
      expect(Number(major)).toBeGreaterThanOrEqual(24);
    }
    expect(named(stages[0]!, 'RUN')).toContain('npm prune --omit=dev');
    expect(named(stages.at(-1)!, 'RUN')).not.toMatch(/npm|tsc/);
  });

  test('has ffmpeg, a font and an init, and runs as an ordinary user', async () => {
    const last = stagesOf(await read('Dockerfile')).at(-1)!;
    for (const name of ['ffmpeg', 'fonts-dejavu-core', 'tini']) expect(named(last, 'RUN')).toContain(name);
    expect(named(last, 'USER')).toBe('node');
    expect(last.findIndex(({ name }) => name === 'USER')).toBeGreaterThan(
      last.findIndex(({ name }) => name === 'RUN'),
    );
  });

  test('starts without a shell, so that signals reach the server', async () => {
    const last = stagesOf(await read('Dockerfile')).at(-1)!;
    expect(JSON.parse(named(last, 'ENTRYPOINT'))).toEqual(['tini', '--']);
    expect(JSON.parse(named(last, 'CMD'))).toEqual(['node', 'dist/main.js', 'serve']);
    expect(named(last, 'STOPSIGNAL')).toBe('SIGTERM');
  });

  test('asks the server whether it lives, with nothing but Node', async () => {
    const last = stagesOf(await read('Dockerfile')).at(-1)!;
    const [, options, command] = /^(.*?)\s*CMD (\[.*\])$/.exec(named(last, 'HEALTHCHECK'))!;
    expect(options).toContain('--interval=');
    const [program, flag, script] = JSON.parse(command!) as string[];
    expect([program, flag]).toEqual(['node', '-e']);
    expect(script).toContain('/health/live');
    expect(() => new Function(script!)).not.toThrow();
  });

  test('has the port and the data folder of the settings', async () => {
    const last = stagesOf(await read('Dockerfile')).at(-1)!;
    expect(named(last, 'EXPOSE')).toBe(String(loadConfig({}).port));
    const data = /AIRCHECK_DATA=(\S+)/.exec(named(last, 'ENV'))?.[1];
    expect(JSON.parse(named(last, 'VOLUME'))).toEqual([data]);
    expect(named(last, 'RUN')).toContain(data);
  });

  test('copies what exists and what its context lets through', async () => {
    const ignore = (await read('.dockerignore')).split('\n');
    expect(ignore).toContain('*');
    const copied = stagesOf(await read('Dockerfile'))
      .flat()
      .filter(({ name, rest }) => name === 'COPY' && !rest.includes('--from='))
      .flatMap(({ rest }) =>
        rest
          .split(/\s+/)
          .filter((word) => !word.startsWith('--'))
          .slice(0, -1),
      );
    for (const path of copied) expect(ignore, path).toContain(`!${path}`);
  });
});

interface ComposeFile {
  services: Record<
    string,
    {
      image?: string;
      environment: Record<string, string>;
      ports?: string[];
      volumes: string[];
      depends_on?: Record<string, { condition: string }>;
      healthcheck: { test: string[] };
      stop_grace_period: string;
    }
  >;
  volumes: Record<string, unknown>;
}

describe('the compose file', () => {
  test('starts the server when its database is healthy, and gives both the time to end', async () => {
    const { services } = await compose();
    expect(services.postgres!.image).toBe('postgres:17');
    expect(services.aircheck!.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    for (const service of Object.values(services)) {
      expect(service.healthcheck.test[0]).toBe('CMD');
      expect(Number.parseInt(service.stop_grace_period, 10) * 1000).toBeGreaterThan(
        loadConfig({}).shutdownMs,
      );
    }
  });

  test('has no secret in it', async () => {
    const { services } = await compose();
    expect(services.postgres!.environment.POSTGRES_PASSWORD).toMatch(/^\$\{POSTGRES_PASSWORD:\?.+\}$/);
    expect(services.aircheck!.environment.DATABASE_URL).toMatch(
      /^postgres:\/\/aircheck:\$\{POSTGRES_PASSWORD:\?[^}]+\}@postgres:5432\/aircheck$/,
    );
    expect(services.aircheck!.environment.AIRCHECK_ADMIN_KEY).toMatch(/^\$\{AIRCHECK_ADMIN_KEY:-\}$/);
  });

  test('sets only what is a setting', async () => {
    const { services } = await compose();
    const known = [...settings().map(({ variable }) => variable), 'DATABASE_URL'];
    for (const name of Object.keys(services.aircheck!.environment)) expect(known).toContain(name);
  });

  test('keeps the data and the database in volumes, and cannot write to the recordings', async () => {
    const { services, volumes } = await compose();
    const mounts = Object.values(services).flatMap((service) => service.volumes);
    for (const name of Object.keys(volumes))
      expect(mounts.some((mount) => mount.startsWith(`${name}:/`))).toBe(true);
    expect(mounts.find((mount) => mount.includes(':/media'))).toMatch(/:\/media:ro$/);
  });

  test('says what each of its variables means', async () => {
    const text = await read('compose.yaml');
    for (const [, name] of text.matchAll(/\$\{([A-Z_]+)/g))
      expect(text).toMatch(new RegExp(`^#   ${name} {2,}\\S`, 'm'));
  });
});

async function compose(): Promise<ComposeFile> {
  return parse(await read('compose.yaml')) as ComposeFile;
}

interface Instruction {
  name: string;
  rest: string;
}

/** The instructions of a Dockerfile, a list for each stage. Enough of the syntax for our own file. */
function stagesOf(dockerfile: string): Instruction[][] {
  const lines = dockerfile
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .filter(Boolean);
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line)!;
    if (name === 'FROM') stages.push([]);
    stages.at(-1)!.push({ name: name!, rest: rest! });
  }
  return stages;
}

/** What an instruction of this name says; several are joined. */
function named(stage: Instruction[], name: string): string {
  return stage
    .filter((instruction) => instruction.name === name)
    .map(({ rest }) => rest)
    .join('\n');
}
