import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { btree_gist } from '@electric-sql/pglite/contrib/btree_gist';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** Makes the database's folder under another name first: a half-made one is never taken for whole. */
export async function makeDataFolder(
  folder: string,
  template: string,
  stderr: Stderr,
): Promise<'template' | 'initdb' | undefined> {
  if (existsSync(join(folder, 'PG_VERSION'))) return undefined;
  const making = `${folder}.new`;
  rmSync(making, { recursive: true, force: true });
  const usable = isCurrent(template);
  if (usable) {
    copyFolder(join(template, 'pgdata'), making);
  } else {
    const database = await openFolder(making, stderr);
    await dropTemplates(database);
    await database.close();
  }
  chmodSync(making, 0o700);
  renameSync(making, folder);
  return usable ? 'template' : 'initdb';
}

/**
 * What initdb makes for databases to come, of which there are none: two thirds of its thousand files. Each would have
 * to be copied at a first start, and synced after every crash.
 */
async function dropTemplates(database: PGlite): Promise<void> {
  for (const name of ['template0', 'template1']) {
    await database.query(`UPDATE pg_database SET datistemplate = false WHERE datname = '${name}'`);
    await database.query(`DROP DATABASE ${name}`);
  }
}

/** fs.cpSync needs six times as long for the many small files of a database. */
function copyFolder(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, copy] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyFolder(source, copy);
    else copyFileSync(source, copy, constants.COPYFILE_FICLONE);
  }
}

/** The files of one PGlite release do not always suit another one. */
function isCurrent(template: string): boolean {
  try {
    const made = JSON.parse(readFileSync(join(template, 'template.json'), 'utf8')) as { pglite: string };
    const manifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
    const installed = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return made.pglite === installed.version;
  } catch {
    return false;
  }
}

export async function openFolder(folder: string, stderr: Stderr): Promise<PGlite> {
  const fs = new DurableNodeFS(folder);
  const database = await PGlite.create({
    fs,
    extensions: { btree_gist },
    // Segments of 1 MB instead of 16 keep the folder small.
    initDbStartParams: ['--wal-segsize=1'],
    startParams: [
      // PGlite's own, without -F, which turns fsync off.
      ...PGlite.defaultStartParams.filter((param) => param !== '-F'),
      // The other methods do not reach the file system from within WebAssembly.
      ...['-c', 'wal_sync_method=fsync'],
      // Instead of 128 MB; the kernel caches the files anyhow.
      ...['-c', 'shared_buffers=16MB'],
      ...['-c', 'min_wal_size=4MB'],
    ],
    onStderr: (line) => stderr.hear(line),
  });
  fs.starting = false;
  return database;
}

/** What the database says besides its answers. */
export class Stderr {
  /**
   * The line with which it gave itself up: when its log cannot be written, as on a full disk. A PostgreSQL ends all of
   * its processes then and starts anew; here everything is in one, which would go on with what it has in memory, and
   * loop for ever.
   */
  panic: string | undefined;
  readonly #lines: string[] = [];

  hear(line: string): false {
    this.#lines.push(line);
    if (this.#lines.length > 50) this.#lines.shift();
    if (/\bPANIC: /.test(line)) this.panic ??= line;
    return false;
  }

  /** The last lines that tell of trouble. */
  complaints(): string[] {
    return this.#lines.filter((line) => /FATAL|PANIC|ERROR|HINT|DETAIL/.test(line)).slice(-5);
  }
}

/** What has not been written for so long, the kernel has put on the disk of its own accord. */
const settledMs = 600_000;

/** NodeFS answers fsync with success and does nothing. Here a commit is on the disk when it is acknowledged. */
class DurableNodeFS extends NodeFS {
  /** Recovery after a crash syncs every file of the folder, twice: seconds, for files that lay still for days. */
  starting = true;

  override async init(...[pglite, options]: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const result = await super.init(pglite, options);
    result.emscriptenOpts.preRun ??= [];
    result.emscriptenOpts.preRun.push((mod) => {
      const { NODEFS } = (mod as unknown as EmscriptenWithNodeFS).FS.filesystems;
      NODEFS.stream_ops.fsync = ({ nfd }) => {
        const settled = this.starting && Date.now() - fstatSync(nfd).mtimeMs > settledMs;
        if (!settled) fsyncSync(nfd);
        return 0;
      };
    });
    return result;
  }
}

interface EmscriptenWithNodeFS {
  FS: { filesystems: { NODEFS: { stream_ops: { fsync?: (stream: { nfd: number }) => number } } } };
}
