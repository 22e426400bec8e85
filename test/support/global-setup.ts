import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startPostgresCluster } from './postgres-cluster.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of a PostgreSQL server on which databases may be created; null when there is none. */
    postgresUrl: string | null;
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Worker threads and whole servers run from dist/, and the real database is one for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  buildIfStale();
  const cluster = await startPostgresCluster();
  project.provide('postgresUrl', cluster?.url ?? null);
  return async () => {
    await cluster?.stop();
  };
}

function buildIfStale(): void {
  if (!isStale()) return;
  if (existsSync(join(root, 'scripts/build.mjs')) && run('scripts/build.mjs')) return;
  // Unlike the build, tsc alone writes its files in spite of type errors. What the tests say is worth more.
  run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json');
  run('scripts/build-template.mjs');
}

function isStale(): boolean {
  const built = newest('dist/pglite-template/template.json') === 0 ? 0 : newest('dist');
  return ['src', 'drizzle', 'scripts/build-template.mjs', 'tsconfig.json'].some(
    (path) => newest(path) > built,
  );
}

/** When the newest file there was written; 0 if there is none. */
function newest(path: string): number {
  const full = join(root, path);
  if (!existsSync(full)) return 0;
  if (!statSync(full).isDirectory()) return statSync(full).mtimeMs;
  const files = readdirSync(full, { withFileTypes: true }).filter((entry) => entry.name !== 'pgdata');
  return Math.max(0, ...files.map((entry) => newest(join(path, entry.name))));
}

function run(script: string, ...args: string[]): boolean {
  try {
    execFileSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
    return true;
  } catch {
    console.warn(`${script} ended with an error.`);
    return false;
  }
}
