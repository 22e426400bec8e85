import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface RunningServer {
  base: string;
  pid: number;
  data: string;
  key: string;
  /** What it has written so far. */
  output(): string;
  /** Calls the admin API; the answer is parsed JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers as any client would
  api<T = any>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }>;
  /** Resolves with the exit code, or the signal's name. */
  ended: Promise<number | string>;
  /** Sends a signal and waits for the end. Returns the exit code, or the signal's name. */
  end(signal: NodeJS.Signals): Promise<number | string>;
  /** Ends it if it still runs, and removes its data. */
  remove(): Promise<void>;
}

/**
 * Runs the built server as a user would, on a free loopback port and a data folder of its own.
 *
 * @param options.under gets the server's command line and returns the one that runs it: a shell's, for example,
 * which then is what has the pid and gets the signals
 * @param options.detached as the leader of a process group of its own
 */
export async function startServer(
  env: Record<string, string> = {},
  options: { data?: string; under?: (command: string[]) => string[]; detached?: boolean } = {},
): Promise<RunningServer> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'aircheck-e2e-')));
  const own = [process.execPath, main, 'serve'];
  const [file, ...args] = options.under?.(own) ?? own;
  const child = spawn(file as string, args, {
    detached: options.detached ?? false,
    env: {
      ...process.env,
      AIRCHECK_HOST: '127.0.0.1',
      AIRCHECK_PORT: '0',
      AIRCHECK_DATA: data,
      // Tests are many at a time on few cores; what looks at the analysis asks for it.
      AIRCHECK_LIBRARY_ANALYSIS_LOUDNESS: 'false',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  const ended = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1)),
  );
  const port = await portOf(child, () => output, ended);
  const base = `http://127.0.0.1:${port}`;
  const key = env.AIRCHECK_ADMIN_KEY ?? (await readFile(join(data, 'admin-key'), 'utf8')).trim();
  return {
    base,
    pid: child.pid as number,
    data,
    key,
    output: () => output,
    ended,
    api: async (method, path, body) => {
      const response = await fetch(`${base}/api${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    },
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
    remove: async () => {
      child.kill('SIGKILL');
      await ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** The port from the line that says that the server is on air. */
async function portOf(child: ChildProcess, output: () => string, ended: Promise<unknown>): Promise<number> {
  const found = new Promise<number>((resolve) => {
    const look = () => {
      const port = /"port":(\d+)/.exec(output())?.[1];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout?.on('data', look);
  });
  const failed = ended.then((how) => {
    throw new Error(`the server ended (${how}):\n${output()}`);
  });
  return Promise.race([found, failed]);
}

/** Waits until `check` gives something, looking often. Fails with `what` after the time is over. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
