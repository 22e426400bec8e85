import { LineQueue } from './line-queue.ts';
import { RollingFiles, type RollingOptions } from './rolling-files.ts';

/** How the files of the log are. */
export interface LogFilesStatus {
  /** Whether everything is being written. */
  isWell: boolean;
  /** Writes that failed. */
  failures: number;
  /** Entries that are in no file. */
  lost: number;
}

/** So many characters wait for a disk that does not take them. */
const maxWaiting = 4 * 1024 * 1024;
const retryMs = 5_000;

/** The log in the data folder. Whatever happens to the disk, nobody waits for it and nothing is thrown. */
export class LogFiles {
  readonly folder: string;
  private readonly files: RollingFiles;
  private readonly queue: LineQueue;

  constructor(
    options: RollingOptions & {
      retryMs?: number;
      onTrouble?: (error: Error) => void;
      onRecovery?: (lost: number) => void;
    },
  ) {
    this.folder = options.folder;
    this.files = new RollingFiles(options);
    this.queue = new LineQueue(this.files, { retryMs, ...options, maxLength: maxWaiting });
  }

  get status(): LogFilesStatus {
    const { isWell, failures, lost } = this.queue;
    return { isWell, failures, lost };
  }

  write(line: string): void {
    this.queue.write(line);
  }

  /** Resolves when what was logged is in the files, or cannot be written now. */
  flush(): Promise<void> {
    return this.queue.flush();
  }

  flushSync(): void {
    this.queue.flushSync();
  }

  /** Removes everything. Rejects when a file cannot be removed. */
  async clear(): Promise<void> {
    await this.queue.flush();
    this.queue.discard();
    await this.files.clear();
  }

  async stop(): Promise<void> {
    await this.queue.flush();
    await this.files.stop();
  }
}
