import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryIds } from '../../src/logs/entry-id.ts';
import { type LogEntry, levels } from '../../src/logs/log-entry.ts';
import type { LogFilter } from '../../src/logs/log-filter.ts';
import { LogIndex } from '../../src/logs/log-index.ts';
import { filesIn, linesIn, logInto, temporaryFolder } from './folder.ts';

describe('the index of the log', () => {
  it('finds entries over all files, the newest first, with their number', async () => {
    const { index, folder } = await logged((log) => {
      for (let i = 0; i < 500; i++) log.info({ number: i }, 'entry');
    });
    expect(filesIn(folder).length).toBeGreaterThan(5);
    const page = index.find({ limit: 3 });
    expect(page).toMatchObject({ total: 500, entries: [{ number: 499 }, { number: 498 }, { number: 497 }] });
    expect(page.nextCursor).toBe(page.entries[2]!.id);
  });

  it('gives each entry exactly once, page by page, while new ones are written and files roll over', async () => {
    const folder = await temporaryFolder();
    const { log, files } = logInto(folder);
    for (let i = 0; i < 300; i++) log.info({ number: i }, 'old');
    await files.flush();
    const index = new LogIndex(folder);
    const numbers: unknown[] = [];
    let cursor: string | undefined;
    do {
      index.refresh();
      const page = index.find({ limit: 7, cursor });
      numbers.push(...page.entries.map(({ number }) => number));
      cursor = page.nextCursor;
      for (let i = 0; i < 10; i++) log.info('new');
      await files.flush();
    } while (cursor !== undefined);
    expect(numbers).toEqual(Array.from({ length: 300 }, (_, i) => 299 - i));
  });

  it('says that there is no further page on the last one, though it is full', async () => {
    const { index } = await logged((log) => {
      for (let i = 0; i < 10; i++) log.info('entry');
    });
    const first = index.find({ limit: 5 });
    const second = index.find({ limit: 5, cursor: first.nextCursor });
    expect(first.nextCursor).toBeDefined();
    expect(second.entries).toHaveLength(5);
    expect(second).not.toHaveProperty('nextCursor');
  });

  it('ends a page early that would be very long, and goes on there', async () => {
    const { index } = await logged((log) => {
      for (let i = 0; i < 100; i++) log.info({ number: i }, 'x'.repeat(15_000));
    });
    const numbers: unknown[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = index.find({ limit: 500, cursor });
      expect(page.total).toBe(100);
      numbers.push(...page.entries.map(({ number }) => number));
      cursor = page.nextCursor;
      pages += 1;
    } while (cursor !== undefined);
    expect(pages).toBeGreaterThan(2);
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => 99 - i));
  });

  it('knows an entry by its id after files have rolled over and after a restart', async () => {
    const folder = await temporaryFolder();
    const first = logInto(folder);
    for (let i = 0; i < 50; i++) first.log.info({ number: i }, 'entry');
    await first.stop();
    const before = new LogIndex(folder);
    before.refresh();
    const { entries } = before.find({ limit: 500 });
    const second = logInto(folder);
    for (let i = 0; i < 50; i++) second.log.info('after the restart');
    await second.stop();
    const after = new LogIndex(folder);
    after.refresh();
    for (const entry of entries) expect(after.around(entry.id, 0)).toEqual({ entry, before: [], after: [] });
  });

  it('gives an entry with its neighbours over the borders of files', async () => {
    const { index } = await logged((log) => {
      for (let i = 0; i < 100; i++) log.info({ number: i }, 'entry');
    });
    const { entries } = index.find({ limit: 500 });
    const numbersOf = (list: LogEntry[]) => list.map(({ number }) => number as number);
    const range = (from: number, to: number) =>
      Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
    for (const entry of entries) {
      const number = entry.number as number;
      const context = index.around(entry.id, 30)!;
      expect(numbersOf(context.before)).toEqual(range(Math.max(0, number - 30), number));
      expect(numbersOf(context.after)).toEqual(range(number + 1, Math.min(100, number + 31)));
    }
    expect(index.around('00000000000', 5)).toBeUndefined();
    expect(index.around('7zzzzzzzzzz', 5)).toBeUndefined();
  });

  it('gives what follows an entry, in parts that join', async () => {
    const { index } = await logged((log) => {
      for (let i = 0; i < 100; i++) log[i % 2 === 0 ? 'info' : 'debug']({ number: i }, 'entry');
    });
    const { entries } = index.find({ limit: 500 });
    const from = entries.find(({ number }) => number === 31)!;
    const numbers: unknown[] = [];
    let last = from.id;
    for (let isCut = true; isCut; ) {
      const sequel = index.after(last, { level: 'info' }, 10);
      expect(sequel.isGone).toBe(false);
      numbers.push(...sequel.entries.map(({ number }) => number));
      last = sequel.entries.at(-1)!.id;
      isCut = sequel.isCut;
    }
    expect(numbers).toEqual(Array.from({ length: 34 }, (_, i) => 32 + 2 * i));
    expect(index.after(entries[0]!.id, {}, 10)).toEqual({ entries: [], isCut: false, isGone: false });
  });

  it('says when the entry, after which something was to be given, is not kept any more', async () => {
    const { index } = await logged((log) => {
      for (let i = 0; i < 10; i++) log.info('entry');
    });
    expect(index.after('00000000000', {}, 500)).toMatchObject({ isGone: true, entries: { length: 10 } });
  });

  it('passes over what is no entry: cut lines, zeros, other text, an endless line', async () => {
    const { index, folder } = await logged((log) => {
      for (let i = 0; i < 10; i++) log.info({ number: i }, 'entry');
    });
    const [name] = filesIn(folder).slice(-1);
    const whole = linesIn(folder).at(-1)!;
    const file = join(folder, name!);
    appendFileSync(
      file,
      `\n\0\0\0\0\n${whole.slice(0, -20)}\n{"a":1}\nnot JSON\n${whole.replace('}', ',}')}\n`,
    );
    appendFileSync(file, `${'z'.repeat(3_000_000)}\n`);
    const next = new EntryIds(2 ** 52).next(0);
    appendFileSync(file, `${whole.replace(/"id":"[^"]+"/, `"id":"${next}"`)}\n`);
    writeFileSync(join(folder, 'aircheck-9.log'), `${whole}\n`);
    writeFileSync(join(folder, 'notes.txt'), `${whole}\n`);
    index.refresh();
    const { total, entries } = index.find({ limit: 500 });
    expect(total).toBe(11);
    expect(entries).toHaveLength(11);
    expect(entries[0]!.id).toBe(next);
  });

  it('takes in a last line only when it is whole', async () => {
    const { index, folder } = await logged((log) => {
      log.info('entry');
    });
    const file = join(folder, filesIn(folder)[0]!);
    const line = linesIn(folder)[0]!.replace(/"id":"[^"]+"/, '"id":"7000000000a"');
    appendFileSync(file, line.slice(0, 50));
    index.refresh();
    expect(index.find({ limit: 1 }).total).toBe(1);
    appendFileSync(file, `${line.slice(50)}\n`);
    index.refresh();
    expect(index.find({ limit: 1 })).toMatchObject({ total: 2, entries: [{ id: '7000000000a' }] });
  });

  it('follows what happens to the files: removed, emptied, replaced', async () => {
    const { index, folder } = await logged((log) => {
      for (let i = 0; i < 100; i++) log.info('entry');
    });
    const [oldest, second, third] = filesIn(folder).map((name) => join(folder, name));
    rmSync(oldest!);
    let total = linesIn(folder).length;
    expect(total).toBeLessThan(100);
    // Read before the index knows of it.
    expect(index.find({ limit: 500 }).entries).toHaveLength(total);
    index.refresh();
    expect(index.find({ limit: 500 }).total).toBe(total);
    truncateSync(second!);
    index.refresh();
    total = linesIn(folder).length;
    expect(index.find({ limit: 500 }).total).toBe(total);
    renameSync(third!, second!);
    index.refresh();
    expect(index.find({ limit: 500 })).toMatchObject({ total, entries: { length: total } });
    rmSync(folder, { recursive: true });
    index.refresh();
    expect(index.find({ limit: 500 })).toEqual({ entries: [], total: 0 });
  });

  it('leaves out whole old files when there are too many entries', async () => {
    const { folder } = await logged((log) => {
      for (let i = 0; i < 1_000; i++) log.info({ number: i }, 'entry');
    });
    const index = new LogIndex(folder, 300);
    index.refresh();
    const { total, entries } = index.find({ limit: 1 });
    expect(total).toBeGreaterThanOrEqual(300);
    expect(total).toBeLessThan(400);
    expect(entries[0]).toMatchObject({ number: 999 });
  });
});

