import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { entryIdNumber } from './entry-id.ts';
import { splitLine } from './log-entry.ts';

const namePattern = /^aircheck-(\d{6,12})\.log$/;

/** Files are numbered in the order of their making. They are never renamed, and no number is used twice. */
export function logFile(folder: string, number: number): string {
  return join(folder, `aircheck-${String(number).padStart(6, '0')}.log`);
}

/** The numbers of the files in a folder, the oldest first. */
export async function logFileNumbers(folder: string): Promise<number[]> {
  return numbersIn(await readdir(folder));
}

/** The same at once; of a folder that is not there, none. */
export function logFileNumbersSync(folder: string): number[] {
  try {
    return numbersIn(readdirSync(folder));
  } catch {
    return [];
  }
}

function numbersIn(names: readonly string[]): number[] {
  return names
    .map((name) => Number(namePattern.exec(name)?.[1]))
    .filter((number) => !Number.isNaN(number))
    .sort((a, b) => a - b);
}

/** The id that was given last, as a number; 0 when there is none. For the start: it reads, and waits. */
export function lastEntryId(folder: string): number {
  for (const number of logFileNumbersSync(folder).reverse()) {
    const id = lastIdIn(logFile(folder, number));
    if (id !== undefined) return id;
  }
  return 0;
}

/** More than the longest entry has. */
const tailBytes = 1024 * 1024;

function lastIdIn(file: string): number | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const { size } = fstatSync(fd);
    const tail = Buffer.alloc(Math.min(size, tailBytes));
    readSync(fd, tail, 0, tail.length, size - tail.length);
    const ids = tail
      .toString('latin1')
      .split('\n')
      .map((line) => splitLine(line)?.id);
    const last = ids.findLast((id) => id !== undefined);
    return last === undefined ? undefined : entryIdNumber(last);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
