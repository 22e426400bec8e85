import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { messageOf, StartError } from './errors.ts';

/** The environment has texts only. Nothing but the text of a number becomes one: neither null nor true. */
const numeric = (schema: z.ZodNumber) =>
  z.preprocess((v) => (typeof v === 'string' && v.trim() !== '' ? Number(v) : v), schema);
const count = (min: number, max: number) => numeric(z.int().min(min).max(max));
const ms = count;
const flag = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0'])])
  .transform((v) => v === true || v === 'true' || v === '1');
const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));

/**
 * Every setting, with its bounds and its default. config/default.yaml documents the same keys for people;
 * a test holds the two together.
 */
export const configSchema = z.strictObject({
  host: z.string().min(1).default('0.0.0.0'),
  port: count(0, 65_535).default(8880),
  /** Folder of everything the server keeps: database, admin key, slates. */
  data: z.string().min(1).default('./data'),
  adminKey: z.string().min(16, 'must have at least 16 characters').optional(),
  publicUrl: httpUrl.optional(),
  /** Believe X-Forwarded-* headers. */
  trustProxy: flag.default(false),
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
    .optional(),
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
      /** Size of one of the log's files in the data folder … */
      fileMegabytes: count(1, 1024).default(10),
      /** … and how many of them are kept. */
      files: count(2, 1000).default(10),
    })
    .prefault({}),
  ffmpeg: z
    .strictObject({
      path: z.string().min(1).default('ffmpeg'),
      probePath: z.string().min(1).default('ffprobe'),
      /** Added to an encoder's niceness, so that the server itself is always served first. */
      niceness: count(0, 19).default(5),
      /** Threads of one encoder; 0 lets ffmpeg choose. */
      threads: count(0, 64).default(0),
    })
    .prefault({}),
  library: z
    .strictObject({
      watch: flag.default(true),
      /** How long size and mtime must have been still before a file counts as whole. */
      settleMs: ms(0, 3_600_000).default(5_000),
      rescanMs: ms(10_000, 86_400_000).default(900_000),
      probeTimeoutMs: ms(1_000, 600_000).default(30_000),
      probes: count(1, 32).default(2),
      /** What is measured of each file in the background, once. */
      analysis: z
        .strictObject({
          loudness: flag.default(true),
          /** Black and silence in recordings without chapters. */
          breaks: flag.default(false),
          /** The shortest black that counts. */
          blackMs: ms(100, 60_000).default(500),
          /** What is below counts as silence, in dB of full scale. */
          silenceDb: numeric(z.number().min(-90).max(-20)).default(-50),
        })
        .prefault({}),
    })
    .prefault({}),
  playout: z
    .strictObject({
      horizonHours: count(48, 24 * 60).default(168),
      extendEveryMs: ms(1_000, 86_400_000).default(300_000),
      /** What starts within this time never changes by an edit. */
      freezeMs: ms(0, 86_400_000).default(7_200_000),
      keepPastHours: count(1, 24 * 60).default(168),
    })
    .prefault({}),
  streaming: z
    .strictObject({
      /** Encoders at the same time, over all channels. */
      maxProcesses: count(1, 1000).default(16),
      spawnsPerSecond: numeric(z.number().min(0.1).max(1000)).default(5),
      spawnBurst: count(1, 1000).default(10),
      /** How long an unwatched channel keeps its encoder. */
      lingerMs: ms(0, 600_000).default(20_000),
      /** A cold channel shows its slate when the programme is not there by then. */
      slateAfterMs: ms(0, 10_000).default(500),
      /** How far ahead of the wall clock the channel is sent: the buffer that a player gets. */
      leadMs: ms(250, 10_000).default(1_250),
      /** With less than this left of the lead, the slate takes over. */
      slateBelowMs: ms(0, 10_000).default(500),
      /** How often viewers are written to. */
      writeEveryMs: ms(20, 500).default(100),
      /** The next item's encoder is started so long before it is due. */
      prepareMs: ms(1_000, 60_000).default(6_000),
      /** No output of an encoder for so long, while it is needed, means that it hangs. */
      watchdogMs: ms(500, 60_000).default(5_000),
      /** The first output of an encoder may take so long: disks spin up, networks wake. */
      startTimeoutMs: ms(500, 120_000).default(10_000),
      retryMs: z
        .preprocess((v) => (typeof v === 'string' ? v.split(',') : v), z.array(ms(0, 60_000)))
        .default([500, 2_000, 8_000]),
      /** An item that has failed after all of these is tried again so often. */
      retryLaterMs: ms(1_000, 3_600_000).default(60_000),
      /** So many failed starts of encoders … */
      breakerFailures: count(1, 100).default(5),
      /** … within this time lock a channel out … */
      breakerWindowMs: ms(1_000, 3_600_000).default(300_000),
      /** … for this long, after which there is one trial. */
      breakerOpenMs: ms(1_000, 3_600_000).default(120_000),
      /** Restarts over all channels, new tries of items among them. */
      restartsPerMinute: count(1, 10_000).default(10),
      /** The health task restarts a channel no sooner after its last restart of it. */
      restartDistanceMs: ms(1_000, 3_600_000).default(30_000),
      healthEveryMs: ms(1_000, 3_600_000).default(30_000),
      /** A channel that is watched and has put out nothing for so long is restarted. */
      stallMs: ms(1_000, 3_600_000).default(180_000),
      /** An encoder that has run for so long is replaced by another one, without a seam. */
      encoderMaxAgeMs: ms(1_000, 2_592_000_000).default(86_400_000),
      /** With less memory than this to be had, no encoder is started. 0 never refuses one. */
      minFreeMegabytes: count(0, 1_000_000).default(128),
      /** With a larger part of the server's file descriptors in use, in percent, no encoder is started. */
      maxDescriptorPercent: count(1, 100).default(90),
      ringSeconds: count(5, 300).default(30),
      ringMegabytes: count(4, 1024).default(64),
      /** A viewer that has taken no byte for so long is closed. */
      viewerStallMs: ms(1_000, 300_000).default(10_000),
      /** A viewer that had to skip so often within a minute is closed. */
      viewerSkips: count(1, 100).default(5),
      maxViewers: count(1, 100_000).default(2_000),
      /** Where a channel's clock begins, in 90 kHz ticks. */
      clockStart: count(0, 2 ** 34).default(900_000),
    })
    .refine((streaming) => streaming.slateBelowMs < streaming.leadMs, {
      path: ['slateBelowMs'],
      message: 'must be less than streaming.leadMs, or the slate would always be shown',
    })
    .prefault({}),
  guide: z
    .strictObject({
      days: count(1, 60).default(7),
      language: z
        .string()
        .regex(/^[a-z]{2,3}$/, 'must be an ISO 639 code')
        .default('en'),
      /** Media that joined the library within so many days before they air are marked as new. */
      newDays: count(0, 365).default(0),
      episodeIcon: z.enum(['still', 'poster']).default('still'),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /** Anybody may read /metrics; otherwise only who has the admin key. */
      open: flag.default(false),
    })
    .prefault({}),
  shutdownMs: ms(1_000, 600_000).default(30_000),
});

