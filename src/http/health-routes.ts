import { Hono } from 'hono';
import type { StreamView } from '../metrics/sources.ts';
import type { Readiness } from '../readiness.ts';

export interface HealthDeps {
  version: string;
  readiness: Pick<Readiness, 'phase' | 'results' | 'isReady'>;
  channels: { streams(): readonly StreamView[] };
}

const headers = { 'cache-control': 'no-store' };

/**
 * How the server is, for those who watch over it. Answered from memory, at once, and to anybody: there is no
 * path, no process and no address in it.
 */
export function healthRoutes(deps: HealthDeps): Hono {
  const app = new Hono();

  /** The process answers; asks nothing of anybody else. */
  app.get('/live', (c) => c.json({ status: 'ok' }, 200, headers));

  /** Whether viewers can be sent here. */
  app.get('/ready', (c) => {
    const { isReady, phase, results: checks } = deps.readiness;
    if (isReady) return c.json({ status: 'ready', checks }, 200, headers);
    const status = phase === 'running' ? 'not ready' : phase;
    return c.json({ status, checks }, 503, { ...headers, 'retry-after': '5' });
  });

  app.get('/', (c) => c.json(healthOf(deps), 200, headers));

  return app;
}

/** How everything is, as `GET /health` answers it. */
export function healthOf({ version, readiness, channels }: HealthDeps) {
  const { phase, results: checks } = readiness;
  const onAir = channels.streams().map(shown);
  const well =
    phase === 'running' &&
    Object.values(checks).every(({ ok }) => ok) &&
    onAir.every(({ breaker, warnings }) => breaker === 'closed' && warnings.length === 0);
  return {
    status: well ? ('ok' as const) : ('degraded' as const),
    phase,
    version,
    uptimeSeconds: Math.floor(process.uptime()),
    checks,
    channels: onAir,
  };
}

function shown(stream: StreamView) {
  const { number, name, state, viewers, lastOutputAgeMs, restarts } = stream;
  return {
    number,
    name,
    state,
    viewers: viewers.length,
    lastOutputAgeMs,
    breaker: stream.breaker,
    restarts,
    warnings: stream.warnings,
  };
}
