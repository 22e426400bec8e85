import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type BundlePart, bundle } from '../../src/diagnostics/bundle.ts';
import { unzip } from '../support/unzip.ts';

const same = (text: string) => text;

async function filesOf(parts: BundlePart[], mask = same): Promise<Map<string, string>> {
  return unzip(await buffer(bundle(parts, mask)));
}

describe('a bundle', () => {
  it('has every part, whole or in pieces, in order', async () => {
    const files = await filesOf([
      { name: 'a.txt', read: async () => 'one' },
      {
        name: 'b.txt',
        async *read() {
          yield 'two ';
          yield 'and three';
        },
      },
      { name: 'empty.txt', read: async () => '' },
      { name: 'ä.json', read: async () => '{"title":"é🎬"}' },
    ]);
    expect([...files]).toEqual([
      ['a.txt', 'one'],
      ['b.txt', 'two and three'],
      ['empty.txt', ''],
      ['ä.json', '{"title":"é🎬"}'],
    ]);
  });

  it('has a file that says why in the place of a part that fails, and all the others', async () => {
    const files = await filesOf(
      [
        { name: 'a.json', read: () => Promise.reject(new Error('the database is away: secret')) },
        {
          name: 'b.json',
          // biome-ignore lint/correctness/useYield: it fails amid its work
          async *read() {
            throw new Error('gone');
          },
        },
        {
          name: 'c.json',
          read: () => {
            throw new Error('at once');
          },
        },
        { name: 'd.txt', read: async () => 'there' },
      ],
      (text) => text.replaceAll('secret', '***'),
    );
    expect([...files]).toEqual([
      ['a.json.missing.txt', 'a.json could not be made: the database is away: ***\n'],
      ['b.json.missing.txt', 'b.json could not be made: gone\n'],
      ['c.json.missing.txt', 'c.json could not be made: at once\n'],
      ['d.txt', 'there'],
    ]);
  });

  it('does not wait for a part that hangs', async () => {
    const { timeout } = AbortSignal;
    const asked = vi
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation((ms) => timeout.call(AbortSignal, ms / 50));
    onTestFinished(() => asked.mockRestore());
    const files = await filesOf([
      { name: 'a.txt', read: () => new Promise(() => {}) },
      { name: 'b.txt', read: async () => 'there' },
    ]);
    expect([...files.keys()]).toEqual(['a.txt.missing.txt', 'b.txt']);
    expect(files.get('a.txt.missing.txt')).toMatch('longer than 10 s');
    expect(asked).toHaveBeenCalledWith(10_000);
  });

  it('masks line by line, however long the text is, and cuts what is far too long', async () => {
    const line = `${'x'.repeat(99)} secret\n`;
    const count = 20_000;
    const files = await filesOf(
      [
        { name: 'long.txt', read: async () => line.repeat(count) },
        { name: 'one line.txt', read: async () => `${'y'.repeat(200_000)}secret` },
        { name: 'too long.txt', read: async () => line.repeat(6 * count) },
      ],
      (text) => text.replaceAll('secret', '***'),
    );
    expect(files.get('long.txt')).toBe(`${'x'.repeat(99)} ***\n`.repeat(count));
    expect(files.get('one line.txt')).toBe(`${'y'.repeat(200_000)}***`);
    expect(files.get('too long.txt')?.length).toBeLessThan(8.1 * 2 ** 20);
    expect(files.get('too long.txt')).toMatch(/cut off here/);
  });

  it('never holds the thread for long', async () => {
    const parts = Array.from({ length: 4 }, (_, n) => ({
      name: `${n}.txt`,
      read: async () => 'some words in a line\n'.repeat(100_000),
    }));
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const files = await filesOf(parts);
    running = false;
    expect(files.size).toBe(4);
    // Two megabytes each, in pieces of 64 KiB.
    expect(turns).toBeGreaterThan(100);
  });

  it('stops its work when nobody reads it any more', async () => {
    let later = false;
    const { promise: stopped, settle: stop } = promiseOf();
    const { promise: begun, settle: begin } = promiseOf();
    const output = bundle(
      [
        { name: 'a.txt', read: async () => 'x'.repeat(1_000) },
        {
          name: 'b.txt',
          read: (signal) => {
            signal.addEventListener('abort', stop);
            begin();
            return new Promise(() => {});
          },
        },
        {
          name: 'c.txt',
          read: async () => {
            later = true;
            return '';
          },
        },
      ],
      same,
    );
    output.resume();
    await begun;
    output.destroy();
    await stopped;
    await new Promise((resolve) => setImmediate(resolve));
    expect(later).toBe(false);
  });
});

function promiseOf(): { promise: Promise<void>; settle: () => void } {
  let settle: () => void = () => {};
  const promise = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}
