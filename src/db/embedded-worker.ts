/**
 * The embedded database: PGlite behind a Unix socket, on a thread of its own, so that no query ever blocks
 * the thread that streams. This file is a worker's main module.
 *
 * PGlite is one Postgres session. What clients send is therefore queued here, and a client keeps the session
 * for a whole turn: from its first message to the ReadyForQuery outside of a transaction. The multiplexer
 * of @electric-sql/pglite-socket 0.2 changes clients between the messages of one statement, so that with
 * two connections a Bind meets the other one's unnamed statement.
 */
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
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { btree_gist } from '@electric-sql/pglite/contrib/btree_gist';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { messageOf } from '../errors.ts';

export interface EmbeddedData {
  dataFolder: string;
  socketPath: string;
  /** A data folder with the migrations applied, made at build time; need not be there. */
  templateFolder: string;
}

/** What the worker is told. */
export type EmbeddedCommand = { kind: 'ping' } | { kind: 'stop' };

/** What the worker tells. */
export type EmbeddedEvent =
  | { kind: 'ready'; created: 'template' | 'initdb' | undefined }
  | { kind: 'failed'; message: string }
  | { kind: 'pong' }
  | { kind: 'warning'; message: string };

const checkpointEveryMs = 300_000;
const vacuumEveryMs = 6 * 3_600_000;
/** A transaction that says nothing for so long while others wait is rolled back, and its connection closed. */
const silentTransactionMs = 15_000;

async function main(data: EmbeddedData, port: NonNullable<typeof parentPort>): Promise<void> {
  const tell = (event: EmbeddedEvent) => port.postMessage(event);
  const stderr: string[] = [];
  try {
    const folder = join(data.dataFolder, 'pgdata');
    const created = await makeDataFolder(folder, data.templateFolder, stderr);
    const database = await openFolder(folder, stderr);
    const session = new Session(database, (message) => tell({ kind: 'warning', message }));
    const server = createServer((socket) => session.accept(socket));
    // A socket file of a server that was killed; the data folder's lock says that nobody uses it.
    rmSync(data.socketPath, { force: true });
    await new Promise<void>((done, fail) => {
      server.once('error', fail);
      server.listen(data.socketPath, done);
    });
    chmodSync(data.socketPath, 0o600);
    const stopUpkeep = session.startUpkeep();
    port.on('message', (command: EmbeddedCommand) => {
      if (command.kind === 'ping') return tell({ kind: 'pong' });
      stopUpkeep();
      server.close();
      session.disconnect();
      void database.close().finally(() => port.close());
    });
    tell({ kind: 'ready', created });
  } catch (error) {
    const said = stderr.filter((line) => /FATAL|PANIC|ERROR|HINT|DETAIL/.test(line)).slice(-5);
    tell({ kind: 'failed', message: [messageOf(error), ...said].join('; ') });
    port.close();
  }
}

/** Makes the database's folder under another name first: a half-made one is never taken for whole. */
async function makeDataFolder(
  folder: string,
  template: string,
  stderr: string[],
): Promise<'template' | 'initdb' | undefined> {
  if (existsSync(join(folder, 'PG_VERSION'))) return undefined;
  const making = `${folder}.new`;
  rmSync(making, { recursive: true, force: true });
  const usable = isCurrent(template);
  if (usable) {
    copyFolder(join(template, 'pgdata'), making);
  } else {
    await (await openFolder(making, stderr)).close();
  }
  chmodSync(making, 0o700);
  renameSync(making, folder);
  return usable ? 'template' : 'initdb';
}

/** fs.cpSync needs six times as long for the thousand small files of a database. */
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

async function openFolder(folder: string, stderr: string[]): Promise<PGlite> {
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
    onStderr: (line) => {
      stderr.push(line);
      if (stderr.length > 50) stderr.shift();
      return false;
    },
  });
  fs.starting = false;
  return database;
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

interface Client {
  /** Undefined for the session's own upkeep, and once the client is gone. */
  socket: Socket | undefined;
  frames: Buffer[];
  queued: boolean;
  /** Named statements, which outlive their connection in the one session unless they are closed. */
  statements: Set<string>;
  heardAt: number;
}

/** Lets many clients use the one session, a turn at a time, in order of arrival. */
class Session {
  readonly #database: PGlite;
  readonly #warn: (message: string) => void;
  readonly #clients = new Set<Client>();
  readonly #queue: Client[] = [];
  #holder: Client | undefined;
  #used = false;

  constructor(database: PGlite, warn: (message: string) => void) {
    this.#database = database;
    this.#warn = warn;
  }

