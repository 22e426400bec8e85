import { on } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EncoderProcess, killGroup } from '../../src/streaming/encoder-process.ts';
import { eventually, isAlive, script, stateOf } from './processes.ts';

function run(file: string, args: readonly string[] = []): EncoderProcess {
  const encoder = new EncoderProcess({ file, args, niceness: 0, owner: 'test' });
  encoder.stdout.resume();
  onTestFinished(() => encoder.kill());
  return encoder;
}

async function firstLine(encoder: EncoderProcess): Promise<string> {
  for await (const [bytes] of on(encoder.stdout, 'data')) return String(bytes).trim();
  throw new Error('nothing was written');
}

describe('an encoder process', () => {
  it('is alive until its exit event says otherwise, and says then why it ended', async () => {
    const encoder = run(await script('read line < "$1"'), ['/dev/null']);
    expect(encoder.exit).toBeUndefined();
    expect(await run(await script('exit 0')).exited).toEqual({ kind: 'finished' });
    expect(await run(await script('echo no such codec >&2', 'exit 3')).exited).toEqual({
      kind: 'failed',
      code: 3,
      stderr: 'no such codec',
    });
  });

  it('that was killed from outside says by what', async () => {
    const encoder = run(await script('exec sleep 1000'));
    process.kill(encoder.pid!, 'SIGTERM');
    expect(await encoder.exited).toEqual({ kind: 'killed', signal: 'SIGTERM' });
    expect(encoder.exit).toEqual({ kind: 'killed', signal: 'SIGTERM' });
  });

  it('that cannot be started has failed, and does not throw', async () => {
    const encoder = run('/nowhere/ffmpeg');
    expect(await encoder.exited).toMatchObject({
      kind: 'failed',
      code: undefined,
      stderr: expect.stringContaining('ENOENT'),
    });
    encoder.kill();
  });

  it('that the system refuses has failed too', async () => {
    const encoder = run('/bin/true', ['x'.repeat(200_000)]);
    expect(await encoder.exited).toMatchObject({ kind: 'failed', code: undefined });
  });

  it('may complain as much as it likes: all is read, the end is kept', async () => {
    const encoder = run(
      await script(
        'i=0; while [ $i -lt 300000 ]; do echo "complaint number $i"; i=$((i+1)); done >&2; exit 1',
      ),
    );
    const exit = await encoder.exited;
    if (exit.kind !== 'failed') throw new Error(`it ${exit.kind}`);
    expect(exit.stderr.length).toBeLessThanOrEqual(4096);
    expect(exit.stderr.length).toBeGreaterThan(3000);
    expect(exit.stderr).toMatch(/complaint number 299999$/);
  });

  it('is killed when it is stopped and can hear no signal', async () => {
    const encoder = run(await script('exec sleep 1000'));
    process.kill(encoder.pid!, 'SIGSTOP');
    await eventually('the process is stopped', async () => (await stateOf(encoder.pid!)) === 'T');
    encoder.kill();
    expect(await encoder.exited).toEqual({ kind: 'killed', signal: 'SIGKILL' });
  });

  it('is killed when it will not listen', async () => {
    const encoder = run(await script("trap '' TERM INT HUP", 'echo ready', 'while :; do sleep 1000; done'));
    await firstLine(encoder);
    encoder.kill();
    expect(await encoder.exited).toEqual({ kind: 'killed', signal: 'SIGKILL' });
  });

  it('takes what it has started with it', async () => {
    const encoder = run(await script('sleep 1000 &', 'echo $!', 'wait'));
    const child = Number(await firstLine(encoder));
    expect(await isAlive(child)).toBe(true);
    encoder.kill();
    await encoder.exited;
    await eventually('its child is gone', async () => !(await isAlive(child)));
  });

  it('leaves no zombie', async () => {
    const encoder = run(await script('exit 0'));
    await encoder.exited;
    expect(await stateOf(encoder.pid!)).toBeUndefined();
  });

  it('may be killed twice, and after its end', async () => {
    const encoder = run(await script('exec sleep 1000'));
    encoder.kill();
    encoder.kill();
    await encoder.exited;
    encoder.kill();
    killGroup(encoder.pid!);
  });

  it('is nicer than the server by as much as it is told', async () => {
    const encoder = new EncoderProcess({
      file: await script('exec sleep 1000'),
      args: [],
      niceness: 7,
      owner: 'test',
    });
    onTestFinished(() => encoder.kill());
    const { getPriority } = await import('node:os');
    expect(getPriority(encoder.pid!)).toBe(7);
  });
});
