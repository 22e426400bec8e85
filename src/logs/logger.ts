import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/** One JSON line an event on standard output; for a person at a terminal, readable ones. */
export function createLogger(level: string): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!process.stdout.isTTY) return pino(options);
  return pino(options, pretty({ colorize: true, translateTime: 'HH:MM:ss', singleLine: true }));
}
