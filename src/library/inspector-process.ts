import { setPriority } from 'node:os';
import { messageOf } from '../errors.ts';
import type { ProbeOptions } from '../ffmpeg/probe.ts';
import { type Inspection, type InspectionJob, inspectFile } from './inspect.ts';

/**
 * The program of the inspector's process. Starting a process makes the kernel copy the page tables of the
 * one that starts it: 15 ms and more for a server with its buffers full, each of which its viewers would
 * wait for. This process is small, and starts the ffprobes instead.
 */

export type InspectorRequest =
  | { id: number; job: InspectionJob; options: Omit<ProbeOptions, 'signal'> }
  | { id: number; cancel: true };

export type InspectorReply = { id: number; inspection: Inspection } | { id: number; error: string };

const running = new Map<number, AbortController>();

process.on('message', (request: InspectorRequest) => {
  if ('cancel' in request) running.get(request.id)?.abort();
  else void answer(request);
});

process.on('disconnect', () => {
  for (const controller of running.values()) controller.abort();
  setImmediate(() => process.exit(0));
});

// A terminal's Ctrl-C reaches the whole group; the server decides when this process ends.
process.on('SIGINT', () => {});

async function answer({
  id,
  job,
  options,
}: Extract<InspectorRequest, { job: InspectionJob }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    if (options.niceness !== undefined) setOwnPriority(options.niceness);
    reply({ id, inspection: await inspectFile(job, { ...options, signal: controller.signal }) });
  } catch (error) {
    reply({ id, error: messageOf(error) });
  } finally {
    running.delete(id);
  }
}

function setOwnPriority(niceness: number): void {
  try {
    setPriority(niceness);
  } catch {
    // The system does not let us: it runs as it is.
  }
}

function reply(message: InspectorReply): void {
  if (process.connected) process.send?.(message, () => {});
}
