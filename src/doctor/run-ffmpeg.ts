import { execa } from 'execa';

export interface Answer {
  stdout: Buffer;
  stderr: string;
  failed: boolean;
  /** Set when the program could not be started at all: ENOENT, EACCES. */
  startError: string | undefined;
  tookMs: number;
}

/** Runs ffmpeg or ffprobe and waits for its end. Never rejects. */
export async function runFfmpeg(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  const startedAt = performance.now();
  const result = await execa(program, args, {
    stdin: 'ignore',
    encoding: 'buffer',
    reject: false,
    cancelSignal: signal,
    forceKillAfterDelay: 1_000,
    maxBuffer: 64 * 2 ** 20,
  });
  return {
    stdout: Buffer.from(result.stdout ?? []),
    stderr: Buffer.from(result.stderr ?? [])
      .toString('utf8')
      .trim(),
    failed: result.failed,
    startError: result.failed && result.exitCode === undefined ? result.code : undefined,
    tookMs: Math.round(performance.now() - startedAt),
  };
}

/** The last line that a program has said: with ffmpeg, the one that matters. */
export function lastLine(text: string): string {
  return (text.split('\n').at(-1) ?? '').slice(0, 300);
}

/** Names in ffmpeg's lists: ` V....D libx264   H.264 / AVC …`, ` D  mov,mp4,m4a   QuickTime …`. */
export function namesIn(list: string): Set<string> {
  return new Set(list.split('\n').flatMap((line) => (line.trim().split(/\s+/)[1] ?? '').split(',')));
}
