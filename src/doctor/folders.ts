import { constants } from 'node:fs';
import { access, mkdtemp, opendir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '../errors.ts';
import type { Check, Finding } from './check.ts';

const mebibyte = 2 ** 20;
/** Below this, the database may soon be unable to write. */
const leastFreeBytes = 200 * mebibyte;
/** Databases, logs and slates grow. */
const amplyFreeBytes = 2048 * mebibyte;

/** @param holder pid of the server that uses the folder now */
export function dataFolderCheck(folder: string, holder: string | undefined): Check {
  const subject = 'data folder';
  return {
    subject,
    deadlineMs: 10_000,
    run: async () => {
      const isThere = await exists(folder);
      const place = isThere ? folder : await nearestExisting(folder);
      const refusal = await tryWriting(place);
      if (refusal !== undefined) {
        const found = isThere
          ? `${folder}: ${refusal}`
          : `${folder} is not there and cannot be made: ${refusal}`;
        const remedy = `Give the user of the server the right to write to ${place}, or name another folder in AIRCHECK_DATA.`;
        return { subject, verdict: 'problem', found, remedy };
      }
      const use = holder === undefined ? '' : `, in use by the server with pid ${holder}`;
      const state = isThere ? `${folder}${use}` : `${folder} will be made at the first start`;
      return [
        { subject, verdict: 'ok', found: state },
        await spaceFinding(place),
        ...(await keyFindings(join(folder, 'admin-key'))),
      ];
    },
  };
}

/** Whether a library's folder can be read. */
export function libraryCheck({ name, path }: { name: string; path: string }): Check {
  const subject = 'library';
  const shown = `${name}: ${path}`;
  return {
    subject,
    deadlineMs: 10_000,
    run: async () => {
      const folder = await stat(path).catch(messageOf);
      if (typeof folder === 'string') {
        const remedy = 'Mount or restore the folder. Its media are kept as unavailable until then.';
        return { subject, verdict: 'warning', found: `${shown}: ${folder}`, remedy };
      }
      const refusal = folder.isDirectory() ? await tryReading(path) : 'it is not a folder';
      if (refusal !== undefined) {
        const remedy = 'Give the user of the server the right to read the folder (read and execute).';
        return { subject, verdict: 'warning', found: `${shown}: ${refusal}`, remedy };
      }
      if (await isEmpty(path)) {
        const remedy = 'If recordings belong there: is the disk or network folder mounted?';
        return { subject, verdict: 'warning', found: `${shown} is empty`, remedy };
      }
      return { subject, verdict: 'ok', found: shown };
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function nearestExisting(path: string): Promise<string> {
  const parent = dirname(path);
  return parent === path || (await exists(parent)) ? parent : nearestExisting(parent);
}

/** Only trying tells: rights, read-only mounts, quotas. Returns what is in the way. */
async function tryWriting(folder: string): Promise<string | undefined> {
  try {
    const trial = await mkdtemp(join(folder, '.aircheck-doctor-'));
    try {
      await writeFile(join(trial, 'trial'), Buffer.alloc(64 * 1024));
    } finally {
      await rm(trial, { recursive: true, force: true });
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function spaceFinding(folder: string): Promise<Finding> {
  const subject = 'disk space';
  const disk = await statfs(folder);
  const freeBytes = disk.bavail * disk.bsize;
  const found = `${Math.floor(freeBytes / mebibyte)} MiB free for the data folder`;
  const remedy = 'Make room on that disk, or name a folder on another one in AIRCHECK_DATA.';
  // Some file systems have no fixed number of files, and say 0 of 0.
  if (disk.files > 0 && disk.ffree < 1_000) {
    return { subject, verdict: 'warning', found: `room for ${disk.ffree} more files only`, remedy };
  }
  if (freeBytes >= amplyFreeBytes) return { subject, verdict: 'ok', found };
  return { subject, verdict: freeBytes < leastFreeBytes ? 'problem' : 'warning', found, remedy };
}

async function keyFindings(file: string): Promise<Finding[]> {
  if (process.platform === 'win32') return [];
  const key = await stat(file).catch(() => undefined);
  if (key === undefined || (key.mode & 0o077) === 0) return [];
  const found = `${file} can be read by other users of this machine`;
  return [{ subject: 'admin key', verdict: 'warning', found, remedy: `Run: chmod 600 ${file}` }];
}

async function tryReading(folder: string): Promise<string | undefined> {
  return access(folder, constants.R_OK | constants.X_OK).then(() => undefined, messageOf);
}

async function isEmpty(folder: string): Promise<boolean> {
  const entries = await opendir(folder);
  try {
    return (await entries.read()) === null;
  } finally {
    await entries.close();
  }
}
