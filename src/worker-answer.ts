import { DatabaseError, type DatabaseFault, InvalidError, UnavailableError } from './errors.ts';

/** What a thread gives back: errors lose their class and all but their text on the way from one to another. */
export type Answer<T> = { value: T } | { failure: Failure };

type Failure =
  | {
      kind: 'database';
      message: string;
      operation: string;
      fault: DatabaseFault;
      code: string | undefined;
      cause: unknown;
    }
  | { kind: 'unavailable'; message: string; operation: string; retryAfterSeconds: number }
  | { kind: 'invalid'; message: string; operation: string };

/** Runs what another thread has asked for. Errors that mean nothing there are thrown as they are. */
export async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof DatabaseError) {
      const { message, operation, fault, code, cause } = error;
      return { failure: { kind: 'database', message, operation, fault, code, cause } };
    }
    if (error instanceof UnavailableError) {
      const { message, operation, retryAfterSeconds } = error;
      return { failure: { kind: 'unavailable', message, operation, retryAfterSeconds } };
    }
    if (error instanceof InvalidError) {
      const { message, operation } = error;
      return { failure: { kind: 'invalid', message, operation } };
    }
    throw error;
  }
}

/** The value, or the error that it was in the other thread. */
export function opened<T>(given: Answer<T>): T {
  if ('value' in given) return given.value;
  const { failure } = given;
  switch (failure.kind) {
    case 'database':
      throw new DatabaseError(failure.message, failure);
    case 'unavailable':
      throw new UnavailableError(failure.message, failure);
    case 'invalid':
      throw new InvalidError(failure.message, failure);
  }
}
