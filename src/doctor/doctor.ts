import { type Config, inspectConfig } from '../config.ts';
import { lockHolder } from '../db/data-lock.ts';
import { Masker } from '../logs/masker.ts';
import { version } from '../version.ts';
import { accelerationCheck } from './acceleration.ts';
import { type Check, type Finding, runChecks } from './check.ts';
import { clockCheck } from './clock.ts';
import { databaseCheck, type SeenDatabase } from './database.ts';
import { encoderCheck, ffmpegCheck, ffprobeCheck } from './ffmpeg.ts';
import { dataFolderCheck, libraryCheck } from './folders.ts';
import { fontCheck } from './fonts.ts';
import { portCheck } from './port.ts';
import { findingText, reportJson, summaryText } from './report.ts';
import { configurationFinding, limitsCheck, memoryCheck, nodeFinding } from './system.ts';

export interface DoctorOptions {
  env: NodeJS.ProcessEnv;
  /** The user's YAML file. */
  configFile: string | undefined;
  json: boolean;
  write: (text: string) => void;
}

/**
 * Looks for whatever could keep the server from working, prints what it finds and what to do about it, and returns the
 * exit code: 0 unless there is a problem. It prints no secret, and changes nothing but what opening a database changes.
 */
export async function doctor(options: DoctorOptions): Promise<0 | 1> {
  const { config, problems } = inspectConfig(options.env, options.configFile);
  const masker = maskerOf(config, options.env);
  const mask = (text: string) => masker.text(text);
  const findings: Finding[] = [];
  const tell = (finding: Finding) => {
    const { remedy } = finding;
    const masked = { ...finding, found: mask(finding.found), ...(remedy && { remedy: mask(remedy) }) };
    findings.push(masked);
    if (!options.json) options.write(`${findingText(masked)}\n`);
  };

  tell(nodeFinding());
  tell(configurationFinding(problems, options.configFile));
  const holder = await lockHolder(config.data).catch(() => undefined);
  const seen: SeenDatabase = {};
  const checks: Check[] = [
    ffmpegCheck(config.ffmpeg),
    ffprobeCheck(config.ffmpeg),
    encoderCheck(config.ffmpeg),
    accelerationCheck(config.ffmpeg),
    fontCheck(config.ffmpeg),
    dataFolderCheck(config.data, holder),
    databaseCheck(config, holder, seen),
    portCheck(config, holder),
    clockCheck(config.data),
    memoryCheck(),
    limitsCheck(config.streaming),
  ];
  for await (const finding of runChecks(checks)) tell(finding);
  // Last, because a folder of a network that is away blocks one of the few threads for files.
  for await (const finding of runChecks(libraryChecks(seen))) tell(finding);

  if (options.json) options.write(`${reportJson(findings, version)}\n`);
  else options.write(`\n${summaryText(findings)}\n`);
  return findings.some(({ verdict }) => verdict === 'problem') ? 1 : 0;
}

function libraryChecks({ libraries, reason }: SeenDatabase): Check[] {
  if (libraries !== undefined) return libraries.map(libraryCheck);
  const found = `not known: ${reason ?? 'the database could not be read'}`;
  const skipped: Finding = { subject: 'libraries', verdict: 'skipped', found };
  return [{ subject: 'libraries', deadlineMs: 1_000, run: async () => skipped }];
}

function maskerOf(config: Config, env: NodeJS.ProcessEnv): Masker {
  const masker = new Masker();
  for (const secret of [config.adminKey, env.AIRCHECK_ADMIN_KEY, env.PGPASSWORD]) masker.add(secret);
  for (const url of [config.databaseUrl, env.DATABASE_URL, env.AIRCHECK_DATABASE_URL])
    masker.addPasswordOf(url);
  return masker;
}
