import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateChannel } from '../../src/db/channels.ts';
import { createCollection } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { type Explanation, explain } from '../../src/playout/explain.ts';
import { inWords } from '../../src/playout/explain-words.ts';
import { planChannel } from '../../src/playout/plan-channel.ts';
import type { PlanProblem, Slot } from '../../src/schedule/types.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aChannel, aLibrary, day, hour, minute, type Row, rowsOf, t0 } from './station.ts';

describe.each(databases)('why something is on ($name)', ({ open }) => {
  let database: TestDatabase;
  let db: Database;
  let id: string;
  let rows: Row[];
  let problems: PlanProblem[];
  const now = t0 + 5 * hour;

  beforeAll(async () => {
    database = await open();
    db = database.db;
    const library = await aLibrary(db);
    const file = (title: string, minutes: number) => library.file({ title, durationMs: minutes * minute });
    const collect = async (name: string, media: string[]) =>
      (await createCollection(db, { name, kind: 'manual', media })).id;
    const films = await collect('Films', [await file('Metropolis', 50), await file('Nosferatu', 50)]);
    const spots = await collect('Spots', [await file('Coffee', 2)]);
    const clock = await collect('Clock', [await file('The clock', 1)]);
    const news = await collect('News', [await file('The news', 30)]);
    const empty = await collect('Empty', []);
    const turns = await createCollection(db, {
      ...{ name: 'Turns', kind: 'playlist' },
      playlist: [{ play: films, order: 'rotate', count: 1 }],
    });
    const filler = {
      ...{ pre: { from: spots, count: 1 }, mid: { from: spots, every: 'PT20M' }, post: { from: spots } },
      ...{ tail: { from: spots }, fallback: { from: clock } },
    };
    const slots = [
      { id: 'films', play: films, order: 'custom', mode: 'flood', filler },
      { id: 'none', play: empty, order: 'custom', mode: 'one' },
      {
        id: 'news',
        play: news,
        order: 'shuffle',
        mode: 'one',
        start: '20:01',
        filler: { post: { pad: 'PT1H' } },
      },
      { id: 'turns', play: turns.id, order: 'custom', mode: 'duration', duration: 'PT70M', rest: 'offline' },
    ] as Slot[];
    const days = [
      { when: { weekdays: [7] }, slots: [{ ...slots[2]!, id: 'sunday', start: '00:30' } as Slot] },
    ];
    const channel = await aChannel(db, films);
    id = channel.id;
    await updateChannel(db, id, { zone: 'America/Chicago', schedule: { slots, days } });
    const planned = await planChannel(db, {
      channelId: id,
      now: t0,
      until: t0 + 2 * day,
      freezeMs: 2 * hour,
    });
    problems = planned!.problems;
    rows = await rowsOf(db, id);
  });
  afterAll(async () => {
    await database?.stop();
  });

  const at = async (instant: number) => {
    const request = { channelId: id, at: instant, now, freezeMs: 2 * hour, problems };
    const found = await explain(db, request);
    if (found === undefined) throw new Error('there is no such channel');
    return found;
  };
  const words = async (find: (row: Row) => boolean) => {
    const row = rows.find(find);
    if (row === undefined) throw new Error('there is no such row');
    return inWords((await at(row.startsAt)) as Explanation);
  };

  it('is told of a programme: when, by which rule, slot, collection and order, and what comes next', async () => {
    expect(await words(({ kind, startsAt }) => kind === 'program' && startsAt > now + 2 * hour)).toEqual([
      expect.stringMatching(
        /^"(Metropolis|Nosferatu)" will be on: Saturday 7 March 2026, \d\d:\d\d:\d\d to .* \(America\/Chicago\)\.$/,
      ),
      'Its day has the default slots.',
      'The slot "films" follows the slot before it and plays until the next fixed start.',
      expect.stringMatching(
        /^It was taken from the collection "Films", in its own order: number \d of round \d+\.$/,
      ),
      'It may still change, when the schedule or the library does.',
      'Then comes the mid-roll "Coffee".',
    ]);
    expect(await words(({ slot }) => slot === 'news')).toContain(
      'The slot "news" starts at 20:01 and plays one item.',
    );
    expect((await words(({ slot }) => slot === 'turns')).join()).toMatch(
      /collection "Turns", of which "Films" had its turn, show by show in turn: number 1 of round 1/,
    );
    expect(await words(({ slot }) => slot === 'sunday')).toContain(
      'Its day has the slots of day rule 1 (Sunday).',
    );
  });

  it('is told of each kind of filler, with the programme that it belongs to', async () => {
    const of = async (filler: string) => (await words((row) => row.filler === filler)).join(' ');
    expect(await of('pre')).toMatch(
      /the pre-roll "Coffee" was on.*As a pre-roll it comes before "Metropolis"\./i,
    );
    expect(await of('mid')).toMatch(/It is in a break of "Metropolis"\./);
    expect(await of('post')).toMatch(/As a post-roll it follows "Metropolis"\./);
    expect(await of('tail')).toMatch(/It fills the time that is left until 20:01:00\./);
    expect(await of('fallback')).toMatch(/It fills what nothing else could fill until 20:01:00, and is cut/);
  });

  it('is told of being offline: what is left of a slot, and a day without anything', async () => {
    const gap = await words(({ kind, slot }) => kind === 'offline' && slot === 'turns');
    expect(gap[0]).toMatch(/^The channel will be offline: /);
    expect(gap.join(' ')).toMatch(
      /Nothing of the slot fits into the time that is left until .* it has no filler/,
    );
    const problem = 'collection "Empty" is empty';
    expect(problems.map(({ slot, message }) => [slot, message])).toContainEqual(['none', problem]);
  });

  it('says what has been, what stays, and what may still change', async () => {
    const of = async (instant: number) => inWords((await at(instant)) as Explanation).join(' ');
    expect(await of(t0 + minute)).toMatch(/ was on: /);
    expect(await of(t0 + minute)).not.toMatch(/stays|change/);
    expect(await of(now)).toMatch(/ is on: .*It is on air, and stays whatever is edited\./);
    expect(await of(now + 100 * minute)).toMatch(
      /begins within the next 2 hours, and so stays whatever is edited/,
    );
    expect(await of(rows.at(-1)!.startsAt)).toMatch(/Nothing is planned after it yet\.$/);
  });

  it('says so where there is nothing, and why', async () => {
    expect(await at(t0 - 1)).toEqual({
      nothing: expect.stringMatching(/begins at 2026-03-07T06:00.*keepPastHours/),
    });
    expect(await at(t0 + 9 * day)).toEqual({
      nothing: expect.stringMatching(/reaches to 2026-03-09.*preview/),
    });
    const other = await aChannel(db, await anEmpty());
    const request = { channelId: other.id, at: now, now, freezeMs: 0, problems: [] };
    expect(await explain(db, request)).toEqual({ nothing: expect.stringMatching(/no timeline yet/) });
    expect(
      await explain(db, { ...request, channelId: '00000000-0000-4000-8000-000000000000' }),
    ).toBeUndefined();
  });

  it('knows a slot that the schedule does not have any more', async () => {
    const slots = [{ id: 'other', play: await anEmpty(), order: 'custom', mode: 'one' }] as Slot[];
    await updateChannel(db, id, { schedule: { slots } });
    expect(await words(({ slot }) => slot === 'films')).toContain(
      'It is of the slot "films", which the schedule does not have any more.',
    );
  });

  async function anEmpty(): Promise<string> {
    return (await createCollection(db, { name: `Empty ${Math.random()}`, kind: 'manual' })).id;
  }
});
