import fc from 'fast-check';
import PQueue from 'p-queue';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  garbageBodies,
  garbageIds,
  garbageQueries,
  garbageValues,
  oddHeaders,
  oddMethods,
  sampleBodies,
} from '../support/garbage.ts';
import { goOnAir, type OnAir } from '../support/on-air.ts';
import { exchange, type RawRequest, requestBytes, shown } from '../support/raw-http.ts';
import { type Route, serverRoutes } from '../support/routes.ts';
import { until } from '../support/server.ts';

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const routes = serverRoutes();
const bodyMethods = new Set(['POST', 'PUT', 'PATCH']);
const unknownId = '00000000-0000-4000-8000-000000000000';

/** How often a third was taken: the next route has another one. */
let thirds = 0;
let station: OnAir;
let server: OnAir['server'];
let channel: OnAir['channel'];
let authorized: readonly (readonly [string, string])[];

beforeAll(async () => {
  console.info(`route hygiene: TEST_SEED=${seed}`);
  station = await goOnAir();
  ({ server, channel } = station);
  authorized = [['Authorization', `Bearer ${server.key}`]];
}, 120_000);

afterAll(() => station?.end());

describe('every route', { timeout: 120_000 }, () => {
  it('answers garbage for an id', () =>
    nothingHappens(
      routes
        .filter(({ path }) => path.includes(':'))
        .flatMap((route) =>
          garbageIds.map((id) => ({ method: route.method, target: fill(route, id), headers: authorized })),
        ),
    ));

  it('answers garbage in a query', () =>
    nothingHappens(
      routes
        .filter(({ method }) => method === 'GET')
        .flatMap((route) =>
          aThirdOf(garbageQueries).map((query) => ({
            target: fill(route, channel.id) + query,
            headers: authorized,
          })),
        ),
    ));

  it('answers garbage for a body', () =>
    nothingHappens(
      routes
        .filter(({ method }) => bodyMethods.has(method))
        .flatMap((route) =>
          garbageBodies.map(({ body, headers = [] }) => ({
            method: route.method,
            target: fill(route, unknownId),
            headers: [...authorized, ...headers],
            body,
          })),
        ),
    ));

  it('answers odd headers', () =>
    nothingHappens(
      routes
        .filter(({ method }) => method === 'GET')
        .flatMap((route) =>
          aThirdOf(oddHeaders).map((header) => ({
            target: fill(route, channel.id),
            headers: [...authorized, header],
          })),
        ),
    ));

  it('answers a method that it does not have with 405 and those that it has', async () => {
    const paths = new Map<string, Set<string>>();
    for (const { method, path } of routes) paths.set(path, (paths.get(path) ?? new Set()).add(method));
    for (const [path, methods] of paths) {
      const allowed = [...methods, ...(methods.has('GET') ? ['HEAD'] : [])];
      for (const method of [
        'GET',
        'HEAD',
        'POST',
        'PUT',
        'PATCH',
        'DELETE',
        'OPTIONS',
        'TRACE',
        'PROPFIND',
      ]) {
        if (allowed.includes(method)) continue;
        const target = fitting({ method, path });
        const { status, headers } = await exchange(
          server.base,
          requestBytes({ method, target, headers: authorized }),
        );
        expect([method, path, status]).toEqual([method, path, 405]);
        expect(headers.allow?.split(', ').sort(), path).toEqual(allowed.sort());
        expect(headers['content-type'], path).toMatch('application/problem+json');
      }
    }
  });

  it('answers methods that nobody has, or closes the connection', () =>
    nothingHappens(
      routes
        .filter(({ method }) => method === 'GET')
        .flatMap((route) =>
          oddMethods.map((method) => ({ method, target: fill(route, unknownId), headers: authorized })),
        ),
    ));

  it('wants the key before it looks at anything else', async () => {
    const guarded = routes.filter(({ path }) => path.startsWith('/api/'));
    for (const route of guarded) {
      for (const id of garbageIds) {
        const target = fill(route, id);
        const { status } = await exchange(server.base, requestBytes({ method: route.method, target }));
        // What is no address is refused before; what leads out of the API leads to what is public, or nowhere.
        const outside = !new URL(target, 'http://x').pathname.startsWith('/api/');
        expect([401, 400, 404, ...(outside ? [405] : [])], `${route.method} ${target}`).toContain(status);
        if (status === 404) expect(outside || target.includes('%0'), target).toBe(true);
      }
    }
  });

  it('answers any mixture of these', async () => {
    const request = fc.record({
      route: fc.constantFrom(...routes),
      method: fc.option(fc.constantFrom(...oddMethods), { freq: 4 }),
      id: fc.constantFrom(...garbageIds),
      query: fc.option(fc.constantFrom(...garbageQueries)),
      // A body that is announced and never comes is another matter: that of the half-sent requests.
      headers: fc.array(fc.constantFrom(...oddHeaders.filter(([, value]) => !value.endsWith(', chunked'))), {
        maxLength: 4,
      }),
      body: fc.option(fc.constantFrom(...garbageBodies), { freq: 2 }),
      key: fc.boolean(),
    });
    await nothingHappens(
      fc
        .sample(request, { seed, numRuns: 1_500 })
        .map(({ route, method, id, query, headers, body, key }) => ({
          method: method ?? route.method,
          target: fill(route, id) + (query ?? ''),
          headers: [...(key ? authorized : []), ...headers, ...(body?.headers ?? [])],
          ...(body === null ? {} : { body: body.body }),
        })),
    );
  });

  it('answers bodies that would be right but for one value', async () => {
    const bodies = sampleBodies(await idsOf(['profiles', 'collections']), channel.id);
    const before = await kept();
    const sendAll = async ({ method, path, body }: (typeof bodies)[number], wrongs: unknown[]) => {
      for (const wrong of wrongs) {
        const { status, body: answer } = await server.api(method, path, wrong);
        const about = `${status} to ${method} ${path} with ${JSON.stringify(wrong).slice(0, 300)}`;
        expect(status, about).toBeLessThan(500);
        // Some values are fine where they stand; then what was made can be read, and goes again.
        if (status === 201) {
          for (const view of path === '/collections' ? ['', '/media'] : ['']) {
            expect((await server.api('GET', `${path}/${answer.id}${view}`)).status, about).toBe(200);
          }
          expect((await server.api('DELETE', `${path}/${answer.id}`)).status, about).toBe(204);
        }
      }
      if (method !== 'POST') expect((await server.api(method, path, body)).status).toBeLessThan(300);
    };
    const sendings = bodies.map((each) => {
      const wrongs = aThirdOf(garbageValues.flatMap((value) => withOneValue(each.body, value)));
      return () => sendAll(each, wrongs);
    });
    await new PQueue({ concurrency: 3 }).addAll(sendings);
    expect(await kept()).toEqual(before);
  });

  it('has let the channel be sent all the while', async () => {
    const { viewer } = station;
    expect(viewer.ended()).toBe(false);
    const before = viewer.bytes();
    await until('more of the channel', () => viewer.bytes() > before + 100_000 || undefined);
  });
});

