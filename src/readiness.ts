import type { Logger } from 'pino';
import { messageOf } from './errors.ts';

/** Something that the server needs, and how to see whether it is there. */
export interface Check {
  name: string;
  /** Without it, the server takes no viewers. */
  required: boolean;
  /** Rejects when it is not there. */
  look: () => Promise<unknown>;
  /** What everybody is told when it is not: no address, no path. The log says more. */
  trouble: string;
}

export interface CheckResult {
  ok: boolean;
  /** Why it is not. */
  why?: string;
}

/**
 * Knows whether the server can take viewers. What it needs is looked at every now and then, with a deadline,
 * so that whoever asks is answered at once, from memory.
 */
export class Readiness {
  phase: 'starting' | 'running' | 'stopping' = 'starting';
  readonly #results = new Map<string, CheckResult>();
  /** Looks that have not come back yet. */
  readonly #pending = new Map<string, Promise<unknown>>();

  constructor(private readonly deps: { checks: readonly Check[]; log: Logger; timeoutMs?: number }) {
    for (const { name } of deps.checks) this.#results.set(name, { ok: false, why: 'Not looked at yet.' });
  }

  /** By the name of the check. */
  get results(): Readonly<Record<string, CheckResult>> {
    return Object.fromEntries(this.#results);
  }

  get isReady(): boolean {
    const needed = this.deps.checks.filter(({ required }) => required);
    return this.phase === 'running' && needed.every(({ name }) => this.#results.get(name)?.ok);
  }

  /** Looks at everything; what does not answer in time counts as missing. Never rejects. */
  async check(signal?: AbortSignal): Promise<Readonly<Record<string, CheckResult>>> {
    await Promise.all(this.deps.checks.map((check) => this.#check(check, signal)));
    return this.results;
  }

  async #check(check: Check, signal: AbortSignal | undefined): Promise<void> {
    const { name, trouble } = check;
    const before = this.#results.get(name);
    try {
      await this.#inTime(check, signal);
      this.#results.set(name, { ok: true });
      if (before?.why === trouble) this.deps.log.info({ check: name }, 'what was missing is back');
    } catch (error) {
      if (signal?.aborted) return;
      this.#results.set(name, { ok: false, why: trouble });
      if (before?.why !== trouble) this.deps.log.warn({ check: name, reason: messageOf(error) }, trouble);
    }
  }

  async #inTime({ name, look }: Check, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    // What hangs is not asked once more before it has answered.
    const asked = this.#pending.get(name) ?? look().finally(() => this.#pending.delete(name));
    this.#pending.set(name, asked);
    const timeoutMs = this.deps.timeoutMs ?? 10_000;
    let giveUp = (_why: string) => {};
    const givenUp = new Promise<never>((_, fail) => {
      giveUp = (why) => fail(new Error(why));
    });
    const timer = setTimeout(() => giveUp(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    const stop = () => giveUp('not waited for');
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([asked, givenUp]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}
