import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { HttpEnvironment } from '../environment.ts';
import { problem } from '../problems.ts';

/** Instants are told as ISO 8601 in UTC. */
export const instantSchema = z.iso.datetime().openapi({ example: '2026-11-21T20:00:00.000Z' });

const lastInstant = Date.UTC(9999, 0, 1);

/** An instant in a request, in any zone. PostgreSQL knows no year 0, and a year of five digits is written otherwise. */
export const givenInstantSchema = z.iso.datetime({ offset: true }).refine((text) => {
  const at = Date.parse(text);
  return at >= 0 && at < lastInstant;
}, 'must be between the years 1970 and 9998');

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi('Problem');

export const idParams = z.object({ id: z.uuid() });

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  offset: z.coerce.number().int().min(0).max(10_000_000).default(0),
});

/** A page of a list, with the number of all that match. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), total: z.int() });
}

/** An OpenAPI response with JSON. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { content: { 'application/json': { schema } }, description };
}

/** An OpenAPI request body with JSON. */
export function body<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } } as const;
}

function failure(description: string) {
  return { content: { 'application/problem+json': { schema: problemSchema } }, description };
}

/** The errors that a route may answer with. */
export const failures = {
  400: failure('The request cannot be read.'),
  401: failure('The admin key is missing or wrong.'),
  404: failure('It does not exist.'),
  409: failure('It contradicts what is there.'),
  422: failure('The request is wrong; `errors` names the parts.'),
  503: failure('Not now: the database is away, or a limit is reached.'),
} as const;

export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** A router whose requests are checked, and whose refusals name every wrong part. */
export function apiRouter(): OpenAPIHono<HttpEnvironment> {
  return new OpenAPIHono<HttpEnvironment>({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const errors = result.error.issues.map((issue) => ({
        path: issue.path.join('.'),
        message:
          issue.code === 'unrecognized_keys'
            ? `There is no such key: ${issue.keys.join(', ')}`
            : issue.message,
      }));
      const first = errors[0];
      const where = first === undefined || first.path === '' ? 'The request' : first.path;
      // A malformed id is a malformed address; everything else could be mended in place.
      const status = result.target === 'param' ? 400 : 422;
      return problem(c, status, `${where}: ${first?.message ?? 'is wrong'}`, { errors });
    },
  });
}
