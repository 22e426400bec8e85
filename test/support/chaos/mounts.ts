import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rename, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Why nothing can be mounted here; undefined where it can. */
export async function whyNoMounts(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'aircheck-mount-'));
  try {
    await mountDisk(folder, 1);
    await run('umount', [folder]);
    return undefined;
  } catch (error) {
    return String((error as { stderr?: string }).stderr || error).trim();
  } finally {
    await rmdir(folder);
  }
}

/** A media folder that can vanish as a disk does that is pulled out: what is open stays so, nothing else is there. */
export class RemovableFolder {
  private gone = false;

  private constructor(
    readonly path: string,
    private readonly files: string,
    readonly how: 'unmount' | 'rename',
  ) {}

  static async make(root: string, canMount: boolean): Promise<RemovableFolder> {
    const path = join(root, 'library');
    const files = canMount ? join(root, 'disk') : join(root, 'library-away');
    await mkdir(path, { recursive: true });
    const folder = new RemovableFolder(path, files, canMount ? 'unmount' : 'rename');
    if (canMount) {
      await mkdir(files, { recursive: true });
      await folder.bringBack();
    }
    return folder;
  }

  async takeAway(): Promise<void> {
    // Lazily: an encoder may be reading from it.
    if (this.how === 'unmount') await run('umount', ['--lazy', this.path]);
    else await rename(this.path, this.files);
  }

  async bringBack(): Promise<void> {
    if (this.gone) return;
    if (this.how === 'unmount') await run('mount', ['--bind', this.files, this.path]);
    else await rename(this.files, this.path);
  }

  /** For good. To be called before its parent is removed. */
  async remove(): Promise<void> {
    this.gone = true;
    if (this.how === 'unmount') await run('umount', ['--lazy', this.path]).catch(() => {});
  }
}

/** A small file system of its own, which can be filled to the last byte. */
export class SmallDisk {
  private constructor(readonly path: string) {}

  static async make(path: string, megabytes: number): Promise<SmallDisk> {
    await mkdir(path, { recursive: true });
    await mountDisk(path, megabytes);
    return new SmallDisk(path);
  }

  async fill(): Promise<void> {
    const file = await open(this.filler, 'w');
    try {
      for (
        let block = Buffer.alloc(2 ** 20);
        block.length >= 512;
        block = block.subarray(0, block.length / 2)
      ) {
        while (await wrote(file.write(block)));
      }
    } finally {
      await file.close();
    }
  }

  async free(): Promise<void> {
    await rm(this.filler, { force: true });
  }

  async remove(): Promise<void> {
    await run('umount', ['--lazy', this.path]).catch(() => {});
  }

  private get filler(): string {
    return join(this.path, 'filler');
  }
}

async function wrote(writing: Promise<unknown>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

async function mountDisk(path: string, megabytes: number): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', path]);
}
