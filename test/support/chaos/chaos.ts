import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../server.ts';
import { atRest, lookForRemains, lookIntoLogs } from './aftermath.ts';
import { ApiClient } from './api-client.ts';
import { Audience, faultsOf } from './audience.ts';
import { type ChannelDisturbance, ChannelDisturber, channelDisturbances } from './channel-disturbances.ts';
import { type Chaos, watchedChannels } from './context.ts';
import { editWithoutEnd } from './edits.ts';
import { Gate } from './gate.ts';
import { Logbook } from './logbook.ts';
import { Minutes } from './minutes.ts';
import { OrphanWatch } from './orphan-watch.ts';
import { OwnLag } from './own-lag.ts';
import { Bag, seeded } from './random.ts';
import { endSummary, minuteSummary } from './report.ts';
import { disturbServer, serverDisturbances } from './server-disturbances.ts';
import type { Station } from './station.ts';
import { Watcher } from './watcher.ts';

export interface ChaosOptions {
  seed: number;
  durationMs: number;
  lingerMs: number;
  /** Between two disturbances of a channel. */
  channelPauseMs: [number, number];
  /** Between two of the whole server. */
  serverPauseMs: [number, number];
  awayMs: [number, number];
  audiencePauseMs: [number, number];
  editPauseMs: [number, number];
  /** How much larger the server may be at the end than at the beginning. */
  growthMegabytes: number;
  say: (text: string) => void;
  /** Gets a line for each thing that happened, for whoever looks for the cause of a fault; the server's log is put beside it. */
  logFile?: string;
}

export interface ChaosReport {
  faults: string[];
  minutes: Minutes;
  operations: ReadonlyMap<string, number>;
}

/**
 * Does to a server what a year would do to it: for the given time, and until each kind of harm was done once.
 * Meanwhile every channel but the last has a viewer who stays, and others come and go.
 */
export async function runChaos(station: Station, options: ChaosOptions): Promise<ChaosReport> {
  const { say } = options;
  for (const what of station.leftOut) say(`  left out on this machine: ${what}`);
  const log = new Logbook(say, options.logFile);
  const lag = new OwnLag();
  lag.start();
  const over = new AbortController();
  const chaos: Chaos = {
    station,
    api: new ApiClient(station.server, log),
    log,
    gate: new Gate(station.server),
    lag,
    random: seeded(options.seed),
    watchers: new Map(),
    hurtUntil: 0,
    over: over.signal,
  };
  const before = await warmUp(chaos, options.lingerMs);
  const minutes = new Minutes(chaos);
  const orphans = new OrphanWatch(chaos);
  const audience = new Audience(chaos);
  const stops = [
    every(1_000, async () => {
      await Promise.all([chaos.gate.look(), orphans.look()]);
    }),
    every(60_000, async () => say(minuteSummary(await minutes.sample(), log))),
  ];
  try {
    await watchAll(chaos);
    const coming = audience.comeAndGo(options.audiencePauseMs);
    const editing = editWithoutEnd(chaos, options.editPauseMs);
    await disturb(chaos, options, over);
    await Promise.all([coming, editing]);
    await minutes.sample();
    for (const [id, watcher] of chaos.watchers) {
      const channel = station.channels.find((each) => each.id === id);
      for (const fault of faultsOf(watcher, log.startedAt)) {
        log.fault(`the viewer of channel ${channel?.number}: ${fault}`);
      }
      watcher.leave();
    }
    audience.leave();
    const after = await lookForRemains(station, before, log, options);
    await lookIntoLogs(station, log);
    if (options.logFile !== undefined) await writeFile(`${options.logFile}.server`, station.server.output());
    say(endSummary({ chaos, minutes, orphans: orphans.orphans.size, before, after, seed: options.seed }));
  } finally {
    over.abort();
    for (const stop of stops) stop();
    lag.stop();
  }
  return { faults: log.faults, minutes, operations: log.operations };
}

