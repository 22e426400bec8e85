import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodersOf } from '../broadcast.ts';
import type { Logbook } from './logbook.ts';
import { readMetrics } from './metrics.ts';
import { figuresOf, type ProcessFigures, zombiesOf } from './process-figures.ts';
import { plantedSecrets, type Station } from './station.ts';

/** What a server holds while nobody watches. */
export interface AtRest extends ProcessFigures {
  /** Timers and the like that keep the process alive, by kind; undefined while there are no metrics. */
  resources: Record<string, number> | undefined;
}

const settleMs = 30_000;
/** A log file, a watched folder, a connection that has just been made: not what a leak looks like. */
const descriptorTolerance = 3;
const timerTolerance = 3;

export async function atRest(station: Station): Promise<AtRest> {
  const { server, database } = station;
  const port = database === undefined ? undefined : Number(new URL(database.databaseUrl).port);
  const [figures, metrics] = await Promise.all([figuresOf(server.pid, port), readMetrics(server)]);
  return { ...figures, resources: metrics?.by('nodejs_active_resources', 'type') };
}

/** Waits until the server has let go of everything that viewers had it take, and names what it has not. */
export async function lookForRemains(
  station: Station,
  before: AtRest,
  log: Logbook,
  limits: { lingerMs: number; growthMegabytes: number },
): Promise<AtRest> {
  const { server } = station;
  await settled(limits.lingerMs + settleMs, async () => {
    const { body } = await server.api('GET', '/server');
    const { body: streams } = await server.api('GET', '/streams');
    const pids = await encodersOf(server);
    return [
      ...(streams.total === 0 ? [] : [`${streams.total} channels are on air, and nobody watches`]),
      ...(body.viewers === 0 ? [] : [`${body.viewers} viewers are counted, and there is none`]),
      ...(body.encoders.used === 0 ? [] : [`${body.encoders.used} encoder slots were not given back`]),
      ...(pids.length === 0 ? [] : [`encoders are left: ${pids.join(', ')}`]),
    ];
  }).then((faults) => faults.forEach((fault) => void log.fault(fault)));
  const zombies = await zombiesOf(server.pid);
  if (zombies.length > 0) log.fault(`zombies are left: ${zombies.join(', ')}`);

  let now = await atRest(station);
  const faults = await settled(settleMs, async () => {
    now = await atRest(station);
    return leaksBetween(before, now);
  });
  for (const fault of faults) log.fault(fault);
  if (now.rssMegabytes > before.rssMegabytes + limits.growthMegabytes) {
    log.fault(`the server grew from ${before.rssMegabytes} to ${now.rssMegabytes} MB`);
  }
  return now;
}

/** What the server wrote that it should not have. */
export async function lookIntoLogs(station: Station, log: Logbook): Promise<void> {
  const { server, database } = station;
  const password = database === undefined ? undefined : new URL(database.databaseUrl).password;
  const texts = [server.output(), ...(await logFilesIn(server.data))];
  for (const secret of [...Object.values(plantedSecrets), password]) {
    if (secret !== undefined && texts.some((text) => text.includes(secret))) {
      log.fault(`a log holds the secret ${secret.slice(0, 16)}…`);
    }
  }
  for (const line of server.output().split('\n')) {
    const entry = entryOf(line);
    if (entry === undefined || entry.level < 50) continue;
    const at = Date.parse(entry.time);
    if (!log.wasAway(at)) log.fault(`the log has an error: ${line.slice(0, 500)}`);
  }
}

/** Asks again until there is nothing to complain about, or the time is over. */
async function settled(timeoutMs: number, look: () => Promise<string[]>): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const faults = await look();
    if (faults.length === 0 || performance.now() > deadline) return faults;
    await delay(500);
  }
}

function leaksBetween(before: AtRest, now: AtRest): string[] {
  const found: string[] = [];
  const kinds = new Set([...Object.keys(before.kinds), ...Object.keys(now.kinds)]);
  // Connections to the database are a pool's, which is bounded.
  kinds.delete('database');
  for (const kind of kinds) {
    const [was, is] = [before.kinds[kind] ?? 0, now.kinds[kind] ?? 0];
    if (is > was + descriptorTolerance) found.push(`file descriptors (${kind}): ${was} before, ${is} now`);
  }
  const timers = (rest: AtRest) => rest.resources?.Timeout ?? 0;
  if (timers(now) > timers(before) + timerTolerance) {
    found.push(`timers: ${timers(before)} before, ${timers(now)} now`);
  }
  return found;
}

async function logFilesIn(data: string): Promise<string[]> {
  const names = await readdir(data, { recursive: true }).catch(() => []);
  const files = names.filter((name) => /\.(log|jsonl|ndjson)(\.|$)|\.\d+\.log$|(^|\/)logs\//.test(name));
  return Promise.all(files.map((name) => readFile(join(data, name), 'utf8').catch(() => '')));
}

function entryOf(line: string): { level: number; time: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, time } = JSON.parse(line);
    return { level: typeof level === 'number' ? level : (levels[String(level)] ?? 0), time: String(time) };
  } catch {
    return undefined;
  }
}

const levels: Record<string, number> = { warn: 40, error: 50, fatal: 60 };
