import { RequestError } from '@hono/node-server';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import {
  ConflictError,
  DatabaseError,
  type DatabaseFault,
  InvalidError,
  messageOf,
  NotFoundError,
  ProbeError,
  StorageError,
  UnavailableError,
  type WrongPart,
} from '../errors.ts';
import type { HttpEnvironment } from './environment.ts';

/** An error as RFC 9457 says it. */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  /** What went wrong and what to do about it. */
  detail: string;
  /** The wrong parts of a request. */
  errors?: readonly WrongPart[];
}

const titles: Record<number, string> = {
  400: 'Bad request',
  401: 'Not authorized',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  416: 'Range not satisfiable',
  422: 'Invalid request',
  500: 'Internal error',
  503: 'Not available',
  507: 'Disk full',
};

export function problem(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  more: { errors?: readonly WrongPart[] | undefined; headers?: Record<string, string> } = {},
): Response {
  const body: Problem = {
    type: 'about:blank',
    title: titles[status] ?? 'Error',
    status,
    detail,
    ...(more.errors === undefined ? {} : { errors: more.errors }),
  };
  return c.body(JSON.stringify(body), status, {
    'content-type': 'application/problem+json; charset=utf-8',
    ...more.headers,
  });
}

/** The answer where no route has been looked for yet: nearly always because the address makes no sense. */
export function answerBeforeRouting(error: unknown): Response {
  const isUnreadable = error instanceof RequestError;
  const status = isUnreadable ? 400 : 500;
  const detail = isUnreadable ? `${error.message}.` : 'The server made a mistake.';
  const body: Problem = { type: 'about:blank', title: titles[status] ?? 'Error', status, detail };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8' },
  });
}

/** The one place where errors become answers. */
export function answerError(error: unknown, c: Context, log: Logger): Response {
  if (isCutOff(c)) {
    log.debug({ reason: messageOf(error), path: c.req.path }, 'a client left amid its request');
    return problem(c, 400, 'The request ended before it was whole.');
  }
  if (error instanceof HTTPException) return problem(c, error.status as ContentfulStatusCode, error.message);
  if (error instanceof NotFoundError) return problem(c, 404, error.message);
  if (error instanceof ConflictError) return problem(c, 409, error.message, { errors: error.parts });
  if (error instanceof InvalidError) return problem(c, 422, error.message, { errors: error.parts });
  if (error instanceof ProbeError) return problem(c, 422, error.message);
  if (error instanceof UnavailableError) return unavailable(c, error.message, error.retryAfterSeconds);
  if (error instanceof DatabaseError && error.fault !== 'refused') return databaseProblem(c, error.fault);
  if (error instanceof StorageError && error.isFull) return problem(c, 507, error.message);
  log.error({ err: error, method: c.req.method, path: c.req.path }, 'a request failed');
  return problem(c, 500, 'The server made a mistake; its log says more.');
}

/** The database itself has told the log already. */
function databaseProblem(c: Context, fault: Exclude<DatabaseFault, 'refused'>): Response {
  switch (fault) {
    case 'away':
      return unavailable(c, 'The database does not answer. What is on air goes on; try again shortly.', 10);
    case 'busy':
      return unavailable(c, 'Others were changing the same. Nothing was changed; try again.', 1);
    case 'uncertain':
      // Without a time to come back: nobody should repeat this unseen.
      return problem(
        c,
        503,
        'The connection to the database was lost before it said whether the change was made. Look before you try again.',
      );
    case 'full':
      return problem(
        c,
        507,
        'The disk of the database is full, and nothing was changed. Free some space on it; what is on air goes on.',
      );
  }
}

/** Whether the client went away amid its request: nobody reads an answer, and the server has done nothing wrong. */
function isCutOff(c: Context<HttpEnvironment>): boolean {
  const incoming: HttpEnvironment['Bindings']['incoming'] | undefined = c.env?.incoming;
  return incoming?.destroyed === true && !incoming.complete;
}

function unavailable(c: Context, detail: string, retryAfterSeconds: number): Response {
  return problem(c, 503, detail, { headers: { 'retry-after': String(retryAfterSeconds) } });
}
