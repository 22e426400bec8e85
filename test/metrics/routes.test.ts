import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { healthRoutes } from '../../src/http/health-routes.ts';
import { countAnswers, metricsRoutes } from '../../src/http/metrics-routes.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { StreamView } from '../../src/metrics/sources.ts';
import type { CheckResult } from '../../src/readiness.ts';
import { readExposition } from '../support/exposition.ts';
import { quietSources, streamOf, viewerOf } from './sources.ts';

const adminKey = 'the-key-of-the-test';

describe('the metrics route', () => {
  const routes = (open: boolean) =>
    metricsRoutes({ metrics: new Metrics(quietSources()), adminKey, config: { metrics: { open } } });
  const authorization = `Bearer ${adminKey}`;

  it('wants the admin key', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${adminKey}` }]) {
      const response = await routes(false).request('/', { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch('Bearer');
      expect(await response.text()).not.toContain('aircheck_');
    }
    const response = await routes(false).request('/', { headers: { authorization } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(readExposition(await response.text()).length).toBeGreaterThan(50);
  });

  it('is for anybody when it is open', async () => {
    expect((await routes(true).request('/')).status).toBe(200);
    expect((await routes(true).request('/', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('the count of answers', () => {
  it('is kept by the pattern of the route, whatever address was asked for', async () => {
    const metrics = new Metrics(quietSources());
    const app = new Hono();
    app.use(countAnswers(metrics));
    app.onError((_, c) => c.text('', 500));
    const api = new Hono();
    api.use('*', async (c, next) => (c.req.header('key') ? next() : c.text('', 401)));
    api.get('/media/:id', (c) => c.text(''));
    api.get('/broken', () => {
      throw new Error('broken');
    });
    app.route('/api', api);
    app.get('/iptv/channel/:file{[^/]+\\.ts}', (c) => c.body(null, 200));

    const headers = { key: 'yes' };
    for (let id = 0; id < 50; id++) await app.request(`/api/media/${id}`, { headers });
    for (let id = 0; id < 50; id++) await app.request(`/nothing/${id}`, { method: `METHOD${id}` });
    for (let id = 0; id < 50; id++) await app.request(`/api/nothing/${id}`, { headers });
    await app.request('/api/media/1');
    await app.request('/api/broken', { headers });
    await app.request('/iptv/channel/5.ts', { method: 'HEAD' });
    const samples = readExposition(await metrics.text()).filter(
      ({ name }) => name === 'aircheck_http_requests_total',
    );
    expect(
      samples.map(({ labels: { method, route, status }, value }) => [method, route, status, value]),
    ).toEqual([
      ['GET', '/api/media/:id', '2xx', 50],
      ['other', 'none', '4xx', 50],
      ['GET', 'none', '4xx', 50],
      ['GET', '/api/media/:id', '4xx', 1],
      ['GET', '/api/broken', '5xx', 1],
      ['HEAD', '/iptv/channel/:file', '2xx', 1],
    ]);
  });
});

interface Readiness {
  phase: 'starting' | 'running' | 'stopping';
  isReady: boolean;
  results: Record<string, CheckResult>;
}

describe('the health routes', () => {
  const fine: Readiness = { phase: 'running', isReady: true, results: { database: { ok: true } } };
  const missing: Readiness = {
    phase: 'running',
    isReady: false,
    results: { database: { ok: false, why: 'The database does not answer.' } },
  };
  const routes = (readiness: Readiness, streams: StreamView[] = []) =>
    healthRoutes({ version: '1.2.3', readiness, channels: { streams: () => streams } });
  const ask = async (path: string, readiness: Readiness, streams: StreamView[] = []) => {
    const response = await routes(readiness, streams).request(path);
    // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers as any client would
    return { status: response.status, headers: response.headers, body: (await response.json()) as any };
  };

  it('say that the process lives, whatever it lacks', async () => {
    expect((await ask('/live', missing)).status).toBe(200);
  });

  it('say whether it can take viewers, and what it lacks', async () => {
    expect(await ask('/ready', fine)).toMatchObject({
      status: 200,
      body: { status: 'ready', checks: { database: { ok: true } } },
    });
    const { status, body, headers } = await ask('/ready', missing);
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(body).toEqual({ status: 'not ready', checks: missing.results });
    for (const phase of ['starting', 'stopping'] as const) {
      const answer = await ask('/ready', { ...fine, phase, isReady: false });
      expect(answer).toMatchObject({ status: 503, body: { status: phase } });
    }
  });

  it('answer HEAD as they do GET', async () => {
    for (const [path, readiness, status] of [
      ['/live', fine, 200],
      ['/ready', fine, 200],
      ['/ready', missing, 503],
      ['/', missing, 200],
    ] as const) {
      const response = await routes(readiness).request(path, { method: 'HEAD' });
      expect([path, response.status, await response.text()]).toEqual([path, status, '']);
    }
  });

  it('tell how each channel on air is', async () => {
    const streams = [
      streamOf('5', { viewers: [viewerOf(), viewerOf()], lastOutputAgeMs: 80, restarts: 2, warnings: [] }),
      streamOf('6', { state: 'slate' }),
    ];
    const { status, body } = await ask('/', fine, streams);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', version: '1.2.3', checks: { database: { ok: true } } });
    expect(body.uptimeSeconds).toBeGreaterThanOrEqual(0);
    const well = { lastOutputAgeMs: 0, breaker: 'closed', restarts: 0, warnings: [] };
    const five = { number: '5', name: 'Channel 5', state: 'programme', viewers: 2 };
    expect(body.channels).toEqual([
      { ...five, ...well, lastOutputAgeMs: 80, restarts: 2 },
      // A slate alone is no trouble.
      { ...five, number: '6', name: 'Channel 6', state: 'slate', viewers: 0, ...well },
    ]);
  });

  it.each([
    ['something is missing', missing, []],
    ['it stops', { ...fine, phase: 'stopping' as const }, []],
    ['a breaker is open', fine, [streamOf('5', { breaker: 'open' })]],
    ['a channel has a warning', fine, [streamOf('5', { warnings: ['The encoder is too slow.'] })]],
  ])('say that all is not well when %s, with 200 all the same', async (_, readiness, streams) => {
    expect(await ask('/', readiness, streams)).toMatchObject({ status: 200, body: { status: 'degraded' } });
  });

  it('tell nobody a path, a process or an address', async () => {
    const reason = 'the encoder failed: /srv/media/secret.mkv: no such file';
    const item = { id: 3, kind: 'program', title: 'secret title', offsetMs: 1, endsAt: 2 };
    const stream = { ...streamOf('5', { reason, item, viewers: [viewerOf()] }), encoderPids: [4711] };
    const text = JSON.stringify((await ask('/', missing, [stream])).body);
    expect(text).not.toMatch(/secret|srv|4711|192\.0\.2|channel-5/);
  });
});
