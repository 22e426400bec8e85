import { type ChildProcess, spawn } from 'node:child_process';
import { messageOf, ProcessError } from '../errors.ts';
import { lowerPriority } from './priority.ts';

export interface RunOptions {
  /** What it is called in errors. */
  name: string;
  operation: string;
  /** How long it may take, from its start or from the last call of `alive`. */
  timeoutMs: number;
  /** By default that of this process. */
  niceness?: number | undefined;
  signal?: AbortSignal | undefined;
  onStdout(chunk: Buffer, alive: () => void): void;
  onStderr(text: string): void;
}

/**
 * One run of ffprobe or ffmpeg in its own process group, killed as a whole at the deadline or on the signal.
 * `killed` is by somebody else. Rejects with ProcessError when it cannot be started, or with the signal's reason
 * once it has ended.
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: RunOptions,
): Promise<'finished' | 'failed' | 'killed' | 'timeout'> {
  const { name, operation, timeoutMs, niceness, signal } = options;
  signal?.throwIfAborted();
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  if (niceness !== undefined) lowerPriority(child.pid, niceness);
  let timedOut = false;
  const kill = () => killGroup(child);
  const deadline = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  const alive = () => {
    if (!timedOut) deadline.refresh();
  };
  child.stdout.on('data', (chunk: Buffer) => options.onStdout(chunk, alive));
  child.stderr.setEncoding('utf8').on('data', (text: string) => options.onStderr(text));
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', (cause) => {
        fail(new ProcessError(`${name} cannot be started: ${messageOf(cause)}`, { operation, cause }));
      });
      child.once('close', done);
    });
    signal?.throwIfAborted();
    if (timedOut) return 'timeout';
    if (code === null) return 'killed';
    return code === 0 ? 'finished' : 'failed';
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener('abort', kill);
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: it has ended by itself.
  }
  // Whoever inherited the pipes must not keep us waiting.
  child.stdout?.destroy();
  child.stderr?.destroy();
}
