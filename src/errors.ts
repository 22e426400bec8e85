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

/** The request contradicts what is already there. */
export class ConflictError extends AircheckError {
  override readonly name = 'ConflictError';
}

/** The request is well-formed, but what it asks for cannot be. */
export class InvalidError extends AircheckError {
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

/** The server cannot start: the message says what is wrong and what to do about it. */
export class StartError extends AircheckError {
  override readonly name = 'StartError';
}

/** Reading a media file with ffprobe failed. */
export class ProbeError extends AircheckError {
  override readonly name = 'ProbeError';
}

/** An outside process failed. */
export class ProcessError extends AircheckError {
  override readonly name = 'ProcessError';
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
