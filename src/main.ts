#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { loadConfig } from './config.ts';
import { AircheckError, messageOf } from './errors.ts';
import { version } from './version.ts';

const program = new Command('aircheck')
  .description('Turns folders of recorded media into live television channels.')
  .version(version);

program
  .command('serve')
  .description('run the server')
  .option('-c, --config <file>', 'a YAML file with settings (see config/default.yaml)')
  .action(async ({ config }: { config?: string }) => {
    const { serve } = await import('./serve.ts');
    await serve(loadConfig(process.env, config ?? process.env.AIRCHECK_CONFIG));
  });

program
  .command('demo')
  .description('make sample recordings and broadcast three channels of them')
  .action(async () => {
    const { demo } = await import('./demo/demo.ts');
    await demo(process.env);
  });

program
  .command('plan')
  .description('plan the request in a JSON file and print the answer; "-" reads standard input')
  .argument('<file>')
  .addOption(new Option('--table', 'print a table, in local time, for reading').conflicts('ics'))
  .addOption(new Option('--ics', 'print a calendar of what the guide would show (iCalendar)'))
  .action(async (file: string, { table, ics }: { table?: true; ics?: true }) => {
    const { answerOf, readRequest } = await import('./schedule/request.ts');
    const { plan } = await import('./schedule/plan.ts');
    const input = readRequest(JSON.parse(await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')));
    const output = plan(input);
    if (table) {
      const { planTable } = await import('./schedule/print.ts');
      process.stdout.write(planTable(input, output));
    } else if (ics) {
      const { planCalendar } = await import('./schedule/calendar.ts');
      process.stdout.write(`${planCalendar(input, output)}\n`);
    } else process.stdout.write(`${JSON.stringify(answerOf(output), undefined, 2)}\n`);
  });

const server = (command: Command) =>
  command
    .option('-c, --config <file>', 'the YAML file with the settings of the server')
    .option('--url <address>', 'the server; by default the one of the settings, on this machine')
    .option('--key <key>', 'the key of its API; by default the one in its data folder');

interface ServerOptions {
  config?: string;
  url?: string;
  key?: string;
}

server(program.command('export'))
  .description('write the libraries, collections, profiles and channels of a running server as YAML')
  .argument('[file]', 'by default the standard output')
  .option('--schema', 'write the JSON Schema of such files instead; no server is asked')
  .action(
    async (file: string | undefined, { config, url, key, schema }: ServerOptions & { schema?: true }) => {
      const { exportTo, serverOf, write } = await import('./transfer/remote.ts');
      if (schema === true) {
        const { transferJsonSchema } = await import('./transfer/format.ts');
        return await write(file, `${JSON.stringify(transferJsonSchema(), undefined, 2)}\n`);
      }
      const settings = loadConfig(process.env, config ?? process.env.AIRCHECK_CONFIG);
      await exportTo(await serverOf(settings, { url, key }), file);
    },
  );

server(program.command('import'))
  .description('bring what such a file says into a running server, all of it or nothing')
  .argument('<file>', '"-" reads standard input')
  .option('--dry-run', 'change nothing, and say what would be changed', false)
  .option('--replace', 'change what is there under the same number or name', false)
  .action(
    async (
      file: string,
      { config, url, key, ...options }: ServerOptions & { dryRun: boolean; replace: boolean },
    ) => {
      const { importFrom, serverOf } = await import('./transfer/remote.ts');
      const settings = loadConfig(process.env, config ?? process.env.AIRCHECK_CONFIG);
      const report = await importFrom(await serverOf(settings, { url, key }), file, options);
      process.stdout.write(`${report}\n`);
    },
  );

program
  .command('migrate')
  .description('bring the database up to date and exit')
  .option('-c, --config <file>', 'a YAML file with settings')
  .action(async ({ config }: { config?: string }) => {
    const { openDatabase } = await import('./db/connection.ts');
    const { createLogger } = await import('./logs/logger.ts');
    const settings = loadConfig(process.env, config ?? process.env.AIRCHECK_CONFIG);
    const { log, masker } = createLogger({ level: settings.log.level });
    masker.addPasswordOf(settings.databaseUrl);
    const { databaseUrl, data } = settings;
    const database = await openDatabase({ databaseUrl, dataFolder: data, log });
    await database.stop();
    log.info('the database is up to date');
  });

program
  .command('doctor')
  .description('look for what could keep the server from working, and say what to do about it')
  .option('-c, --config <file>', 'a YAML file with settings')
  .option('--json', 'print the findings as JSON')
  .action(async ({ config, json }: { config?: string; json?: boolean }) => {
    const { doctor } = await import('./doctor/doctor.ts');
    const code = await doctor({
      env: process.env,
      configFile: config ?? process.env.AIRCHECK_CONFIG,
      json: json === true,
      write: (text) => process.stdout.write(text),
    });
    // A check that hangs, as on a folder of a network that is away, would keep the process for ever.
    process.stdout.write('', () => process.exit(code));
  });

try {
  await program.parseAsync();
} catch (error) {
  // What is meant for a person is told without a stack.
  const expected = error instanceof AircheckError || error instanceof SyntaxError || isFileError(error);
  process.stderr.write(`${expected || !(error instanceof Error) ? messageOf(error) : error.stack}\n`);
  process.exitCode = 1;
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && 'path' in error;
}
