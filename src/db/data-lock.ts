import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readlink, rename, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, StartError } from '../errors.ts';

/** sun_path holds 107 bytes on Linux and 103 on macOS and the BSDs. */
const longestSocketPath = 103;

/** A server that is being killed may still answer for a moment. */
const graceMs = 1_000;

export interface DataLock {
  /** Gives the folder back. May be called twice and never throws. */
  release(): Promise<void>;
}

/**
 * Keeps two servers off one data folder. Throws StartError, which names the folder and the other server's
 * pid, when one is there already.
 *
 * The lock is `server.lock`, a symbolic link to a Unix socket on which its owner listens; the owner's pid
 * is part of the socket's name. The kernel closes the socket with the process, however that ends, so a
 * lock that nobody answers for is stale at once. A pid alone could not tell: in a container every server
 * is pid 1, and another container's processes cannot be seen at all.
 */
export async function lockDataFolder(folder: string): Promise<DataLock> {
  const lock = join(folder, 'server.lock');
  const place = socketPlace(folder, `lock-${process.pid}-${randomBytes(4).toString('hex')}.sock`);
  let server: Server | undefined;
  try {
    server = await listen(place.path);
    await take(lock, folder, place.target, performance.now() + graceMs);
  } catch (error) {
    await close(server);
    place.dispose();
    if (error instanceof StartError) throw error;
    throw new StartError(
      `The data folder ${folder} cannot be locked: ${messageOf(error)}. It must be writable and on a file system with symbolic links and Unix sockets.`,
      { operation, cause: error },
    );
  }
  let released: Promise<void> | undefined;
  const release = async () => {
    if ((await target(lock)) === place.target) await rm(lock, { force: true }).catch(() => {});
    await close(server);
    place.dispose();
  };
  return {
    release: () => {
      released ??= release().catch(() => {});
      return released;
    },
  };
}

/** The pid of the server that uses the folder now, as far as its lock tells; undefined when there is none. */
export async function lockHolder(folder: string): Promise<string | undefined> {
  const owner = await target(join(folder, 'server.lock'));
  if (owner === undefined || !(await answers(resolve(folder, owner)))) return undefined;
  return pidOf(owner);
}

const operation = 'locking the data folder';

/** Where a Unix socket of this folder can be: in it, or in a private temporary folder if its path is too long. */
export function socketPlace(folder: string, name: string): { path: string; target: string; dispose(): void } {
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= longestSocketPath) {
    return { path, target: name, dispose: () => rmSync(path, { force: true }) };
  }
  const temporary = mkdtempSync(join(tmpdir(), 'aircheck-'));
  const elsewhere = join(temporary, name);
  return {
    path: elsewhere,
    target: elsewhere,
    dispose: () => rmSync(temporary, { recursive: true, force: true }),
  };
}

/**
 * Names are never used twice, so whoever holds the claim to a dead owner's succession is the only one who may
 * replace that owner in the lock, and sees whether another one has already done so. A claim is itself a
 * lock, which survives its own owner's death in the same way.
 */
async function take(lock: string, folder: string, mine: string, deadline: number): Promise<void> {
  for (;;) {
    if (await makeLink(mine, lock)) return;
    const owner = await target(lock);
    if (owner === undefined) continue;
    if (await answers(resolve(folder, owner))) {
      if (performance.now() > deadline) throw inUse(folder, owner);
      await delay(50);
      continue;
    }
    const claim = `${lock}.after-${basename(owner)}`;
    await take(claim, folder, mine, deadline);
    const succeeds = (await target(lock)) === owner;
    if (succeeds) {
      const next = `${claim}.new`;
      await rm(next, { force: true });
      await symlink(mine, next);
      await rename(next, lock);
      await rm(resolve(folder, owner), { force: true });
    }
    await rm(claim, { force: true });
    if (succeeds) return;
  }
}

/** False if there is something already. */
async function makeLink(to: string, path: string): Promise<boolean> {
  try {
    await symlink(to, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function target(lock: string): Promise<string | undefined> {
  try {
    return await readlink(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function inUse(folder: string, holder: string): StartError {
  return new StartError(
    `The data folder ${folder} is in use by another server (pid ${pidOf(holder)}). Stop that one, or give this one a data folder of its own (AIRCHECK_DATA).`,
    { operation },
  );
}

function pidOf(owner: string): string {
  return /lock-(\d+)-/.exec(owner)?.[1] ?? 'unknown';
}

/** Whether a process listens there. Whoever cannot be asked, for lack of permission, counts as there. */
async function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) =>
      done(!['ECONNREFUSED', 'ENOENT', 'ENOTSOCK', 'ENOTDIR'].includes(error.code ?? '')),
    );
  });
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.destroy();
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(path, () => {
      server.off('error', fail);
      done();
    });
  });
  server.on('error', () => {});
  server.unref();
  return server;
}

async function close(server: Server | undefined): Promise<void> {
  if (server) await new Promise<void>((done) => void server.close(() => done()));
}