/** What is made once has been made, and the server is at rest. */
async function warmUp(chaos: Chaos, lingerMs: number): Promise<Awaited<ReturnType<typeof atRest>>> {
  const { station, lag, api } = chaos;
  const watchers = station.channels.map(({ url }) => new Watcher(url, { lag }));
  await Promise.all(Array.from({ length: 12 }, () => api.call('GET', '/channels')));
  await delay(4_000);
  for (const watcher of watchers) watcher.leave();
  await until(
    'nothing is on air',
    async () => {
      const { body } = await station.server.api('GET', '/server');
      return body.encoders.used === 0 ? true : undefined;
    },
    lingerMs + 20_000,
  );
  return atRest(station);
}

/** The last channel has no viewer of its own, so that it comes and goes. */
async function watchAll(chaos: Chaos): Promise<void> {
  const { channels } = chaos.station;
  const watched = channels.length > 2 ? channels.slice(0, -1) : channels;
  for (const { id, url } of watched) chaos.watchers.set(id, new Watcher(url, { lag: chaos.lag }));
  await until('every viewer has the programme', () =>
    [...chaos.watchers.values()].every(({ checker }) => checker.moving) ? true : undefined,
  );
}

/** Until the time is over and nothing was left out, or there is no hope of that. */
async function disturb(chaos: Chaos, options: ChaosOptions, over: AbortController): Promise<void> {
  const startedAt = performance.now();
  const channelKinds = new Bag<ChannelDisturbance>(channelDisturbances, chaos.random.for('channel kinds'));
  const serverKinds = new Bag(serverDisturbances(chaos), chaos.random.for('server kinds'));
  const wanted = [...channelDisturbances, ...serverDisturbances(chaos)];
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedAt;
    const enough = wanted.every((kind) => chaos.log.operations.has(kind));
    if (elapsedMs > options.durationMs && (enough || elapsedMs > 3 * options.durationMs)) over.abort();
  }, 500);
  const turns = new Turns();
  const channels = watchedChannels(chaos).map(async (channel) => {
    const random = chaos.random.for(`channel ${channel.number}`);
    const disturber = new ChannelDisturber(chaos, channel, random);
    while (!chaos.over.aborted) {
      await pause(random.between(...options.channelPauseMs), chaos.over);
      await turns.shared(async () => {
        if (chaos.over.aborted) return;
        const kind = channelKinds.take();
        if (!(await disturber.do(kind))) channelKinds.putBack(kind);
      });
    }
  });
  const random = chaos.random.for('server');
  const server = async () => {
    while (!chaos.over.aborted) {
      await pause(random.between(...options.serverPauseMs), chaos.over);
      if (chaos.over.aborted) return;
      const kind = serverKinds.take();
      const harm = () => disturbServer(chaos, kind, { awayMs: random.between(...options.awayMs), random });
      // Without its library no channel comes back from anything else.
      await (kind === 'library away' ? turns.alone(harm) : harm());
    }
  };
  try {
    await Promise.all([...channels, server()]);
  } finally {
    clearInterval(timer);
  }
}

/** Many may have their turn together, or one alone. */
class Turns {
  private readonly running = new Set<Promise<unknown>>();
  private lone: Promise<unknown> | undefined;

  async shared(work: () => Promise<void>): Promise<void> {
    while (this.lone !== undefined) await this.lone;
    const turn = work();
    const settled = turn.catch(() => {}).finally(() => this.running.delete(settled));
    this.running.add(settled);
    await turn;
  }

  async alone(work: () => Promise<void>): Promise<void> {
    const begin = async () => {
      await Promise.all(this.running);
      await work();
    };
    const turn = begin();
    this.lone = turn
      .catch(() => {})
      .finally(() => {
        this.lone = undefined;
      });
    await turn;
  }
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: over }).catch(() => {});
}

/** Never two at a time. A look that fails is made up for by the next; what the server did wrong is a fault already. */
function every(ms: number, work: () => Promise<void>): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void work()
      .catch(() => {})
      .finally(() => {
        busy = false;
      });
  }, ms);
  return () => clearInterval(timer);
}
