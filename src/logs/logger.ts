import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { EntryIds } from './entry-id.ts';
import { LineQueue } from './line-queue.ts';
import { LogFiles } from './log-files.ts';
import { lastEntryId } from './log-folder.ts';
import { LogTail } from './log-tail.ts';
import { Masker } from './masker.ts';
import type { RollingOptions } from './rolling-files.ts';
import { StandardOutput } from './standard-output.ts';

/** How often a disk that fails is tried again is for tests to say. */
type FileOptions = RollingOptions & { retryMs?: number };

export interface LoggerOptions {
  level: string;
  /** Where entries are kept, besides the standard output. */
  files?: FileOptions;
  /** In the place of the standard output. */
  output?: LineOutput;
}

export interface LineOutput {
  write(line: string): void;
  flushSync?(): void;
}

export interface Logging {
  log: Logger;
  /** To be told what must never be logged. */
  masker: Masker;
  /** What is being logged. */
  tail: LogTail;
  /** Writes what has been logged, and lets go of the files and of the process. Later entries are written too. */
  stop(): Promise<void>;
}

/** With the files in which the entries are kept. */
export interface StoredLogging extends Logging {
  files: LogFiles;
}

/**
 * One JSON line an event on standard output (for a person at a terminal, readable ones) and in files. No secret
 * leaves in it; and what is logged last is written, however the process ends, if it is not killed.
 */
export function createLogger(options: LoggerOptions & { files: FileOptions }): StoredLogging;
export function createLogger(options: LoggerOptions): Logging;
export function createLogger(options: LoggerOptions): Logging & { files?: LogFiles } {
  const masker = new Masker();
  const tail = new LogTail();
  const output = options.output ?? standardOutput();
  const files = options.files && new LogFiles({ ...options.files, onTrouble, onRecovery });
  const ids = new EntryIds(options.files && lastEntryId(options.files.folder));
  const destination = {
    write(line: string) {
      output.write(line);
      files?.write(line);
      tail.write(line);
    },
    // Pino calls this for a fatal entry.
    flushSync() {
      output.flushSync?.();
      files?.flushSync();
    },
  };
  const log = pino(
    {
      level: options.level,
      base: null,
      formatters: { level: (level) => ({ level }) },
      // The one place where something can be put at a fixed place of the line.
      timestamp: () => {
        const now = Date.now();
        return `,"time":"${new Date(now).toISOString()}","id":"${ids.next(now)}"`;
      },
      hooks: { streamWrite: (line) => masker.line(line) },
    },
    destination,
  );
  const filesLog = log.child({ logger: 'logs' });

  function onTrouble(error: Error): void {
    filesLog.error({ reason: error.message }, 'the files of the log cannot be written; they are tried again');
  }

  function onRecovery(lost: number): void {
    filesLog.info({ lost }, 'the files of the log are written again');
  }

  const lastWords = () => destination.flushSync();
  process.on('exit', lastWords);
  return {
    log,
    masker,
    tail,
    ...(files === undefined ? {} : { files }),
    stop: async () => {
      await files?.stop();
      process.off('exit', lastWords);
      output.flushSync?.();
    },
  };
}

/** So many characters wait for a reader that is slow. */
const maxWaiting = 4 * 1024 * 1024;

function standardOutput(): LineOutput {
  if (process.stdout.isTTY) {
    return pretty({ colorize: true, translateTime: 'HH:MM:ss', singleLine: true, ignore: 'id' });
  }
  return new LineQueue(new StandardOutput(), { maxLength: maxWaiting, retryMs: 1_000 });
}
