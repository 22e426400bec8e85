import { readdir } from 'node:fs/promises';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** Lists of every connection, made through private functions of Node; and a sum of what is told one by one. */
const leftOut = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** What any Node process tells of itself: memory, file descriptors, CPU, garbage collection. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const name of leftOut) registry.removeSingleMetric(name);
  if (process.platform === 'linux') countDescriptors(registry);
}

/** The library reads the list of descriptors while everything waits, and there is one for every viewer. */
function countDescriptors(registry: Registry): void {
  const name = 'process_open_fds';
  registry.removeSingleMetric(name);
  new Gauge({
    name,
    help: 'Number of open file descriptors.',
    registers: [registry],
    async collect() {
      const open = await readdir('/proc/self/fd').catch(() => undefined);
      // One of them was the list itself.
      if (open !== undefined) this.set(open.length - 1);
    },
  });
}
