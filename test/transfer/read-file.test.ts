import { describe, expect, it } from 'vitest';
import { readFile } from '../../src/transfer/read-file.ts';

const read = (text: string) => readFile(new TextEncoder().encode(text));

function problemsOf(text: string | Uint8Array): string[] {
  const found = readFile(typeof text === 'string' ? new TextEncoder().encode(text) : text);
  return 'problems' in found ? found.problems.map(({ path, message }) => `${path}: ${message}`) : [];
}

const channel = `aircheck: 1
channels:
  - number: "5"
    name: Five
    profile: 720p
    schedule:
      slots:
        - { id: a, play: Films, mode: flood, start: 20:00 }
`;

describe('a file of channels', () => {
  it('needs no more than what has no default, as YAML or as JSON', () => {
    const expected = {
      aircheck: 1,
      libraries: [],
      collections: [],
      profiles: [],
      channels: [
        {
          ...{ number: '5', name: 'Five', profile: '720p', group: '', logoUrl: null, offlineTitle: null },
          ...{ enabled: true, zone: 'UTC' },
          schedule: {
            slots: [{ id: 'a', play: 'Films', mode: 'flood', order: 'chronological', start: '20:00' }],
          },
        },
      ],
    };
    expect(read(channel)).toEqual({ file: expected });
    expect(read(JSON.stringify(expected))).toEqual({ file: expected });
    expect(read('\ufeffaircheck: 1')).toMatchObject({ file: { channels: [] } });
  });

  it('is told all that is wrong with it at once, with paths and lines', () => {
    const wrong = channel
      .replace('"5"', '5')
      .replace('profile: 720p', 'colour: red')
      .replace('20:00', '25:00');
    expect(problemsOf(wrong)).toEqual([
      expect.stringMatching(/^channels\.0\.number: .*put it in quotes \(line 3\)$/),
      'channels.0.profile: is missing (line 3)',
      expect.stringMatching(/^channels\.0\.schedule\.slots\.0\.start: not a time of day.* \(line 8\)$/),
      'channels.0.colour: this key is not known here (line 5)',
    ]);
  });

  it('cannot name two things alike', () => {
    const twice = `${channel}${channel.split('channels:\n')[1]}`;
    expect(problemsOf(twice)).toEqual(['channels.1.number: is the same as channels.0.number: "5" (line 9)']);
  });

  it('is of one version, and one that is newer says what to do', () => {
    expect(problemsOf('aircheck: 2\nnovelties: 1')).toEqual([
      'aircheck: the file is of version 2, and this server reads version 1: it was written by a newer aircheck, so update this one',
    ]);
    expect(problemsOf('libraries: []')[0]).toMatch(/^aircheck: it is missing/);
    expect(problemsOf('aircheck: one')[0]).toMatch(/^aircheck: there is no version "one"/);
    for (const other of ['', '5', '[]', 'text'])
      expect(problemsOf(other)[0]).toMatch(/begins with "aircheck: 1"/);
  });

  it('is text that can be kept, and paths within a library', () => {
    expect(problemsOf(Buffer.from('aircheck: "\xff"', 'latin1'))).toEqual([': it is not text in UTF-8']);
    const names = ['"\\0"', '"\\uD800"'].map((name) =>
      problemsOf(`aircheck: 1\nlibraries: [{ name: ${name}, path: /a }]`),
    );
    for (const [problem] of names)
      expect(problem).toMatch(/^libraries\.0\.name: .*cannot be kept.* \(line 2\)$/);
    const paths = ['/a', '../a', 'a/../b', 'a//b', './a', ''].map((path) => {
      const media = JSON.stringify([{ library: 'L', paths: [path] }]);
      return problemsOf(`aircheck: 1\ncollections: [{ name: C, kind: manual, media: ${media} }]`);
    });
    for (const [problem] of paths) expect(problem).toMatch(/^collections\.0\.media\.0\.paths\.0: /);
    for (const path of ['relative', '/', '/a/../b', '/a/./b']) {
      expect(problemsOf(`aircheck: 1\nlibraries: [{ name: L, path: ${path} }]`)[0]).toMatch(
        /^libraries\.0\.path: /,
      );
    }
  });

  it('is refused soon, however it is made', () => {
    const deep = [
      '['.repeat(500_000),
      '{"a":'.repeat(100_000),
      '- '.repeat(100_000),
      '? '.repeat(100_000),
      `aircheck: 1\nchannels: &a [*a]`,
    ];
    for (const text of deep) expect(problemsOf(text)[0]).toMatch(/nested too deeply|not resolved/);
    const laughs = [...'bcdefgh'].map(
      (name, index) => `${name}: &${name} [${`*${'abcdefg'[index]},`.repeat(9)}]`,
    );
    expect(problemsOf(`a: &a [x]\n${laughs.join('\n')}`)[0]).toMatch(/alias/i);
    expect(problemsOf('aircheck: 1\naircheck: 1')).toEqual([': the key "aircheck" comes twice (line 2)']);
    expect(problemsOf('a: 1\n---\nb: 2')).toEqual([': it holds several documents']);
    expect(problemsOf('aircheck: [')[0]).toMatch(/^: .* \(line 1\)$/);
    const keys = Array.from({ length: 50_000 }, (_, n) => `k${n}: 1`).join('\n');
    expect(read(`aircheck: 1\n${keys}`)).toMatchObject({ more: 49_900 });
  });

  it('can say where a channel stands, without a hole', () => {
    const at = '2026-03-07T07:00:00.000Z';
    const item = (start: string, stop: string) => ({ start, stop, kind: 'offline' });
    const timelines = (items: object[]) =>
      problemsOf(`${channel}    timeline: ${JSON.stringify({ at, cursors: {}, items })}\n`);
    const begin = '2026-03-07T06:00:00.000Z';
    const middle = '2026-03-07T06:30:00.000Z';
    expect(timelines([item(begin, middle), item(middle, at)])).toEqual([]);
    expect(timelines([item(begin, middle)])).toEqual([
      expect.stringContaining('items.0.stop: does not end where'),
    ]);
    expect(timelines([item(at, begin), item(begin, at)])[0]).toMatch('items.0.stop');
  });
});
