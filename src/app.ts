import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
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
import { PlayoutService } from './playout/playout-service.ts';
import { ChannelManager } from './streaming/channel-manager.ts';
import { endOrphans } from './streaming/orphans.ts';
import { ProcessPoolManager } from './streaming/process-pool.ts';
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
  /** Ends everything in the reverse order of its start. May be called twice, and never throws. */
  stop(): Promise<void>;
  /** For the last moment of a process: ends the encoders without waiting for anything. */
  killEncoders(): void;
}

/** Makes every part of the server and starts them in order. Throws StartError; what had started is stopped. */
export async function startApp(config: Config, log: Logger): Promise<App> {
  const parts = new StartedParts(log);
  try {
    return await start(config, log, parts);
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

async function start(config: Config, log: Logger, parts: StartedParts): Promise<App> {
  const startedAt = Date.now();
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
  await endOrphans(config.data, log);
  const database = await openDatabase({ databaseUrl: config.databaseUrl, dataFolder: config.data, log });
  parts.add('database', () => database.stop());
  const { db } = database;
  await ensureShippedProfiles(db);
  const key = await adminKey(config.adminKey, config.data);

  const worker = new WorkerPool(database.target, log);
  parts.add('worker thread', () => worker.stop());
  const guide = new GuideService({
    render: ({ now, signal }) =>
      worker.renderGuide({ now, days: config.guide.days, language: config.guide.language }, signal),
    log,
  });

  const tasks = new TaskRunner({ log });
  const playout = new PlayoutService({ db, log, config: config.playout, plan: (args) => worker.plan(args) });
  playout.subscribe((channelId) => guide.invalidate(channelId));
  await playout.start();
  parts.add('playout', () => playout.stop());

  const library = new LibraryService({
    db,
    log,
    config: config.library,
    ffmpeg: config.ffmpeg,
    onChange: () => playout.mediaChanged(),
  });
  await library.start();
  parts.add('library', () => library.stop());

  const { settings, pool, slates } = streamingParts(config, log);
  const channels = new ChannelManager({
    lineup: playout,
    pool,
    slates,
    settings,
    threads: config.ffmpeg.threads,
    log,
  });
  parts.add('channels', () => channels.stop());

  // A profile's slate takes a second to make, once; tuning does not wait for it.
  const makeSlates = () => {
    for (const profile of playout.profilesInUse()) {
      slates.get(profile).catch((error: unknown) => log.error({ err: error }, 'a slate could not be made'));
    }
  };
  makeSlates();
  playout.subscribe(makeSlates);

  tasks.register({
    name: 'playout',
    everyMs: config.playout.extendEveryMs,
    run: (signal) => playout.extendAll(signal),
  });
  tasks.start();
  parts.add('tasks', () => tasks.stop());

  let ready = false;
  const http = new HttpServer(
    httpApp({
      log,
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
  // First of all, readiness is taken back and nobody new comes in.
  parts.add('readiness', () => {
    ready = false;
    http.stopAccepting();
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

function streamingParts(config: Config, log: Logger) {
  const settings = config.streaming;
  const pool = new ProcessPoolManager({
    bucket: new TokenBucket({ ratePerSecond: settings.spawnsPerSecond, burst: settings.spawnBurst }),
    log,
    max: settings.maxProcesses,
    ffmpegPath: config.ffmpeg.path,
    niceness: config.ffmpeg.niceness,
    owner: config.data,
  });
  const slates = new SlateStore({
    folder: join(config.data, 'slates'),
    ffmpegPath: config.ffmpeg.path,
    log,
  });
  return { settings, pool, slates };
}

/** What has been started, to be stopped in reverse; a part that cannot stop does not keep the others from it. */
class StartedParts {
  private readonly parts: { name: string; stop: () => Promise<void> | void }[] = [];
  private stopping: Promise<void> | undefined;

  constructor(private readonly log: Logger) {}

  add(name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ name, stop });
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    for (const { name, stop } of this.parts.reverse()) {
      const startedAt = Date.now();
      try {
        await stop();
        this.log.debug({ part: name, tookMs: Date.now() - startedAt }, 'stopped');
      } catch (error) {
        this.log.error({ err: error, part: name }, 'a part did not stop as it should');
      }
    }
  }
}
