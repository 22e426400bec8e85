import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { checksOf, registerTasks } from './background.ts';
import type { Config } from './config.ts';
import { type OpenedDatabase, openDatabase } from './db/connection.ts';
import { lockDataFolder } from './db/data-lock.ts';
import { channelsShowingChanged } from './db/guide.ts';
import { ensureShippedProfiles } from './db/profiles.ts';
import { messageOf, StartError } from './errors.ts';
import { EventLoopMonitor } from './event-loop.ts';
import { GuideService } from './guide/guide-service.ts';
import { type AdminKey, adminKey } from './http/admin-key.ts';
import { HttpServer, httpApp } from './http/server.ts';
import { AnalysisService } from './library/analysis-service.ts';
import { LibraryService } from './library/library-service.ts';
import { LogStore } from './logs/log-store.ts';
import type { StoredLogging } from './logs/logger.ts';
import { Metrics } from './metrics/metrics.ts';
import { PlayoutService } from './playout/playout-service.ts';
import { Readiness } from './readiness.ts';
import { StartedParts } from './started-parts.ts';
import { ChannelManager } from './streaming/channel-manager.ts';
import type { StreamingObserver } from './streaming/observer.ts';
import { endOrphans } from './streaming/orphans.ts';
import { ProcessPoolManager } from './streaming/process-pool.ts';
import { ResourceGuard } from './streaming/resource-guard.ts';
import { RestartGate } from './streaming/restart-gate.ts';
import { SlateStore } from './streaming/slate.ts';
import { TokenBucket } from './streaming/token-bucket.ts';
import { TaskRunner } from './tasks/task-runner.ts';
import { TransferService } from './transfer/transfer-service.ts';
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

  // What the metrics tell, they read when they are asked for, which is not before the end of the start.
  const metrics: Metrics = new Metrics({
    version,
    lineup: () => playout.lineup(),
    horizonEndsAt: (channelId) => playout.status(channelId).horizonEndsAt,
    streams: () => channels.streams(),
    bytesSent: () => channels.bytesSent,
    encoders: () => ({ running: pool.pids.length, slotsUsed: pool.used, slots: pool.max }),
    inspectors: () => library.inspectors + analysis.processes,
    tasks: () => tasks.list(),
    isReady: () => readiness.isReady,
    checks: () => readiness.results,
  });
  metrics.start();
  parts.add('metrics', () => metrics.stop());

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
    observer: metrics.database,
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
  const tasks = new TaskRunner({ log: logOf('tasks') });
  const playout = new PlayoutService({
    db,
    log: logOf('playout'),
    config: config.playout,
    plan: (args) => {
      const isUpkeep = args.replace === undefined || args.unlessSame === true;
      return metrics.planned(isUpkeep ? 'extend' : 'rebuild', () => worker.plan(args));
    },
    preview: (args) => worker.preview(args),
  });
  await playout.start();
  parts.add('timelines', () => playout.stop());

  const guide = new GuideService({
    lineup: () => playout.lineup(),
    render: (request, signal) => worker.renderFragment(request, signal),
    localise: (deflated, base) => worker.localise(deflated, base),
    showingChanged: (changedSince) =>
      channelsShowingChanged(db, { changedSince, from: Date.now() - 86_400_000 }),
    firstMayWait: () => playout.isBeginning,
    config,
    log: logOf('guide'),
  });
  playout.subscribe((channelId) => guide.invalidate(channelId));
  parts.add('guide', () => guide.stop());

  const analysis = new AnalysisService({
    db,
    log: logOf('analysis'),
    config: config.library.analysis,
    ffmpegPath: config.ffmpeg.path,
    onLoudness: (id, loudness) => playout.mediaMeasured(id, loudness),
    onBreaks: () => playout.mediaChanged(),
  });
  parts.add('analysis', () => analysis.stop());
  // Before the tasks begin there is none, and it runs when they do.
  const analyseSoon = () => void tasks.runNow('analysis').catch(() => {});

  const library = new LibraryService({
    db,
    log: logOf('library'),
    config: config.library,
    ffmpeg: config.ffmpeg,
    onChange: () => {
      playout.mediaChanged();
      guide.mediaChanged();
      analyseSoon();
    },
  });
  await library.start();
  parts.add('library', () => library.stop());

  const guard = new ResourceGuard(config.streaming);
  await guard.start();
  parts.add('resource guard', () => guard.stop());
  const { pool, slates, channels } = streamingParts(config, {
    playout,
    guard,
    observer: metrics.streaming,
    log: logOf('streaming'),
  });

  // A profile's slate takes a second to make, once; tuning does not wait for it.
  const makeSlates = () => {
    for (const profile of playout.profilesInUse()) {
      slates.get(profile).catch((error: unknown) => log.error({ err: error }, 'a slate could not be made'));
    }
  };
  makeSlates();
  playout.subscribe(makeSlates);

  const readiness = new Readiness({ checks: checksOf(config, database), log: logOf('health') });
  await readiness.check();
  registerTasks(tasks, { config, playout, guide, library, analysis, channels, readiness });
  tasks.start();
  parts.add('tasks', () => tasks.stop());
  // What failed meanwhile need not wait for its turn.
  database.onRecovered(() => {
    library.retryFailed();
    analyseSoon();
    void tasks.runNow('playout');
  });

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
      transfer: new TransferService({ worker, library, playout }),
      tasks,
      channels: channels,
      lineup: () => playout.lineup(),
      readiness,
      metrics,
      masker: logging.masker,
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
    readiness.phase = 'stopping';
    database.hurry();
  });

  readiness.phase = 'running';
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
  deps: { playout: PlayoutService; guard: ResourceGuard; observer: StreamingObserver; log: Logger },
) {
  const { playout, guard, observer, log } = deps;
  const settings = config.streaming;
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
