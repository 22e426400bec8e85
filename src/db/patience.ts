import { AsyncLocalStorage } from 'node:async_hooks';

/** How long a caller waits for a database that is away. */
export interface Patience {
  /** No further try begins when so long has passed since the first one. */
  retryWithinMs: number;
  connectMs: number;
  /** For one answer, and for a connection that becomes free. */
  answerMs: number;
  /** Not even one try while the database is known to be away. */
  failFast: boolean;
}

export type PatienceName = 'background' | 'request' | 'trial';

const levels: Record<PatienceName, Patience> = {
  /** Work that nobody waits for. Planning and upkeep have single statements of seconds. */
  background: { retryWithinMs: 30_000, connectMs: 10_000, answerMs: 60_000, failFast: false },
  /** Somebody waits for the answer: better a 503 within a few seconds. */
  request: { retryWithinMs: 500, connectMs: 3_000, answerMs: 15_000, failFast: true },
  /** To see whether it works at all: one try. */
  trial: { retryWithinMs: -1, connectMs: 5_000, answerMs: 15_000, failFast: false },
};

/** Set while a request is being answered. What it leaves running afterwards has all the time there is. */
const scopes = new AsyncLocalStorage<{ over: boolean }>();

/** Runs what somebody waits for. */
export async function inHaste<T>(work: () => Promise<T>): Promise<T> {
  const scope = { over: false };
  try {
    return await scopes.run(scope, work);
  } finally {
    scope.over = true;
  }
}

/** What the caller has, by name: this can be posted to another thread. */
export function patienceHere(): PatienceName {
  return scopes.getStore()?.over === false ? 'request' : 'background';
}

export function patienceOf(name: PatienceName): Patience {
  return levels[name];
}