export type Config = z.infer<typeof configSchema>;

/** Environment variables with a name of their own; every other key is AIRCHECK_ and its path, such as AIRCHECK_STREAMING_LINGER_MS. */
const namedVariables: Record<string, string> = { DATABASE_URL: 'databaseUrl', AIRCHECK_CONFIG: '' };

/**
 * Reads defaults, then the user's file, then the environment. Throws StartError that names every wrong key.
 *
 * @param chosen the user's YAML file; by default what AIRCHECK_CONFIG names, or nothing
 */
export function loadConfig(env: NodeJS.ProcessEnv, chosen: string | undefined = env.AIRCHECK_CONFIG): Config {
  const file = chosen === '' ? undefined : chosen;
  const given = gather(env, file === undefined ? {} : withoutNulls(readConfigFile(file)));
  const result = configSchema.safeParse(given.values);
  const problems = problemsOf(given, result.error, file);
  if (problems.length > 0 || !result.success) {
    throw new StartError(`The configuration is wrong:\n${problems.map((p) => `  ${p}`).join('\n')}`, {
      operation: 'reading the configuration',
    });
  }
  return { ...result.data, data: absolute(result.data.data) };
}

/** As much of the configuration as is right, the rest with its defaults, and all that is wrong with it. Never throws. */
export function inspectConfig(
  env: NodeJS.ProcessEnv,
  chosen: string | undefined = env.AIRCHECK_CONFIG,
): { config: Config; problems: string[] } {
  const file = chosen === '' ? undefined : chosen;
  const problems: string[] = [];
  let fromFile: Record<string, unknown> = {};
  try {
    if (file !== undefined) fromFile = withoutNulls(readConfigFile(file));
  } catch (error) {
    problems.push(messageOf(error));
  }
  const given = gather(env, fromFile);
  let result = configSchema.safeParse(given.values);
  problems.push(...problemsOf(given, result.error, file));
  // Settings that contradict each other may need a second round; nothing at all is always right.
  for (let round = 0; !result.success; round++) {
    if (round < 3) for (const issue of result.error.issues) removeWrong(given.values, issue);
    result = configSchema.safeParse(round < 3 ? given.values : {});
  }
  return { config: { ...result.data, data: absolute(result.data.data) }, problems };
}