describe('a filter of the log', () => {
  it('finds what it should, whatever it is, as a plain look through all entries does', async () => {
    const words = ['Encoder', 'ended', 'früh', 'FRÜH', 'a"b\\c', 'x\ny', '5.1', 'info', '🙂', 'level'];
    const entryOf = fc.record({
      level: fc.constantFrom(...levels),
      channel: fc.option(fc.constantFrom('5', '5.1', '51'), { nil: undefined }),
      msg: fc.array(fc.constantFrom(...words), { maxLength: 3 }).map((parts) => parts.join(' ')),
    });
    const filterOf = fc.record(
      {
        level: fc.constantFrom(...levels),
        channel: fc.constantFrom('5', '5.1', '6'),
        text: fc.constantFrom(...words, 'ENCODER', 'd F', '🙂 5', '"b', 'time', '2026'),
        since: fc.nat(60),
        until: fc.nat(60),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(entryOf, { maxLength: 60 }), filterOf, async (entries, choice) => {
        const folder = await temporaryFolder();
        const ids = new EntryIds();
        const begin = Date.UTC(2026, 10, 21);
        const all = entries.map(({ level, ...fields }, i) => {
          const time = new Date(begin + i).toISOString();
          return { head: { level, time, id: ids.next(begin + i) }, fields };
        });
        const text = all.map(({ head, fields }) => `${JSON.stringify({ ...head, ...fields })}\n`).join('');
        writeFileSync(join(folder, 'aircheck-000001.log'), text);
        const index = new LogIndex(folder);
        index.refresh();
        const filter: LogFilter = {
          ...choice,
          ...(choice.since === undefined ? {} : { since: begin + choice.since }),
          ...(choice.until === undefined ? {} : { until: begin + choice.until }),
        };
        const wanted = all.filter(
          ({ head, fields }, i) =>
            levels.indexOf(head.level) >= levels.indexOf(choice.level ?? 'trace') &&
            (choice.channel === undefined || fields.channel === choice.channel) &&
            (choice.text === undefined || said(fields).includes(escaped(choice.text))) &&
            i >= (choice.since ?? 0) &&
            i < (choice.until ?? Infinity),
        );
        const { entries: found, total } = index.find({ ...filter, limit: 500 });
        expect(found.map(({ id }) => id)).toEqual(wanted.map(({ head }) => head.id).reverse());
        expect(total).toBe(wanted.length);
      }),
      { numRuns: 200 },
    );
  });
});

function said(fields: object): string {
  return JSON.stringify(fields).toLowerCase();
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1).toLowerCase();
}

/** A folder with what was logged, and its index. */
async function logged(write: (log: ReturnType<typeof logInto>['log']) => void) {
  const folder = await temporaryFolder();
  const { log, files } = logInto(folder);
  write(log);
  await files.flush();
  const index = new LogIndex(folder);
  index.refresh();
  return { folder, index };
}
