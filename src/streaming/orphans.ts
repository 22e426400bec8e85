import { readdir, readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { killGroup, ownerVariable } from './encoder-process.ts';

/**
 * Ends the encoders that an earlier run of this server left behind because it was killed. They are known by
 * the owner that was put in their environment. Only Linux tells that; elsewhere an orphan ends by itself
 * when it writes to the pipe that nobody reads.
 *
 * @returns how many were ended
 */
export async function endOrphans(owner: string, log: Logger): Promise<number> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const marks = await Promise.all(pids.map((pid) => isOwned(pid, owner)));
  const orphans = pids.filter((pid, index) => marks[index] && pid !== process.pid);
  for (const pid of orphans) {
    log.info({ pid }, 'an encoder of an earlier run is ended');
    killGroup(pid);
  }
  return orphans.length;
}

async function isOwned(pid: number, owner: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(`${ownerVariable}=${owner}`);
}
