import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { ownerVariable } from '../../src/streaming/encoder-process.ts';
import { endOrphans } from '../../src/streaming/orphans.ts';
import { eventually, isAlive, processesOf } from './processes.ts';

const log = pino({ level: 'silent' });

async function leaveBehind(owner: string, args = ['sleep', '1000']): Promise<ChildProcess> {
  const child = spawn(args[0]!, args.slice(1), {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, [ownerVariable]: owner },
  });
  await once(child, 'spawn');
  await eventually('its environment can be read', async () =>
    (await processesOf(owner)).includes(child.pid!),
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

it('ends the encoders of its own earlier run, even stopped ones, and nobody else’s', async () => {
  const [mine, other] = [`/data/${randomUUID()}`, `/data/${randomUUID()}`];
  const running = await leaveBehind(mine);
  const stopped = await leaveBehind(mine);
  const foreign = await leaveBehind(other);
  const longer = await leaveBehind(`${mine}/deeper`);
  process.kill(stopped.pid!, 'SIGSTOP');
  const ends = Promise.all([once(running, 'exit'), once(stopped, 'exit')]);
  expect(await endOrphans(mine, log)).toBe(2);
  expect((await ends).map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGKILL']);
  expect(await Promise.all([foreign, longer].map((child) => isAlive(child.pid!)))).toEqual([true, true]);
  expect(await endOrphans(mine, log)).toBe(0);
});

it('does not end the server that asks, whose own environment has the mark too', async () => {
  const built = fileURLToPath(new URL('../../dist/streaming/orphans.js', import.meta.url));
  const code = `
    const { endOrphans } = await import(${JSON.stringify(built)});
    process.stdout.write(String(await endOrphans(process.env.${ownerVariable}, { info() {} })));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: { ...process.env, [ownerVariable]: randomUUID() },
  });
  const [said, [exitCode, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect([said, exitCode, signal]).toEqual(['0', 0, null]);
});
