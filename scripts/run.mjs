import { spawn } from 'node:child_process';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
const keptCharacters = 64_000;
let ending = false;

/** What a command said and how it ended, when it did not end well. */
export class RunError extends Error {
  /**
   * @param {string} message
   * @param {string} output
   */
  constructor(message, output) {
    super(message);
    this.output = output;
  }
}

/**
 * Runs a command without a shell and without showing its output. Rejects with RunError, which has the output.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, shell?: boolean }} [options]
 * @returns {Promise<string>} the output
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    running.add(child);
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk).slice(-keptCharacters);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      running.delete(child);
      reject(new RunError(`${command} does not run: ${error.message}`, output));
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      // Whoever pressed Ctrl-C need not be told that the command was ended.
      if (ending) return;
      if (code === 0) resolve(output);
      else reject(new RunError(`${command} ${args[0] ?? ''} ended with ${signal ?? `code ${code}`}`, output));
    });
  });
}

/** Ctrl-C ends what is running first, then this process; handlers of `exit` still run. */
export function endOnSignals() {
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.on(signal, () => {
      ending = true;
      const waiting = [...running].map((child) => {
        child.kill('SIGTERM');
        return new Promise((resolve) => child.once('close', resolve));
      });
      setTimeout(() => process.exit(code), 5_000).unref();
      void Promise.all(waiting).then(() => process.exit(code));
    });
  }
}
