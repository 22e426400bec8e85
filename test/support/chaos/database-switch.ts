import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { createTestDatabase, startPostgresCluster } from '../postgres-cluster.ts';
import { until } from '../server.ts';

/** Why there is no PostgreSQL that may be stopped here; undefined where there is. */
export function whyNoSwitch(): string | undefined {
  if (process.env.TEST_DATABASE_URL) return 'the server that TEST_DATABASE_URL names is not ours to stop';
  return undefined;
}

/** A PostgreSQL of its own that can be stopped and started, with an empty database on it. */
export class DatabaseSwitch {
  private pid: number;

  private constructor(
    readonly databaseUrl: string,
    private readonly adminUrl: string,
    private readonly command: { argv: string[]; cwd: string; uid: number; gid: number },
    pid: number,
    private readonly stopCluster: () => Promise<void>,
  ) {
    this.pid = pid;
  }

  /** Undefined where there is no PostgreSQL. */
  static async start(): Promise<DatabaseSwitch | undefined> {
    const cluster = await startPostgresCluster();
    if (cluster === undefined) return undefined;
    try {
      const { databaseUrl } = await createTestDatabase(cluster.url);
      const pid = await postmasterOf(cluster.url);
      const { uid, gid } = await stat(`/proc/${pid}`);
      const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
      const command = { argv, cwd: await readlink(`/proc/${pid}/cwd`), uid, gid };
      return new DatabaseSwitch(databaseUrl, cluster.url, command, pid, cluster.stop);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** A "fast" shutdown: connections are closed. */
  async off(): Promise<void> {
    const { pid } = this;
    process.kill(pid, 'SIGINT');
    await until('PostgreSQL has stopped', () => (existsSync(`/proc/${pid}`) ? undefined : true));
  }

  async on(): Promise<void> {
    const [file, ...args] = this.command.argv;
    const { cwd, uid, gid } = this.command;
    const own = process.getuid?.() === uid ? {} : { uid, gid };
    const server = spawn(file as string, args, { cwd, ...own, stdio: 'ignore' });
    this.pid = server.pid as number;
    await until('PostgreSQL answers again', () => answers(this.adminUrl));
  }

  async stop(): Promise<void> {
    if (existsSync(`/proc/${this.pid}`)) await this.off();
    await this.stopCluster();
  }
}

async function postmasterOf(url: string): Promise<number> {
  const folder = await once(url, async (sql) => (await sql`show data_directory`)[0]?.data_directory);
  const [pid] = (await readFile(join(String(folder), 'postmaster.pid'), 'utf8')).split('\n');
  return Number(pid);
}

async function answers(url: string): Promise<true | undefined> {
  return once(url, async (sql) => {
    await sql`select 1`;
    return true as const;
  }).catch(() => undefined);
}

async function once<T>(url: string, ask: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await ask(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
