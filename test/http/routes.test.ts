import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { routesOf, serverRoutes, shadowedRoutes } from '../support/routes.ts';

describe('the finder of shadowed routes', () => {
  const shadowed = (build: (app: Hono) => void) => {
    const app = new Hono();
    build(app);
    return shadowedRoutes(routesOf(app)).map(({ route, by }) => `${route.path} by ${by.path}`);
  };
  const answer = (c: { text: (text: string) => Response }) => c.text('');

  it('finds a literal behind a parameter, and the request goes astray indeed', async () => {
    const app = new Hono();
    app.get('/logs/:id', (c) => c.text('one'));
    app.get('/logs/stream', (c) => c.text('stream'));
    expect(shadowedRoutes(routesOf(app)).map(({ route }) => route.path)).toEqual(['/logs/stream']);
    expect(await (await app.request('/logs/stream')).text()).toBe('one');
  });

  it('finds a route that is there twice, under other names of its parameters too', () => {
    expect(shadowed((app) => app.get('/a/:x', answer).get('/a/:y', answer))).toEqual(['/a/:y by /a/:x']);
    expect(shadowed((app) => app.get('/a', answer).get('/a', answer))).toEqual(['/a by /a']);
  });

  it('finds what a wildcard or a route of all methods takes', () => {
    expect(shadowed((app) => app.get('/a/*', answer).get('/a/b/c', answer))).toEqual(['/a/b/c by /a/*']);
    expect(shadowed((app) => app.all('/a/:x', answer).post('/a/b', answer))).toEqual(['/a/b by /a/:x']);
  });

  it('heeds patterns, also such with a slash or a brace in them', () => {
    expect(shadowed((app) => app.get('/a/:x{[0-9]+}', answer).get('/a/12', answer))).toEqual([
      '/a/12 by /a/:x{[0-9]+}',
    ]);
    expect(shadowed((app) => app.get('/a/:x{[0-9a-f]{4}}', answer).get('/a/stream', answer))).toEqual([]);
    expect(
      shadowed((app) => app.get('/a/:f{[^/]+\\.ts}', answer).get('/a/:f{[^/]+\\.m3u8}', answer)),
    ).toEqual([]);
  });

  it('is content with literals in front, other methods, other lengths and middleware', () => {
    const fine = (app: Hono) => {
      app.use('/logs/*', (_, next) => next());
      app.get('/logs/stream', answer).get('/logs/:id', answer).delete('/logs/:id', answer);
      app.post('/logs/stream', answer).get('/logs/:id/around', answer).get('/logs', answer);
    };
    expect(shadowed(fine)).toEqual([]);
  });
});

describe('the routes of the server', () => {
  it('can all be reached', () => {
    const routes = serverRoutes();
    expect(routes.length).toBeGreaterThan(40);
    expect(shadowedRoutes(routes)).toEqual([]);
  });

  it('name their methods: nothing answers to all of them', () => {
    expect(serverRoutes().filter(({ method }) => method === 'ALL')).toEqual([]);
  });
});
