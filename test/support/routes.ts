import type { Hono } from 'hono';
import { httpApp } from '../../src/http/server.ts';

export interface Route {
  /** In capitals; ALL for every method. */
  method: string;
  /** As hono writes it: `/channels/:id`, `/channel/:file{[^/]+\.ts}`, `/docs/*`. */
  path: string;
}

/** Every route of the whole HTTP surface, in the order in which they are tried. Middleware is left out. */
export function serverRoutes(): Route[] {
  return routesOf(httpApp(standIn as Parameters<typeof httpApp>[0]));
}

/** A hono router's own list. A handler takes the context only; what takes `next` as well is middleware. */
// biome-ignore lint/suspicious/noExplicitAny: whatever its environment and schema are
export function routesOf(app: Hono<any, any, any>): Route[] {
  return app.routes
    .filter(({ handler }) => handler.length < 2)
    .map(({ method, path }) => ({ method, path: path.replace(/(?<=.)\/$/, '') }));
}

/** Routes that no request can reach, because an earlier one takes all that they would match. */
export function shadowedRoutes(routes: readonly Route[]): { route: Route; by: Route }[] {
  return routes.flatMap((route, index) => {
    const by = routes.slice(0, index).find((earlier) => shadows(earlier, route));
    return by === undefined ? [] : [{ route, by }];
  });
}

function shadows(earlier: Route, later: Route): boolean {
  if (earlier.method !== 'ALL' && earlier.method !== later.method) return false;
  const [wide, narrow] = [segmentsOf(earlier.path), segmentsOf(later.path)];
  for (const [index, segment] of wide.entries()) {
    if (segment === '*' && index === wide.length - 1) return true;
    const other = narrow[index];
    if (other === undefined || !covers(segment, other)) return false;
  }
  return wide.length === narrow.length;
}

/** Whether every text that `narrow` matches is matched by `wide` too. Two different patterns count as different. */
function covers(wide: string, narrow: string): boolean {
  if (wide === narrow || wide === '*') return true;
  if (!wide.startsWith(':')) return false;
  const pattern = patternOf(wide);
  if (pattern === undefined) return true;
  if (narrow.startsWith(':')) return pattern === patternOf(narrow);
  return new RegExp(`^(?:${pattern})$`).test(narrow);
}

/** What is in the braces of `:name{pattern}`. */
function patternOf(parameter: string): string | undefined {
  return /^:[^{]+\{(.+)\}$/.exec(parameter)?.[1];
}

/** Cuts at slashes, but not within braces: a pattern may hold some. */
function segmentsOf(path: string): string[] {
  return path.match(/(?:\{[^}]*\}|[^/{])+/g) ?? [];
}

/** Stands for every dependency: the routes are the same whatever is behind them. */
const anything: unknown = new Proxy(() => {}, { get: () => anything, apply: () => anything });

const standIn: unknown = new Proxy(
  { adminKey: 'key', version: '0' },
  { get: (texts, name) => texts[name as keyof typeof texts] ?? anything },
);