/** What was set, and by which variables. */
interface Given {
  values: Record<string, unknown>;
  sources: Map<string, string>;
  /** Variables that look like settings and are none. */
  unknown: string[];
}

function gather(env: NodeJS.ProcessEnv, values: Record<string, unknown>): Given {
  const sources = new Map<string, string>();
  const unknown: string[] = [];
  const paths = new Map(settings().map(({ path, variable }) => [variable, path]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '' || name in namedVariables || !name.startsWith('AIRCHECK_'))
      continue;
    const path = paths.get(name);
    if (path === undefined) {
      unknown.push(name);
      continue;
    }
    set(values, path, value);
    sources.set(path.join('.'), name);
  }
  if (env.DATABASE_URL) {
    values.databaseUrl = env.DATABASE_URL;
    sources.set('databaseUrl', 'DATABASE_URL');
  }
  return { values, sources, unknown };
}

function problemsOf(given: Given, error: z.ZodError | undefined, file: string | undefined): string[] {
  const unknown = given.unknown.map((name) => `${name}: there is no such setting`);
  return [...unknown, ...(error?.issues ?? []).flatMap((issue) => describe(issue, given.sources, file))];
}

function removeWrong(values: Record<string, unknown>, issue: z.core.$ZodIssue): void {
  const keys = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) remove(values, [...keys, key]);
  } else {
    remove(values, keys);
  }
}

/** Removes what is there; where it is not, what it would be in. */
function remove(values: Record<string, unknown>, keys: string[]): void {
  for (let depth = keys.length; depth > 0; depth--) {
    const parent = keys
      .slice(0, depth - 1)
      .reduce<unknown>((at, key) => (isMapping(at) ? at[key] : undefined), values);
    const key = keys[depth - 1];
    if (key !== undefined && isMapping(parent) && key in parent) {
      delete parent[key];
      return;
    }
  }
}

/** Every setting's place in the configuration, and the environment variable that overrides it. */
export function settings(): { path: string[]; variable: string }[] {
  return keyPaths(configSchema).map((path) => ({ path, variable: variableName(path) }));
}

function readConfigFile(file: string): Record<string, unknown> {
  if (!existsSync(file)) {
    throw new StartError(`The configuration file ${file} does not exist.`, {
      operation: 'reading the configuration',
    });
  }
  try {
    const value: unknown = parseYaml(readFileSync(file, 'utf8')) ?? {};
    if (!isMapping(value)) throw new Error('it is not a mapping of keys to values');
    return value;
  } catch (error) {
    throw new StartError(`The configuration file ${file} cannot be read: ${messageOf(error)}`, {
      operation: 'reading the configuration',
      cause: error,
    });
  }
}

function describe(issue: z.core.$ZodIssue, sources: Map<string, string>, file: string | undefined): string[] {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) => `${path === '' ? key : `${path}.${key}`} in ${file}: there is no such setting`,
    );
  }
  const keys = issue.path.map((_, i) => issue.path.slice(0, i + 1).join('.'));
  const variable = keys.map((key) => sources.get(key)).find((name) => name !== undefined);
  const source = variable ?? (file === undefined ? 'the defaults' : file);
  return [`${path} (from ${source}): ${issue.message}`];
}

/** A key with nothing behind it is a key that is not set. */
function withoutNulls(mapping: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(mapping)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, isMapping(value) ? withoutNulls(value) : value]),
  );
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Paths of all leaves of the schema. */
function keyPaths(schema: z.ZodType, prefix: string[] = []): string[][] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [prefix];
  return Object.entries(inner.shape).flatMap(([key, value]) =>
    keyPaths(value as z.ZodType, [...prefix, key]),
  );
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  return schema;
}

function variableName(path: string[]): string {
  return `AIRCHECK_${path.map((key) => key.replace(/[A-Z]/g, (c) => `_${c}`)).join('_')}`.toUpperCase();
}

function set(target: Record<string, unknown>, path: string[], value: string): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  target[key] ??= {};
  const child = target[key];
  // Whatever else stands there is wrong, and is to be found wrong.
  if (isMapping(child)) set(child, rest, value);
}

function absolute(path: string): string {
  return isAbsolute(path) ? path : resolve(path);
}
