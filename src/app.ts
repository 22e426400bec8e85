import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { type OpenedDatabase, openDatabase } from './db/connection.ts';
import { lockDataFolder } from './db/data-lock.ts';
import { ensureShippedProfiles } from './db/profiles.ts';
import { messageOf, StartError } from './errors.ts';
import { EventLoopMonitor } from './event-loop.ts';
import { GuideService } from './guide/guide-service.ts';
import { type AdminKey, adminKey } from './http/admin-key.ts';
import { HttpServer, httpApp } from './http/server.ts';
import { LibraryService } from './library/library-service.ts';
import { LogStore } from './logs/log-store.ts';
import type { StoredLogging } from './logs/logger.ts';
import { PlayoutService } from './playout/playout-service.ts';
import { ChannelManager } from './streaming/channel-manager.ts';
import { nobody } from './streaming/observer.ts';
import { endOrphans } from './streaming/orphans.ts';
import { ProcessPoolManager } from './streaming/process-pool.ts';
import { ResourceGuard } from './streaming/resource-guard.ts';
import { RestartGate } from './streaming/restart-gate.ts';
import { SlateStore } from './streaming/slate.ts';
import { TokenBucket } from './streaming/token-bucket.ts';
import { TaskRunner } from './tasks/task-runner.ts';
import { version } from './version.ts';
import { WorkerPool } from './worker-pool.ts';

/** A server that runs. */
export interface App {
  port: number;
  adminKey: AdminKey;
  library: LibraryService;
  playout: PlayoutService;
  database: OpenedDatabase;
  /**
   * Ends everything, phase by phase: readiness, streams, connections, then what they are made of. May be
   * called twice, and never throws. Returns whether each phase ended well and in time.
   */
  stop(): Promise<boolean>;
  /** For the last moment of a process: ends the encoders without waiting for anything. */
  killEncoders(): void;
}

