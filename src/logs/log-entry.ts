export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

export type Level = (typeof levels)[number];

/** One event, as it was logged. What else was logged with it stands beside these fields. */
export interface LogEntry {
  id: string;
  /** ISO 8601, in UTC. */
  time: string;
  level: Level;
  /** The part of the server that speaks. */
  logger: string;
  msg: string;
  /** The number of the channel that it is about. */
  channel?: string;
  [field: string]: unknown;
}

/** The parts of a line: its fixed head, and the fields behind it as JSON. */
export interface LogLine {
  head: string;
  level: Level;
  time: string;
  id: string;
  /** `{...}`: what was logged. */
  body: string;
}

// The logger writes every line this way, so that it can be told apart without reading all of it as JSON.
const headPattern =
  /^\{"level":"(trace|debug|info|warn|error|fatal)","time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","id":"([0-7][0-9a-hjkmnp-tv-z]{10})"(?=[,}])/;

const bareHeadLength = '{"level":"","time":"2026-11-21T20:00:00.000Z","id":"00000000000"'.length;

/** How many characters, and bytes, the head of a line has. */
export function headLength(level: Level): number {
  return bareHeadLength + level.length;
}

/** Undefined when the line is not one of the logger's. */
export function splitLine(line: string): LogLine | undefined {
  const match = headPattern.exec(line);
  if (match === null) return undefined;
  const [head, level, time, id] = match as unknown as [string, Level, string, string];
  const rest = line.slice(head.length);
  return { head, level, time, id, body: `{${rest.startsWith(',') ? rest.slice(1) : rest}` };
}

/** The line again, with other fields. */
export function joinLine({ head }: LogLine, body: string): string {
  return body === '{}' ? `${head}}` : `${head},${body.slice(1)}`;
}

/** Undefined when the line is not one of the logger's, or is not whole. */
export function parseEntry(line: string): LogEntry | undefined {
  const parts = splitLine(line);
  if (parts === undefined) return undefined;
  const fields = parseFields(parts.body);
  if (fields === undefined) return undefined;
  const { id: _id, time: _time, level: _level, logger, msg, channel, ...others } = fields;
  return {
    id: parts.id,
    time: parts.time,
    level: parts.level,
    logger: typeof logger === 'string' ? logger : 'server',
    msg: typeof msg === 'string' ? msg : '',
    ...(channel === undefined || channel === null ? {} : { channel: String(channel) }),
    ...others,
  };
}

export function parseFields(body: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
