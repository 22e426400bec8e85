import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Config } from '../config.ts';
import type { Check, Finding } from './check.ts';

const subject = 'port';

/**
 * Whether the server can listen, or does so already.
 *
 * @param holder pid of the server that uses the data folder now
 */
export function portCheck({ host, port }: Pick<Config, 'host' | 'port'>, holder: string | undefined): Check {
  return {
    subject,
    deadlineMs: 10_000,
    run: async (signal) => {
      if (port === 0) return { subject, verdict: 'ok', found: 'any that is free' };
      const refusal = await tryListening(host, port);
      const place = `${host}:${port}`;
      if (refusal === undefined) return freeFinding(place, holder);
      if (refusal === 'EADDRINUSE') return await takenFinding({ host, port, place, holder, signal });
      return { subject, verdict: 'problem', ...refusedText(place, refusal) };
    },
  };
}

async function tryListening(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}

function freeFinding(place: string, holder: string | undefined): Finding {
  if (holder === undefined) return { subject, verdict: 'ok', found: `${place} is free` };
  const found = `${place} is free, although the server runs (pid ${holder}): it was started with another port or is stopping`;
  return { subject, verdict: 'note', found };
}

async function takenFinding(taken: {
  host: string;
  port: number;
  place: string;
  holder: string | undefined;
  signal: AbortSignal;
}): Promise<Finding> {
  const { host, port, place, holder } = taken;
  const isAircheck = await answersAsAircheck(host, port, taken.signal);
  if (isAircheck && holder !== undefined) {
    return { subject, verdict: 'ok', found: `aircheck answers at ${place} (pid ${holder})` };
  }
  const user = await portUser(port);
  if (isAircheck) {
    const who = user === undefined ? '' : `, ${user}`;
    return {
      subject,
      verdict: 'warning',
      found: `another aircheck, with another data folder, answers at ${place}${who}`,
      remedy:
        'Is this the configuration of the one that runs? For a second server, set AIRCHECK_PORT to another port.',
    };
  }
  return {
    subject,
    verdict: 'problem',
    found: `${place} is in use by ${user ?? 'another program'}`,
    remedy: 'Stop that program, or set AIRCHECK_PORT to another port.',
  };
}

/** The challenge of the API is its mark: it comes without a key, and before anything could be wrong. */
async function answersAsAircheck(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  const authority = name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(3_000)]);
  try {
    const answer = await fetch(`http://${authority}/api/server`, { signal: deadline, redirect: 'manual' });
    await answer.body?.cancel();
    return answer.headers.get('www-authenticate')?.includes('realm="aircheck"') ?? false;
  } catch {
    return false;
  }
}

function refusedText(place: string, code: string): { found: string; remedy: string } {
  switch (code) {
    case 'EACCES':
      return {
        found: `${place} may not be used by this user`,
        remedy: 'Ports below 1024 are for root on many systems: set AIRCHECK_PORT to a higher one.',
      };
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return {
        found: `${place} is not an address of this machine`,
        remedy: 'Set AIRCHECK_HOST to 0.0.0.0 (every interface), or to an address that this machine has.',
      };
    default:
      return {
        found: `${place} cannot be used: ${code}`,
        remedy: 'Correct AIRCHECK_HOST and AIRCHECK_PORT.',
      };
  }
}

/** Who listens on a port, as far as Linux tells this user: "postgres (pid 812)". */
export async function portUser(port: number): Promise<string | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const sockets = new Set(tables.flatMap((table) => listeningSockets(table, port)));
  if (sockets.size === 0) return undefined;
  const pids = (await readdir('/proc').catch((): string[] => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const files = await readdir(`/proc/${pid}/fd`).catch((): string[] => []);
    for (const file of files) {
      const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
      if (!sockets.has(target)) continue;
      const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a program');
      return `${name.trim()} (pid ${pid})`;
    }
  }
  return undefined;
}

/** Lines such as `0: 0100007F:22B8 00000000:0000 0A …`, with the inode in the tenth column (proc_net_tcp.txt). */
function listeningSockets(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${wanted}`) && columns[3] === '0A')
    .map((columns) => `socket:[${columns[9]}]`);
}
