import { writeFile } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Makes a process give way to the server. To be called right after its start, so that its threads inherit it.
 *
 * Linux shares the processor among sessions before it looks at niceness within them, and a process in a group of
 * its own is a session of its own: there the session is told too (sched(7), "The autogroup feature").
 */
export function lowerPriority(pid: number | undefined, niceness: number): void {
  if (pid === undefined || niceness === 0) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already, or the system does not let us: it runs as it is.
  }
  if (process.platform === 'linux') writeFile(`/proc/${pid}/autogroup`, String(niceness), () => {});
}
