import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LogFeed } from '../../src/logs/log-feed.ts';
import { type LogEvent, LogStore } from '../../src/logs/log-store.ts';
import { filesIn, logInto, messagesIn, temporaryFolder } from './folder.ts';

describe('the store of the log', () => {
  it('finds what was logged just before the question', async () => {
    const { log, store } = await opened();
    for (let i = 0; i < 20; i++) {
      log.info({ number: i }, 'asked for at once');
      expect(await store.find({ limit: 1 })).toMatchObject({ total: i + 1, entries: [{ number: i }] });
    }
  });

  it('is emptied with its files, and says so in the first entry of the new one', async () => {
    const { log, store, folder } = await opened();
    for (let i = 0; i < 200; i++) log.info('old');
    const { entries } = await store.find({ limit: 10 });
    await store.clear();
    expect(await store.find({ limit: 10 })).toMatchObject({
      total: 1,
      entries: [{ msg: 'the log was emptied' }],
    });
    expect(await store.around(entries[0]!.id, 5)).toBeUndefined();
    expect(filesIn(folder)).toHaveLength(1);
    expect(messagesIn(folder)).toEqual(['the log was emptied']);
  });

  it('passes on what is being logged and matches, and nothing of before', async () => {
    const { log, store } = await opened();
    log.warn('before');
    const events = watched(store, { level: 'warn' });
    log.info('too light');
    log.warn({ err: new Error('why') }, 'heavy');
    log.error('heavier');
    expect(await events.entries(2)).toMatchObject([
      { msg: 'heavy', err: { message: 'why' } },
      { msg: 'heavier' },
    ]);
    const { entries } = await store.find({ limit: 2 });
    expect(events.seen.map(({ id }) => id)).toEqual(entries.map(({ id }) => id).reverse());
  });

  it('resumes after an entry without a gap and without a repetition, while more is logged', async () => {
    const { log, store } = await opened();
    for (let i = 0; i < 1_200; i++) log.info({ number: i }, 'entry');
    const { entries } = await store.find({ limit: 500 });
    const from = (await store.find({ limit: 500, cursor: entries.at(-1)!.id })).entries.at(-1)!;
    let next = 1_200;
    const busy = setInterval(() => log.info({ number: next++ }, 'entry'), 1);
    const seen = await watched(store, {}, from.id).entries(1_100);
    clearInterval(busy);
    const first = (from.number as number) + 1;
    expect(seen.map(({ number }) => number)).toEqual(Array.from({ length: 1_100 }, (_, i) => first + i));
  });

  it('tells a watcher that resumes after an entry that is not kept', async () => {
    const { log, store } = await opened();
    log.info('gone');
    const [entry] = (await store.find({ limit: 1 })).entries;
    await store.clear();
    const events = watched(store, {}, entry!.id);
    expect(await events.entries(1)).toMatchObject([{ msg: 'the log was emptied' }]);
    expect(events.lost).toEqual([{ kind: 'lost', reason: 'removed' }]);
  });

  it('takes no more than so many watchers, and another one when one has left', async () => {
    const { log, store } = await opened();
    const leave = Array.from({ length: 50 }, () => {
      const gone = new AbortController();
      store.watch({}, gone.signal);
      return () => gone.abort();
    });
    expect(() => store.watch({}, new AbortController().signal)).toThrow('no more');
    for (const go of leave) go();
    const events = watched(store, {});
    log.info('heard');
    expect(await events.entries(1)).toMatchObject([{ msg: 'heard' }]);
  });

  it('ends its watchers when it stops', async () => {
    const { store } = await opened();
    const events = watched(store, {});
    await store.stop();
    await events.ended;
  });
});

describe('a watcher that does not take what comes', () => {
  it('gets what had room and the number of what had none, and then hears on', async () => {
    const { log, tail } = logInto(await temporaryFolder());
    const gone = new AbortController();
    const feed = new LogFeed(tail, {}, gone.signal);
    for (let i = 0; i < 5_000; i++) log.info({ number: i }, 'entry');
    const { entries, lost } = await feed.take(0);
    expect(entries).toHaveLength(1_000);
    expect(lost).toBe(4_000);
    log.info('once more');
    expect(await feed.take(1_000)).toMatchObject({ entries: { length: 1 }, lost: 0 });
    gone.abort();
    log.info('not heard');
    expect(await feed.take(0)).toEqual({ entries: [], lost: 0 });
  });

  it('holds no more than about a megabyte for it', async () => {
    const { log, tail } = logInto(await temporaryFolder());
    const feed = new LogFeed(tail, {}, new AbortController().signal);
    for (let i = 0; i < 300; i++) log.info('x'.repeat(10_000));
    const { entries, lost } = await feed.take(0);
    expect(entries.reduce((sum, { json }) => sum + json.length, 0)).toBeLessThan(1_100_000);
    expect(entries.length + lost).toBe(300);
    feed.close();
  });
});

async function opened() {
  const folder = await temporaryFolder();
  const logging = logInto(folder);
  const store = new LogStore(logging);
  onTestFinished(() => store.stop());
  return { ...logging, folder, store };
}

/** Reads what a watcher is told. */
function watched(store: LogStore, filter: Parameters<LogStore['watch']>[0], after?: string) {
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const seen: { id: string; [field: string]: unknown }[] = [];
  const lost: LogEvent[] = [];
  const events = store.watch(filter, gone.signal, after);
  const ended = (async () => {
    for await (const event of events) {
      if (event.kind === 'entry') seen.push(JSON.parse(event.json));
      if (event.kind === 'lost') lost.push(event);
    }
  })();
  const entries = async (count: number) => {
    while (seen.length < count) await Promise.race([ended, delay(5)]);
    gone.abort();
    await ended;
    return seen.slice(0, count);
  };
  return { seen, lost, ended, entries };
}
