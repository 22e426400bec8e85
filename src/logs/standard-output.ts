import { write, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { LineSink } from './line-queue.ts';

const writeTo = promisify(write);
const pauseMs = 20;
/** At the end of the process, a reader gets so long to make room. */
const lastWaitMs = 500;

/** The standard output, or whatever it has been directed to: a pipe that is read too slowly, a file on a full disk. */
export class StandardOutput implements LineSink {
  /** What the write in flight has not got done, while it waits for the reader. */
  private stuck: Buffer | undefined;
  private isClosed = false;

  constructor(private readonly fd = 1) {}

  async write(lines: Buffer): Promise<{ taken: number; error?: Error }> {
    let done = 0;
    while (done < lines.length && !this.isClosed) {
      try {
        this.stuck = undefined;
        const { bytesWritten } = await writeTo(this.fd, lines, done);
        done += bytesWritten;
      } catch (error) {
        if (!this.isExpected(error)) return { taken: done, error: error as Error };
        this.stuck = lines.subarray(done);
        await delay(pauseMs);
        // Meanwhile the end of the process has seen to it.
        if (this.stuck === undefined) break;
      }
    }
    this.stuck = undefined;
    return { taken: lines.length };
  }

  writeSync(lines: Buffer): void {
    let rest = this.stuck === undefined ? lines : Buffer.concat([this.stuck, lines]);
    this.stuck = undefined;
    const deadline = performance.now() + lastWaitMs;
    while (rest.length > 0 && !this.isClosed) {
      try {
        rest = rest.subarray(writeSync(this.fd, rest));
      } catch (error) {
        if (!this.isExpected(error)) throw error;
        if (performance.now() > deadline) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
      }
    }
  }

  /** The reader is slow, or is gone for good: neither is a failure. */
  private isExpected(error: unknown): boolean {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') this.isClosed = true;
    return code === 'EAGAIN' || code === 'EPIPE';
  }
}
