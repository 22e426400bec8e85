import { setPriority } from 'node:os';
import { messageOf } from '../errors.ts';

/**
 * What a helper's process does: jobs, for a server that sends them. Starting a process makes the kernel copy the
 * page tables of the one that starts it: 15 ms and more for a server with its buffers full, each of which its
 * viewers would wait for. A helper is small, and starts the ffprobes and ffmpegs instead.
 */

export type HelperRequest<Job> = { id: number; job: Job; niceness: number } | { id: number; cancel: true };

export type HelperReply<Result> = { id: number; result: Result } | { id: number; error: string };

/**
 * Makes this process a helper. It ends when the server disconnects from it or is no more, and aborts its jobs
 * before that: a job that has been aborted must have ended what it started when its turn of the event loop is over.
 */
export function serveJobs<Job, Result>(work: (job: Job, signal: AbortSignal) => Promise<Result>): void {
  const running = new Map<number, AbortController>();

  const answer = async (id: number, job: Job): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      reply({ id, result: await work(job, controller.signal) });
    } catch (error) {
      reply({ id, error: messageOf(error) });
    } finally {
      running.delete(id);
    }
  };

  process.on('message', (request: HelperRequest<Job>) => {
    if ('cancel' in request) {
      running.get(request.id)?.abort();
      return;
    }
    setOwnPriority(request.niceness);
    void answer(request.id, request.job);
  });

  process.on('disconnect', () => {
    for (const controller of running.values()) controller.abort();
    setImmediate(() => process.exit(0));
  });

  // A terminal's Ctrl-C reaches the whole group; the server decides when this process ends.
  process.on('SIGINT', () => {});
}

function setOwnPriority(niceness: number): void {
  try {
    setPriority(niceness);
  } catch {
    // The system does not let us: it runs as it is.
  }
}

function reply(message: HelperReply<unknown>): void {
  if (process.connected) process.send?.(message, () => {});
}
