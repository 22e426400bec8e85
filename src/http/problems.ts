import { RequestError } from '@hono/node-server';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import {
  ConflictError,
  InvalidError,
  messageOf,
  NotFoundError,
  ProbeError,
  UnavailableError,
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
  errors?: { path: string; message: string }[];
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
};

export function problem(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  more: { errors?: Problem['errors']; headers?: Record<string, string> } = {},
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
  if (error instanceof ConflictError) return problem(c, 409, error.message);
  if (error instanceof InvalidError || error instanceof ProbeError) return problem(c, 422, error.message);
  if (error instanceof UnavailableError) return unavailable(c, error.message, error.retryAfterSeconds);
  if (isDatabaseAway(error)) {
    log.warn({ reason: messageOf(error), path: c.req.path }, 'the database does not answer');
    return unavailable(c, 'The database does not answer. What is on air goes on; try again shortly.', 10);
  }
  log.error({ err: error, method: c.req.method, path: c.req.path }, 'a request failed');
  return problem(c, 500, 'The server made a mistake; its log says more.');
}

/** Whether the client went away amid its request: nobody reads an answer, and the server has done nothing wrong. */
function isCutOff(c: Context<HttpEnvironment>): boolean {
  const incoming: HttpEnvironment['Bindings']['incoming'] | undefined = c.env?.incoming;
  return incoming?.destroyed === true && !incoming.complete;
}

function unavailable(c: Context, detail: string, retryAfterSeconds: number): Response {
  return problem(c, 503, detail, { headers: { 'retry-after': String(retryAfterSeconds) } });
}

const awayCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'CONNECT_TIMEOUT'],
  ...['CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED'],
  // PostgreSQL: shutting down, crashed, starting, too many connections.
  ...['57P01', '57P02', '57P03', '53300', '08006', '08001', '08003'],
]);

/** Whether an error, or what caused it, says that the database cannot be reached. */
function isDatabaseAway(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && awayCodes.has(code)) return true;
  }
  return false;
}
