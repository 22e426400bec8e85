/**
 * The base of every error that this server throws on purpose. `operation` says what was being done, in
 * words that fit behind "while": "probing /media/a.mkv". The original error, if any, is in `cause`.
 */
export class AircheckError extends Error {
  override readonly name: string = 'AircheckError';
  readonly operation: string;

  constructor(message: string, options: { operation: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.operation = options.operation;
  }
}

/** What was asked for does not exist. */
export class NotFoundError extends AircheckError {
  override readonly name = 'NotFoundError';
}

/** Something in a request is wrong; `parts` may say what, and where. */
abstract class RefusalError extends AircheckError {
  readonly parts: readonly WrongPart[] | undefined;

  constructor(
    message: string,
    options: { operation: string; cause?: unknown; parts?: readonly WrongPart[] },
  ) {
    super(message, options);
    this.parts = options.parts;
  }
}

export interface WrongPart {
  path: string;
  message: string;
}

/** The request contradicts what is already there. */
export class ConflictError extends RefusalError {
  override readonly name = 'ConflictError';
}

/** The request is well-formed, but what it asks for cannot be. */
export class InvalidError extends RefusalError {
  override readonly name = 'InvalidError';
}

/** Not now: a limit is reached or something that is needed is away. */
export class UnavailableError extends AircheckError {
  override readonly name: string = 'UnavailableError';
  readonly retryAfterSeconds: number;

  constructor(message: string, options: { operation: string; cause?: unknown; retryAfterSeconds?: number }) {
    super(message, options);
    this.retryAfterSeconds = options.retryAfterSeconds ?? 5;
  }
}

/** Something that is needed could not be started or opened. */
export class InitialisingError extends AircheckError {
  override readonly name: string = 'InitialisingError';
}

/** The server cannot start: the message says what is wrong and what to do about it. */
export class StartError extends InitialisingError {
  override readonly name = 'StartError';
}

/** An outside process failed. */
export class ProcessError extends AircheckError {
  override readonly name = 'ProcessError';
}

/** Something could not be ended or cleaned up as it should. What comes after it goes on. */
export class FinalisingError extends AircheckError {
  override readonly name = 'FinalisingError';
}

/** Reading a media file with ffprobe failed. */
export class ProbeError extends AircheckError {
  override readonly name = 'ProbeError';
}

/** A folder or a file cannot be read or written. */
export class StorageError extends AircheckError {
  override readonly name: string = 'StorageError';

  /** Whether there is no room left, or no more of it for this user. */
  get isFull(): boolean {
    return ['ENOSPC', 'EDQUOT'].includes(String((this.cause as { code?: unknown } | undefined)?.code));
  }
}

/**
 * What a failed database call means for its caller:
 * - `away`: the database cannot be reached or does not answer, and nothing was changed
 * - `busy`: others were in the way, again and again, and nothing was changed
 * - `full`: its disk has no room left, and nothing was changed
 * - `uncertain`: the connection was lost while something was being changed, which may or may not have been done
 * - `refused`: it answered with an error, and would do so again
 */
export type DatabaseFault = 'away' | 'busy' | 'full' | 'uncertain' | 'refused';

/** A database call failed, for good: what was worth another try has had it. The driver's error is in `cause`. */
export class DatabaseError extends AircheckError {
  override readonly name = 'DatabaseError';
  readonly fault: DatabaseFault;
  /** PostgreSQL's code of the error, or that of the system or of the driver. */
  readonly code: string | undefined;

  constructor(
    message: string,
    options: { operation: string; cause?: unknown; fault: DatabaseFault; code?: string | undefined },
  ) {
    super(message, options);
    this.fault = options.fault;
    this.code = options.code;
  }
}

/** The text of whatever was thrown. A failure to connect to several addresses has nothing but a code. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as { code?: unknown }).code ?? error.name);
}
