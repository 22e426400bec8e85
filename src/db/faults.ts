import { DatabaseError, type DatabaseFault, messageOf } from '../errors.ts';

/** What is known of a call that failed. */
export interface Trouble {
  fault: DatabaseFault;
  /** Another try may go well, and nothing was done that it would do twice. */
  again: boolean;
  /** What the driver threw. */
  cause: unknown;
}

/** A try failed because of the database, and not because of what it was asked to do. */
export class SpoiltError extends Error {
  override readonly name = 'SpoiltError';
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(messageOf(trouble.cause), { cause: trouble.cause });
    this.trouble = trouble;
  }
}

/**
 * Judges an error of the driver.
 *
 * @param repeatable a second run has no further effect: a read, or a transaction whose COMMIT was not sent
 */
export function troubleOf(error: unknown, repeatable: boolean): Trouble {
  const code = codeOf(error);
  const trouble = (fault: DatabaseFault, again: boolean) => ({ fault, again, cause: error });
  if (isLoss(code)) return repeatable ? trouble('away', true) : trouble('uncertain', false);
  if (unheard.has(code)) return trouble('away', true);
  if (inTheWay.has(code)) return trouble('busy', true);
  return trouble(code === '53100' ? 'full' : 'refused', false);
}

/** No connection could be made, so nothing was sent. */
export function notConnected(error: unknown): SpoiltError {
  if (error instanceof DatabaseError)
    return new SpoiltError({ fault: error.fault, again: true, cause: error });
  return new SpoiltError({ fault: 'away', again: isTemporary(error), cause: error });
}

export function databaseError(trouble: Trouble, operation: string): DatabaseError {
  const { fault, cause } = trouble;
  if (cause instanceof DatabaseError) return cause;
  const code = codeOf(cause) || undefined;
  return new DatabaseError(`${sentence(fault)} (${messageOf(cause)})`, { operation, cause, fault, code });
}

/** PostgreSQL's code, or that of the system or the driver; empty when there is none. */
export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '');
}

/** Whether a server that is starting, restarting or full of connections could give this answer to a new one. */
export function isTemporary(error: unknown): boolean {
  const code = codeOf(error);
  return isLoss(code) || unheard.has(code) || cannotConnect.has(code);
}

/** Whether the server has too many connections, in all or of this user or database. */
export function isCrowded(error: unknown): boolean {
  return codeOf(error) === '53300';
}

function sentence(fault: DatabaseFault): string {
  switch (fault) {
    case 'away':
      return 'The database does not answer';
    case 'busy':
      return 'The database could not do it beside other changes';
    case 'full':
      return 'The disk of the database is full';
    case 'uncertain':
      return 'The connection to the database was lost before it said whether the change was made';
    case 'refused':
      return 'The database refused it';
  }
}

/** The connection ended, or nothing was heard: what was sent may have been done. */
function isLoss(code: string): boolean {
  // Class 08: connection exceptions, which a proxy between reports as well.
  return lost.has(code) || code.startsWith('08');
}

const lost = new Set([
  ...['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'],
  ...['CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED', 'NO_ANSWER'],
  // crash_shutdown: sent to every session when one has crashed, at whatever it was.
  '57P02',
]);

/** The server ended the session before it had done what it was asked: admin_shutdown and timeouts of idle sessions. */
const unheard = new Set(['57P01', '57P05', '25P03']);

/** Rolled back in favour of others: serialization_failure, deadlock_detected. */
const inTheWay = new Set(['40001', '40P01']);

const cannotConnect = new Set([
  ...['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE'],
  // cannot_connect_now, too_many_connections
  ...['57P03', '53300'],
]);