/** Makes every part of the server and starts them in order. Throws StartError; what had started is stopped. */
export async function startApp(config: Config, logging: StoredLogging): Promise<App> {
  const parts = new StartedParts(logging.log);
  try {
    return await start(config, logging, parts);
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

async function start(config: Config, logging: StoredLogging, parts: StartedParts): Promise<App> {
  const startedAt = Date.now();
  const { log } = logging;
  const logOf = (part: string) => log.child({ logger: part });
  await mkdir(config.data, { recursive: true }).catch((error: unknown) => {
    throw new StartError(`The data folder ${config.data} cannot be made: ${messageOf(error)}`, {
      operation: 'starting',
      cause: error,
    });
  });
  const eventLoop = new EventLoopMonitor();
  eventLoop.start();
  parts.add('event-loop monitor', () => eventLoop.stop());

  // The embedded database locks its folder itself.
  if (config.databaseUrl !== undefined) {
    const lock = await lockDataFolder(config.data);
    parts.add('data folder', () => lock.release());
  }
  await endOrphans(config.data, logOf('streaming'));
  const database = await openDatabase({
    databaseUrl: config.databaseUrl,
    dataFolder: config.data,
    log: logOf('database'),
  });
  parts.add('database', () => database.stop());
  const { db } = database;
  await ensureShippedProfiles(db);
  const key = await adminKey(config.adminKey, config.data);
  logging.masker.add(key.key);

  const logs = new LogStore({ ...logging, log: logOf('logs') });
  logs.start();
  parts.add('log reader', () => logs.stop());

  const worker = new WorkerPool(database.target, logOf('worker'));
  parts.add('worker thread', () => worker.stop());
  const guide = new GuideService({
    render: ({ now, signal }) =>
      worker.renderGuide({ now, days: config.guide.days, language: config.guide.language }, signal),
    log: logOf('guide'),
  });

  const tasks = new TaskRunner({ log: logOf('tasks') });
  const plan: WorkerPool['plan'] = (args) => worker.plan(args);
  const playout = new PlayoutService({ db, log: logOf('playout'), config: config.playout, plan });
  playout.subscribe((channelId) => guide.invalidate(channelId));
  await playout.start();
  parts.add('timelines', () => playout.stop());

  const library = new LibraryService({
    db,
    log: logOf('library'),
    config: config.library,
    ffmpeg: config.ffmpeg,
    onChange: () => playout.mediaChanged(),
  });
  await library.start();
  parts.add('library', () => library.stop());

  const guard = new ResourceGuard(config.streaming);
  await guard.start();
  parts.add('resource guard', () => guard.stop());
  const { pool, slates, channels } = streamingParts(config, { playout, guard, log: logOf('streaming') });

  // A profile's slate takes a second to make, once; tuning does not wait for it.
  const makeSlates = () => {
    for (const profile of playout.profilesInUse()) {
      slates.get(profile).catch((error: unknown) => log.error({ err: error }, 'a slate could not be made'));
    }
  };
  makeSlates();
  playout.subscribe(makeSlates);

  registerTasks(tasks, { config, playout, library, channels });
  tasks.start();
  parts.add('tasks', () => tasks.stop());

  let ready = false;
  const http = new HttpServer(
    httpApp({
      log: logOf('http'),
      logs,
      config,
      version,
      adminKey: key.key,
      db,
      library,
      playout,
      guide,
      tasks,
      channels: channels,
      lineup: () => playout.lineup(),
      isReady: () => ready,
      status: () => ({
        version,
        startedAt,
        database: config.databaseUrl === undefined ? ('embedded' as const) : ('postgres' as const),
        memory: { rssBytes: process.memoryUsage.rss(), heapBytes: process.memoryUsage().heapUsed },
        encoders: {
          used: pool.used,
          max: pool.max,
          spawns: pool.spawns,
          refusals: pool.refusals,
          pids: pool.pids,
        },
        viewers: channels.viewers,
        eventLoop: eventLoop.read(),
      }),
    }),
    { host: config.host, port: config.port },
  );
  await http.start();
  parts.add('connections', () => http.stop());
  // While they end, who asks is told that the server stops.
  parts.add('streams', () => channels.stop());
  parts.add('readiness', () => {
    ready = false;
  });

  ready = true;
  log.info({ port: http.port, data: config.data, tookMs: Date.now() - startedAt }, 'aircheck is on air');
  return {
    port: http.port,
    adminKey: key,
    library,
    playout,
    database,
    stop: () => parts.stop(),
    killEncoders: () => pool.killAll(),
  };
}

function streamingParts(
  config: Config,
  deps: { playout: PlayoutService; guard: ResourceGuard; log: Logger },
) {
  const { playout, guard, log } = deps;
  const settings = config.streaming;
  const observer = nobody;
  const pool = new ProcessPoolManager({
    bucket: new TokenBucket({ ratePerSecond: settings.spawnsPerSecond, burst: settings.spawnBurst }),
    log,
    max: settings.maxProcesses,
    ffmpegPath: config.ffmpeg.path,
    niceness: config.ffmpeg.niceness,
    owner: config.data,
    observer,
    guard: () => guard.refusal(),
  });
  const slates = new SlateStore({
    folder: join(config.data, 'slates'),
    ffmpegPath: config.ffmpeg.path,
    log,
  });
  const channels = new ChannelManager({
    lineup: playout,
    pool,
    gate: new RestartGate({ settings, observer }),
    observer,
    slates,
    settings,
    threads: config.ffmpeg.threads,
    log,
  });
  return { pool, slates, channels };
}

function registerTasks(
  tasks: TaskRunner,
  parts: { config: Config; playout: PlayoutService; library: LibraryService; channels: ChannelManager },
): void {
  const { config, playout, library, channels } = parts;
  tasks.register({
    name: 'playout',
    everyMs: config.playout.extendEveryMs,
    run: (signal) => playout.extendAll(signal),
  });
  tasks.register({ name: 'timelines', everyMs: 20_000, run: () => playout.advance() });
  tasks.register({
    name: 'health',
    everyMs: config.streaming.healthEveryMs,
    firstAfterMs: config.streaming.healthEveryMs,
    run: async () => channels.checkHealth(),
  });
  tasks.register({
    name: 'scan',
    everyMs: config.library.rescanMs,
    // The first scan begins with the library itself.
    firstAfterMs: config.library.rescanMs,
    run: () => library.scanAll(),
  });
}

/** No phase of a stop may take longer; the next ones are to have their time too. */
const phaseMs = 8_000;

/** What has been started, to be stopped in reverse; a part that cannot stop does not keep the others from it. */
class StartedParts {
  private readonly parts: { name: string; stop: () => Promise<void> | void }[] = [];
  private stopping: Promise<boolean> | undefined;

  constructor(private readonly log: Logger) {}

  add(name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ name, stop });
  }

  /** Returns whether all went well. */
  stop(): Promise<boolean> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<boolean> {
    const startedAt = performance.now();
    let clean = true;
    for (const { name, stop } of this.parts.reverse()) {
      clean = (await this.stopOne(name, stop)) && clean;
    }
    this.log.info({ clean, tookMs: Math.round(performance.now() - startedAt) }, 'aircheck is off the air');
    return clean;
  }

  private async stopOne(phase: string, stop: () => Promise<void> | void): Promise<boolean> {
    const startedAt = performance.now();
    const tookMs = () => Math.round(performance.now() - startedAt);
    const late = new AbortController();
    try {
      const inTime = await Promise.race([
        Promise.resolve(stop()).then(() => true),
        delay(phaseMs, false, { signal: late.signal }),
      ]);
      if (inTime) this.log.info({ phase, tookMs: tookMs() }, 'stopped');
      else
        this.log.error({ phase, tookMs: tookMs() }, 'a part did not stop in time; the others go on stopping');
      return inTime;
    } catch (error) {
      this.log.error({ err: error, phase, tookMs: tookMs() }, 'a part did not stop as it should');
      return false;
    } finally {
      late.abort();
    }
  }
}
