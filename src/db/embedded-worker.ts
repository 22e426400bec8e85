/**
 * The embedded database: PGlite behind a Unix socket, on a thread of its own, so that no query ever blocks
 * the thread that streams. This file is a worker's main module.
 *
 * PGlite is one Postgres session. What clients send is therefore queued here, and a client keeps the session
 * for a whole turn: from its first message to the ReadyForQuery outside of a transaction. The multiplexer
 * of @electric-sql/pglite-socket 0.2 changes clients between the messages of one statement, so that with
 * two connections a Bind meets the other one's unnamed statement.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import type { PGlite } from '@electric-sql/pglite';
import { messageOf } from '../errors.ts';
import { makeDataFolder, openFolder, Stderr } from './embedded-folder.ts';
import { endsTurn, FrameReader, firstString, frameOf, queryFrame, syncFrame, type } from './wire-frames.ts';

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

const analyseEveryMs = 10_000;
/**
 * Analyses tables that have changed by a tenth since it was done last: by the rule of autovacuum, and by their size, as
 * PGlite forgets its counters when it ends. A large one takes a third of a second, in which nobody else has a turn.
 */
const analyse = (most: number) => `DO $$
DECLARE changed regclass;
BEGIN
  FOR changed IN
    SELECT relid FROM pg_stat_user_tables JOIN pg_class ON oid = relid
    WHERE n_mod_since_analyze > 50 + 0.1 * n_live_tup OR pg_relation_size(relid) > 8192 * (8 + 1.1 * relpages)
    ORDER BY n_mod_since_analyze DESC LIMIT ${most}
  LOOP
    EXECUTE format('ANALYZE %s', changed);
  END LOOP;
END $$`;
const checkpointEveryMs = 300_000;
const vacuumEveryMs = 6 * 3_600_000;
/** A transaction that says nothing for so long while others wait is rolled back, and its connection closed. */
const silentTransactionMs = 15_000;

async function main(data: EmbeddedData, port: NonNullable<typeof parentPort>): Promise<void> {
  const tell = (event: EmbeddedEvent) => port.postMessage(event);
  const stderr = new Stderr();
  // V8 would begin at once to optimise a thousand functions of PGlite on all cores, which takes a third of a start; the
  // default is 1,800,000 bytes of code executed. What does much work is optimised all the same.
  setFlagsFromString('--wasm-tiering-budget=5000000');
  try {
    const folder = join(data.dataFolder, 'pgdata');
    const created = await makeDataFolder(folder, data.templateFolder, stderr);
    const database = await openFolder(folder, stderr);
    const session = new Session({
      database,
      stderr,
      warn: (message) => tell({ kind: 'warning', message }),
    });
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
    tell({ kind: 'failed', message: [messageOf(error), ...stderr.complaints()].join('; ') });
    port.close();
  }
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
  readonly #stderr: Stderr;
  readonly #warn: (message: string) => void;
  readonly #clients = new Set<Client>();
  readonly #queue: Client[] = [];
  #holder: Client | undefined;
  #usedAt = Number.NEGATIVE_INFINITY;
  #isBroken = false;

  constructor(deps: { database: PGlite; stderr: Stderr; warn: (message: string) => void }) {
    this.#database = deps.database;
    this.#stderr = deps.stderr;
    this.#warn = deps.warn;
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
   * would grow for ever, nothing else vacuums, and queries are planned as if tables were what they were at first.
   * Returns a function that ends it.
   */
  startUpkeep(): () => void {
    const run = (statement: string) => {
      const client = newClient(undefined);
      client.frames.push(queryFrame(statement));
      this.#serve(client);
    };
    // Whoever was here before may have had no time for it.
    run(analyse(100));
    let vacuumAt = performance.now() + checkpointEveryMs;
    const timers = [
      this.#everyIfUsed(analyseEveryMs, () => run(analyse(1))),
      this.#everyIfUsed(checkpointEveryMs, () => {
        if (performance.now() >= vacuumAt) {
          run('VACUUM (ANALYZE)');
          vacuumAt = performance.now() + vacuumEveryMs;
        }
        run('CHECKPOINT');
      }),
      setInterval(() => this.#endSilentTransaction(), silentTransactionMs / 5),
    ];
    return () => {
      for (const timer of timers) clearInterval(timer);
    };
  }

  /** Nothing that nobody has used since needs any upkeep. */
  #everyIfUsed(ms: number, work: () => void): NodeJS.Timeout {
    let doneAt = Number.NEGATIVE_INFINITY;
    return setInterval(() => {
      if (this.#usedAt < doneAt) return;
      doneAt = performance.now();
      work();
    }, ms);
  }

  #serve(newcomer: Client): void {
    this.#enqueue(newcomer);
    while (!this.#isBroken) {
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
    if (client.socket) this.#usedAt = performance.now();
    // Runs to its end before it returns. The bytes are a view of PGlite's memory, hence the copy.
    this.#database
      .execProtocolRawStream(frame, {
        syncToFs: false,
        onRawData: (bytes) => client.socket?.write(Buffer.from(bytes)),
      })
      .catch((error: unknown) => {
        if (frame[0] === type.startup) return client.socket?.destroy();
        // Not an error of SQL, which is an ordinary answer: the session itself is broken.
        return this.#break(error);
      });
    if (this.#stderr.panic !== undefined) this.#break(new Error(this.#stderr.panic));
  }

  /** Ends this thread, to be started anew. Nothing more is asked of the session: its memory is not to be trusted. */
  #break(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    setImmediate(() => {
      throw error;
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

if (parentPort) await main(workerData as EmbeddedData, parentPort);
