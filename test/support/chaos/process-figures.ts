import { readdir, readFile, readlink } from 'node:fs/promises';
import { encodersOf } from '../broadcast.ts';
import type { RunningServer } from '../server.ts';

/** What a process holds, by what the system says. */
export interface ProcessFigures {
  rssMegabytes: number;
  descriptors: number;
  /** Open file descriptors by their kind. Connections to the database are a kind of their own. */
  kinds: Record<string, number>;
}

/** @param databasePort connections to it are told apart: a pool opens them as it needs them, and keeps them */
export async function figuresOf(pid: number, databasePort?: number): Promise<ProcessFigures> {
  const [status, names, databaseSockets] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
    databasePort === undefined ? new Set<string>() : socketsTo(pid, databasePort),
  ]);
  const targets = await Promise.all(
    names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => undefined)),
  );
  const kinds: Record<string, number> = {};
  for (const target of targets) {
    if (target === undefined) continue;
    const kind = databaseSockets.has(target) ? 'database' : kindOf(target);
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  return {
    rssMegabytes: Math.round(rss / 1024),
    descriptors: Object.values(kinds).reduce((sum, count) => sum + count, 0),
    kinds,
  };
}

export interface EncoderSeen {
  pid: number;
  /** The file that it reads. */
  file: string;
}

/** The encoders of a server, by what the system says, and what each of them reads. */
export async function encodersWithFiles(server: RunningServer): Promise<EncoderSeen[]> {
  const pids = await encodersOf(server);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const args = text.split('\0');
      return { pid, file: (args[args.indexOf('-i') + 1] ?? '').replace(/^file:/, '') };
    }),
  );
  return found.filter(({ file }) => file.startsWith('/'));
}

/** Processes that have ended and that their parent has not taken notice of. */
export async function zombiesOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' && Number(parent) === pid) found.push(Number(name));
  }
  return found;
}

function kindOf(target: string): string {
  if (target.startsWith('socket:')) return 'socket';
  if (target.startsWith('pipe:')) return 'pipe';
  if (target.startsWith('anon_inode:')) return target.slice('anon_inode:'.length).replaceAll(/[[\]]/g, '');
  return target.startsWith('/dev/') ? 'device' : 'file';
}

/** Sockets, as links of file descriptors name them, whose other end is this port. */
async function socketsTo(pid: number, port: number): Promise<Set<string>> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const found = new Set<string>();
  for (const family of ['tcp', 'tcp6']) {
    const table = await readFile(`/proc/${pid}/net/${family}`, 'utf8').catch(() => '');
    for (const line of table.split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[2]?.endsWith(`:${wanted}`)) found.add(`socket:[${columns[9]}]`);
    }
  }
  return found;
}
