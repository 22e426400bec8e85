import type { Config } from './config.ts';
import type { OpenedDatabase } from './db/connection.ts';
import { inHaste } from './db/patience.ts';
import { findProgram } from './ffmpeg/find-program.ts';
import type { GuideService } from './guide/guide-service.ts';
import { AnalysisService } from './library/analysis-service.ts';
import type { LibraryService } from './library/library-service.ts';
import type { PlayoutService } from './playout/playout-service.ts';
import type { Check, Readiness } from './readiness.ts';
import type { ChannelManager } from './streaming/channel-manager.ts';
import type { TaskRunner } from './tasks/task-runner.ts';

const checkEveryMs = 5_000;

/** What the server does by itself, over and over. */
export function registerTasks(
  tasks: TaskRunner,
  parts: {
    config: Config;
    playout: PlayoutService;
    guide: GuideService;
    library: LibraryService;
    analysis: AnalysisService;
    channels: ChannelManager;
    readiness: Readiness;
  },
): void {
  const { config, playout, guide, library, analysis, channels, readiness } = parts;
  tasks.register({
    name: 'playout',
    everyMs: config.playout.extendEveryMs,
    run: (signal) => playout.extendAll(signal),
  });
  tasks.register({ name: 'guide', everyMs: 60_000, run: () => guide.refresh() });
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
  if (AnalysisService.isWanted(config.library.analysis)) {
    tasks.register({
      name: 'analysis',
      everyMs: config.library.rescanMs,
      run: (signal) => analysis.run(signal),
      progress: () => analysis.progress(),
    });
  }
  tasks.register({
    name: 'readiness',
    everyMs: checkEveryMs,
    firstAfterMs: checkEveryMs,
    run: (signal) => readiness.check(signal),
  });
}

/** What the server cannot do without. Nothing here starts a process: that would hold up the streams. */
export function checksOf(config: Config, database: OpenedDatabase): Check[] {
  return [
    {
      name: 'database',
      required: true,
      // A look that waits for tries to come would tell of an outage late.
      look: () => inHaste(() => database.sql`select 1`),
      trouble: 'The database does not answer.',
    },
    {
      name: 'ffmpeg',
      required: true,
      look: () => findProgram(config.ffmpeg.path),
      trouble: 'The program ffmpeg is not there, or may not be run.',
    },
    {
      name: 'ffprobe',
      required: false,
      look: () => findProgram(config.ffmpeg.probePath),
      trouble: 'The program ffprobe is not there, or may not be run: new media cannot be read.',
    },
  ];
}
