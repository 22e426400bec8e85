import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ownerVariable } from '../../src/streaming/encoder-process.ts';
import { scratchFolder } from '../mpegts/real-ffmpeg.ts';

/** An executable of a few lines of shell; it is gone when the test is. */
export async function script(...lines: string[]): Promise<string> {
  return await executable(await scratchFolder(), ...lines);
}

/** The same in a folder of the caller's: for tests that run side by side. */
export async function executable(folder: string, ...lines: string[]): Promise<string> {
  const file = join(folder, 'encoder.sh');
  await writeFile(file, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(file, 0o755);
  return file;
}

/** Whether a process exists and is more than an entry that waits for its parent. */
export async function isAlive(pid: number): Promise<boolean> {
  const state = await stateOf(pid);
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** The state letter of a process: R, S, T for stopped, Z for a zombie. */
export async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name before it is in parentheses and may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2)[0];
}

/** All processes with this owner in their environment, as the system sees them. */
export async function processesOf(owner: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const marks = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(`${ownerVariable}=${owner}`);
    }),
  );
  return pids.filter((_, index) => marks[index]);
}

/** Waits for what no event tells of, such as the end of somebody else's process. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came to be: ${what}`);
    await wait(10);
  }
}