  accept(socket: Socket): void {
    const client = newClient(socket);
    const reader = new FrameReader(() => socket.write('N'));
    this.#clients.add(client);
    socket.on('data', (chunk) => {
      client.heardAt = performance.now();
      client.frames.push(...reader.push(chunk));
      this.#serve(client);
    });
    // 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#clients.delete(client);
      client.socket = undefined;
      client.frames = cleaning(client, client === this.#holder);
      this.#serve(client);
    });
  }

  disconnect(): void {
    for (const client of this.#clients) client.socket?.destroy();
  }

  /**
   * Does what Postgres has background processes for: without them nothing else checkpoints, so that the log
   * would grow for ever, and nothing else vacuums. Returns a function that ends it.
   */
  startUpkeep(): () => void {
    const run = (statement: string) => {
      const client = newClient(undefined);
      client.frames.push(queryFrame(statement));
      this.#serve(client);
    };
    let vacuumAt = performance.now() + checkpointEveryMs;
    const upkeep = setInterval(() => {
      if (!this.#used) return;
      this.#used = false;
      if (performance.now() >= vacuumAt) {
        run('VACUUM (ANALYZE)');
        vacuumAt = performance.now() + vacuumEveryMs;
      }
      run('CHECKPOINT');
    }, checkpointEveryMs);
    const watch = setInterval(() => this.#endSilentTransaction(), silentTransactionMs / 5);
    return () => {
      clearInterval(upkeep);
      clearInterval(watch);
    };
  }

  #serve(newcomer: Client): void {
    this.#enqueue(newcomer);
    for (;;) {
      const client = this.#holder ?? this.#queue.shift();
      if (client === undefined) return;
      client.queued = false;
      const frame = client.frames.shift();
      // A holder without frames has more to say; until then the others wait.
      if (frame === undefined && client === this.#holder) return;
      if (frame === undefined) continue;
      this.#holder = client;
      this.#execute(client, frame);
      if (!endsTurn(frame) || this.#database.isInTransaction()) continue;
      this.#holder = undefined;
      this.#enqueue(client);
    }
  }

  #enqueue(client: Client): void {
    if (client.queued || client === this.#holder || client.frames.length === 0) return;
    client.queued = true;
    this.#queue.push(client);
  }

  #execute(client: Client, frame: Buffer): void {
    if (frame[0] === type.terminate) {
      // Whatever it left unfinished is cleaned up when the socket has closed; its turn lasts until then.
      client.socket?.destroy();
      return;
    }
    if (frame[0] === type.parse) {
      const name = firstString(frame);
      if (name !== '') client.statements.add(name);
    }
    if (client.socket) this.#used = true;
    // Runs to its end before it returns. The bytes are a view of PGlite's memory, hence the copy.
    this.#database
      .execProtocolRawStream(frame, {
        syncToFs: false,
        onRawData: (bytes) => client.socket?.write(Buffer.from(bytes)),
      })
      .catch((error: unknown) => {
        if (frame[0] === type.startup) return client.socket?.destroy();
        // Not an error of SQL, which is an ordinary answer: the session itself is broken.
        return setImmediate(() => {
          throw error;
        });
      });
  }

  #endSilentTransaction(): void {
    const holder = this.#holder;
    if (holder?.socket === undefined || this.#queue.length === 0) return;
    if (performance.now() - holder.heardAt < silentTransactionMs) return;
    this.#warn(
      'A transaction was rolled back: it was silent while others waited. Inside a transaction, only its own handle may be used.',
    );
    holder.socket.destroy();
  }
}

function newClient(socket: Socket | undefined): Client {
  return { socket, frames: [], queued: false, statements: new Set(), heardAt: performance.now() };
}

/** What has to be said for a client that is gone. */
function cleaning(client: Client, holdsSession: boolean): Buffer[] {
  const unfinished = holdsSession ? [syncFrame, queryFrame('ROLLBACK')] : [];
  if (client.statements.size === 0) return unfinished;
  const names = [...client.statements].map((name) => frameOf('C', Buffer.from(`S${name}\0`)));
  return [...unfinished, ...names, syncFrame];
}

/** Message types of the frontend (PostgreSQL 53.7). A start-up message has none: its first byte is that of its length. */
const type = { startup: 0x00, parse: 0x50, query: 0x51, sync: 0x53, functionCall: 0x46, terminate: 0x58 };

/** Whether the session answers this message with ReadyForQuery. */
function endsTurn(frame: Buffer): boolean {
  switch (frame[0]) {
    case type.startup:
    case type.query:
    case type.sync:
    case type.functionCall:
      return true;
    default:
      return false;
  }
}

function frameOf(letter: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(letter, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const syncFrame = frameOf('S', Buffer.alloc(0));

function queryFrame(statement: string): Buffer {
  return frameOf('Q', Buffer.from(`${statement}\0`));
}

function firstString(frame: Buffer): string {
  return frame.toString('utf8', 5, frame.indexOf(0, 5));
}

/** Requests that take a start-up message's place: cancel, TLS, GSSAPI. */
const request = { cancel: 80_877_102, tls: 80_877_103, gssapi: 80_877_104 };

/** Cuts what a client sends into whole messages. */
class FrameReader {
  readonly #refuseEncryption: () => void;
  #chunks: Buffer[] = [];
  #size = 0;
  #started = false;

  constructor(refuseEncryption: () => void) {
    this.#refuseEncryption = refuseEncryption;
  }

  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Buffer[] = [];
    for (;;) {
      const frame = this.#next();
      if (frame === undefined) return frames;
      if (this.#started) frames.push(frame);
      else frames.push(...this.#starting(frame));
    }
  }

  #next(): Buffer | undefined {
    const lengthAt = this.#started ? 1 : 0;
    if (this.#size < lengthAt + 4) return undefined;
    const first = this.#peek(lengthAt + 4);
    const whole = lengthAt + first.readInt32BE(lengthAt);
    if (this.#size < whole) return undefined;
    const all = this.#peek(this.#size);
    this.#size -= whole;
    this.#chunks = this.#size === 0 ? [] : [all.subarray(whole)];
    return all.subarray(0, whole);
  }

  /** The first `length` bytes in one piece. */
  #peek(length: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #starting(frame: Buffer): Buffer[] {
    switch (frame.readInt32BE(4)) {
      case request.tls:
      case request.gssapi:
        this.#refuseEncryption();
        return [];
      case request.cancel:
        // There is nothing to cancel: a statement has ended before the next message is read.
        return [frameOf('X', Buffer.alloc(0))];
      default:
        this.#started = true;
        return [frame];
    }
  }
}

if (parentPort) await main(workerData as EmbeddedData, parentPort);
