import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { type App, startApp } from './app.ts';
import type { Config } from './config.ts';
import { messageOf } from './errors.ts';
import { createLogger } from './logs/logger.ts';

/** Runs the server until a signal ends it. Resolves when it has started. */
export async function serve(config: Config): Promise<App> {
  // A heap may grow to one and a half times what is alive in it, and not to four times, as it would on a large machine:
  // with five hundred channels that is a quarter of the memory. It holds for all threads.
  setFlagsFromString('--heap-growing-percent=50');
  const logging = createLogger({
    level: config.log.level,
    files: {
      folder: join(config.data, 'logs'),
      maxBytes: config.log.fileMegabytes * 1024 * 1024,
      maxFiles: config.log.files,
    },
  });
  const { log, masker } = logging;
  masker.add(config.adminKey);
  masker.addPasswordOf(config.databaseUrl);
  const app = await startApp(config, logging);
  endOnSignals(app, config.shutdownMs, log);
  process.on('exit', () => app.killEncoders());
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, `the server cannot go on: ${messageOf(error)}`);
    process.exit(1);
  });
  if (app.adminKey.isNew) {
    process.stdout.write(
      `\nThe key of the admin API, shown this once; it is kept in ${app.adminKey.file}:\n\n  ${app.adminKey.key}\n\n`,
    );
  }
  return app;
}

/** The first signal ends the server in order and in time; the second one at once. */
function endOnSignals(app: App, deadlineMs: number, log: Logger): void {
  let ending = false;
  const end = (signal: NodeJS.Signals) => {
    if (ending) {
      log.warn({ signal }, 'the stop is forced');
      process.exit(1);
    }
    ending = true;
    log.info({ signal }, 'aircheck is going off the air; the same signal again forces it');
    setTimeout(() => {
      log.error({ deadlineMs }, 'the stop has taken too long, and is forced');
      process.exit(1);
    }, deadlineMs).unref();
    void app.stop().then((clean) => process.exit(clean ? 0 : 1));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}
