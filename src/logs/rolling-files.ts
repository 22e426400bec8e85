import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import type { LineSink } from './line-queue.ts';
import { logFile, logFileNumbers, logFileNumbersSync } from './log-folder.ts';

export interface RollingOptions {
  folder: string;
  /** No file grows beyond this, but for a single line that is longer. */
  maxBytes: number;
  /** How many files are kept, with the one that is written. */
  maxFiles: number;
}

interface OpenFile {
  handle: FileHandle;
  path: string;
  inode: number;
  size: number;
}

const newline = 0x0a;
/** Viewers' addresses are nobody else's business. */
const mode = 0o640;
const lookEveryMs = 1_000;

/** Lines in files of limited size and number. A file is closed and the next one begun; none is renamed. */
export class RollingFiles implements LineSink {
  private file: OpenFile | undefined;
  /** Of the file that is or was written last. */
  private number = 0;
  private inFlight: Buffer | undefined;
  private lookedAt = 0;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RollingOptions) {}

  write(lines: Buffer): Promise<{ taken: number; error?: Error }> {
    return this.inTurn(() => this.append(lines));
  }

  /** At the worst, lines in flight are written twice. Their ids tell. */
  writeSync(lines: Buffer): void {
    const all = this.inFlight === undefined ? lines : Buffer.concat([this.inFlight, lines]);
    this.inFlight = undefined;
    if (all.length === 0) return;
    if (this.file !== undefined) writeAllSync(this.file.handle.fd, all);
    else this.appendSync(all);
  }

  /** Removes all files and begins a new one. Rejects when one of them cannot be removed. */
  clear(): Promise<void> {
    return this.inTurn(async () => {
      await this.close();
      const { folder } = this.options;
      await mkdir(folder, { recursive: true });
      const numbers = await logFileNumbers(folder);
      this.number = Math.max(this.number, numbers.at(-1) ?? 0) + 1;
      await Promise.all(numbers.map((number) => rm(logFile(folder, number), { force: true })));
      await this.open();
    });
  }

  /** The next write opens it again. */
  stop(): Promise<void> {
    return this.inTurn(() => this.close());
  }

  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.turn.then(action);
    this.turn = result.catch(() => {});
    return result;
  }

  private async append(lines: Buffer): Promise<{ taken: number; error?: Error }> {
    this.inFlight = lines;
    let done = 0;
    try {
      while (done < lines.length) {
        const file = await this.current();
        const end = wholeLines(lines, done, this.options.maxBytes - file.size, file.size === 0);
        if (end === done) await this.roll();
        while (done < end) {
          const { bytesWritten } = await file.handle.write(lines, done, end - done);
          done += bytesWritten;
          file.size += bytesWritten;
        }
      }
      return { taken: done };
    } catch (error) {
      await this.close().catch(() => {});
      // A line that was cut is written once more.
      const taken = done === 0 ? 0 : lines.lastIndexOf(newline, done - 1) + 1;
      return { taken, error: error instanceof Error ? error : new Error(messageOf(error)) };
    } finally {
      this.inFlight = undefined;
    }
  }

  private appendSync(lines: Buffer): void {
    const { folder } = this.options;
    mkdirSync(folder, { recursive: true });
    const number = Math.max(this.number, logFileNumbersSync(folder).at(-1) ?? 1);
    const fd = openSync(logFile(folder, number), 'a', mode);
    try {
      // Perhaps the last line there is not whole.
      writeAllSync(fd, Buffer.concat([Buffer.from('\n'), lines]));
    } finally {
      closeSync(fd);
    }
  }

  private async current(): Promise<OpenFile> {
    if (this.file === undefined) return await this.open();
    const now = performance.now();
    if (now - this.lookedAt >= lookEveryMs) {
      this.lookedAt = now;
      // Who still holds a file that was removed writes to nowhere.
      const { ino } = await stat(this.file.path);
      if (ino !== this.file.inode) throw new Error(`${this.file.path} was replaced`);
    }
    return this.file;
  }

  private async roll(): Promise<void> {
    await this.close();
    this.number += 1;
    await this.open();
  }

  private async open(): Promise<OpenFile> {
    const { folder, maxBytes, maxFiles } = this.options;
    await mkdir(folder, { recursive: true });
    const numbers = await logFileNumbers(folder);
    this.number = Math.max(this.number, numbers.at(-1) ?? 1);
    this.file = await openFile(logFile(folder, this.number));
    this.lookedAt = performance.now();
    if (this.file.size > 0 && this.file.size >= maxBytes) {
      await this.roll();
      return this.file;
    }
    const kept = [...new Set([...numbers, this.number])];
    await Promise.allSettled(
      kept.slice(0, -maxFiles).map((number) => rm(logFile(folder, number), { force: true })),
    );
    return this.file;
  }

  private async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.handle.close();
  }
}

/** Where the lines from `start` on end that have room; at least the first one's end if there has to be one. */
function wholeLines(lines: Buffer, start: number, room: number, atLeastOne: boolean): number {
  if (lines.length - start <= room) return lines.length;
  const end = room <= 0 ? start : lines.lastIndexOf(newline, start + room - 1) + 1;
  if (end > start) return end;
  return atLeastOne ? lines.indexOf(newline, start) + 1 : start;
}

/** Opens a file to append to. A line at its end that was cut, by a crash or a full disk, is ended. */
async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, 'a+', mode);
  try {
    const { size, ino: inode } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    if (size === 0 || last[0] === newline) return { handle, path, inode, size };
    await handle.write('\n');
    return { handle, path, inode, size: size + 1 };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function writeAllSync(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
