/** Hears of every call of the database, as it happens. Must be quick, and must not throw. */
export interface DatabaseObserver {
  /** One statement has been answered, or has failed; each new try is a statement of its own. */
  called(outcome: 'ok' | 'failed', ms: number): void;
  retried(): void;
  gaveUp(): void;
}

/** For where nobody listens. */
export const unobserved: DatabaseObserver = { called() {}, retried() {}, gaveUp() {} };