/** Where there are thousands: another seed has another third. */
function aThirdOf<T>(all: readonly T[]): T[] {
  const first = thirds++ + seed;
  return all.filter((_, index) => (index + first) % 3 === 0);
}

/** Sends all requests: each is answered as it should be, and what the server keeps stays as it was. */
async function nothingHappens(requests: readonly RawRequest[]): Promise<void> {
  expect(requests.length).toBeGreaterThan(0);
  const before = await kept();
  const queue = new PQueue({ concurrency: 4 });
  await queue.addAll(requests.map((request) => () => isAnswered(request)));
  expect(await kept()).toEqual(before);
}

async function isAnswered(request: RawRequest): Promise<void> {
  const bytes = requestBytes(request);
  const { status, headers, body } = await exchange(server.base, bytes);
  const about = `${status} to ${shown(bytes)}: ${body.slice(0, 300)}`;
  if (status === undefined || isAnsweredByNode(request, headers)) return;
  if (status === 503) expect(headers['retry-after'], about).toBeDefined();
  else expect(status, about).toBeLessThan(500);
  if (status < 400) return;
  expect(headers['content-type'], about).toMatch('application/problem+json');
  if (request.method !== 'HEAD') expect(JSON.parse(body).status, about).toBe(status);
}

/** Node itself refuses what is no HTTP, before any of our code knows of it: without a body, and closing. */
function isAnsweredByNode(
  { method = 'GET', target, headers = [] }: RawRequest,
  answer: Record<string, string>,
) {
  if (answer['content-type'] !== undefined) return false;
  const length = target.length + headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return (
    /[^\x21-\x7e]/.test(target) ||
    !/^(GET|POST|PUT|PATCH|DELETE)$/.test(method) ||
    length > 14_000 ||
    headers.some(([name]) => /^(transfer-encoding|content-length|expect|host)$/i.test(name))
  );
}

/** What a request could have changed. */
async function kept(): Promise<unknown> {
  const lists = await Promise.all(
    ['libraries', 'collections', 'profiles', 'channels'].map((list) =>
      server.api('GET', `/${list}?limit=500`),
    ),
  );
  return lists.map(({ body }) =>
    body.items.map(({ playout: _, updatedAt: __, ...item }: Record<string, unknown>) => item),
  );
}

/** The route's address with this in place of each parameter, before the ending that its pattern asks for. */
function fill({ path }: Route, value: string): string {
  return path.replaceAll(parameter, (_, pattern?: string) =>
    pattern === undefined ? value : `${value}.${fileFor(pattern).split('.')[1]}`,
  );
}

/** An address that the route matches. */
function fitting({ path }: Route): string {
  return path.replaceAll(parameter, (_, pattern?: string) =>
    pattern === undefined ? 'abc' : fileFor(pattern),
  );
}

const parameter = /:[a-zA-Z]+(?:\{([^}]*)\})?/g;

function fileFor(pattern: string): string {
  const names = ['abc', 'poster'].flatMap((stem) => ['ts', 'js', 'jpg'].map((ending) => `${stem}.${ending}`));
  const file = names.find((name) => new RegExp(`^(?:${pattern})$`).test(name));
  if (file === undefined) throw new Error(`no file name is known that fits ${pattern}`);
  return file;
}

/** The first of each list. */
async function idsOf(lists: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(lists.map((list) => server.api('GET', `/${list}`)));
  return answers.map(({ body }) => body.items[0].id);
}

/** The same thing once for each of its values, with another one in its place. */
function withOneValue(thing: unknown, value: unknown): unknown[] {
  if (typeof thing !== 'object' || thing === null) return [value];
  const replaced = Object.entries(thing).flatMap(([key, child]) =>
    withOneValue(child, value).map((other) =>
      Array.isArray(thing) ? thing.with(Number(key), other) : { ...thing, [key]: other },
    ),
  );
  return [...replaced, value];
}
