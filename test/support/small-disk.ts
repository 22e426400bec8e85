import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own in memory, which can be filled to the last byte. */
export class SmallDisk {
  readonly path: string;
  readonly #filler: string;

  constructor(megabytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'aircheck-disk-'));
    this.#filler = join(this.path, 'filler');
    mount(this.path, megabytes);
  }

  /** @param leaveBytes so much stays free, for a while */
  fill(leaveBytes = 0): void {
    const file = openSync(this.#filler, 'a');
    try {
      for (;;) {
        const { bavail, bsize } = statfsSync(this.path);
        const bytes = Math.min(2 ** 20, bavail * bsize - leaveBytes);
        if (bytes <= 0) return;
        writeSync(file, Buffer.alloc(bytes));
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  remove(): void {
    execFileSync('umount', ['--lazy', this.path]);
    rmdirSync(this.path);
  }
}

/** Whether this user may mount file systems here. */
export function canMount(): boolean {
  try {
    new SmallDisk(1).remove();
    return true;
  } catch {
    return false;
  }
}

function mount(path: string, megabytes: number): void {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', path], {
      stdio: 'pipe',
    });
  } catch (error) {
    rmdirSync(path);
    throw error;
  }
}
