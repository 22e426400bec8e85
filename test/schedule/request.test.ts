import { describe, expect, it } from 'vitest';
import { InvalidError } from '../../src/errors.ts';
import { planRequest } from '../../src/schedule/request.ts';

const slot = { id: 's', play: 'A', mode: 'flood' };
const media = { id: 'a1', duration: 'PT1H' };
const good = {
  zone: 'Europe/Berlin',
  seed: 1,
  from: '2026-03-07T00:00:00+01:00',
  to: '2026-03-07T01:00:00+01:00',
  cursors: {},
  collections: { A: [media] },
  schedule: { slots: [slot] },
};

/** The lines of the refusal; fails when there is none. */
function refusal(request: unknown): string[] {
  try {
    planRequest(request);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidError);
    return (error as InvalidError).message.split('\n');
  }
  throw new Error('the request was not refused');
}

const paths = (request: unknown) => refusal(request).map((line) => line.split(': ')[0]);
const withSlot = (more: object) => ({ ...good, schedule: { slots: [{ ...slot, ...more }] } });
const withMedia = (more: object) => ({ ...good, collections: { A: [{ ...media, ...more }] } });

describe('a plan request', () => {
  it('may say everything that is known of a media', () => {
    const more = {
      title: 'Pilot',
      show: 'Show',
      season: 1,
      episode: 1,
      aired: '1999-01-01',
      chapters: ['PT6M', 'PT45M'],
    };
    expect(planRequest(withMedia(more)).items).toHaveLength(1);
  });

  it('need not have cursors', () => {
    const { cursors: _, ...fresh } = good;
    expect(planRequest(fresh)).toEqual(planRequest(good));
  });

  it.each([
    ['start', '20:00'],
    ['late', 'wait'],
    ['rest', 'offline'],
    ['filler', { pre: { from: 'A', count: 1 } }],
    ['guide', { title: 'Evening' }],
    ['duration', 'PT1H'],
    ['colour', 'red'],
  ])('is refused with the path of the key %s, which is not built', (key, value) => {
    expect(refusal(withSlot({ [key]: value }))).toEqual([
      `schedule.slots.0.${key}: this key is not known here`,
    ]);
  });

  it.each(['season-episode', 'random', 'rotate'])(
    'is refused for the order %s, which is not built',
    (order) => {
      expect(paths(withSlot({ order }))).toEqual(['schedule.slots.0.order']);
    },
  );

  it('is refused for the mode duration, which is not built, and for none', () => {
    expect(paths(withSlot({ mode: 'duration' }))).toEqual(['schedule.slots.0.mode']);
    expect(paths(withSlot({ mode: undefined }))).toEqual(['schedule.slots.0.mode']);
  });

  it('is refused for day rules, which are not built', () => {
    expect(paths({ ...good, schedule: { slots: [slot], days: [] } })).toEqual(['schedule.days']);
  });

  it.each(['flood', 'one'])('is refused for a count in mode %s', (mode) => {
    expect(paths(withSlot({ mode, count: 2 }))).toEqual(['schedule.slots.0.count']);
  });

  it.each([undefined, 0, 1.5, '2'])('is refused for a multiple of %s', (count) => {
    expect(paths(withSlot({ mode: 'multiple', count }))).toEqual(['schedule.slots.0.count']);
  });

  it('is refused for a collection that is not there', () => {
    expect(refusal(withSlot({ play: 'B' }))).toEqual(['schedule.slots.0.play: there is no collection "B"']);
    expect(paths(withSlot({ play: 'toString' }))).toEqual(['schedule.slots.0.play']);
  });

  it('is refused for two slots of one id', () => {
    expect(paths({ ...good, schedule: { slots: [slot, slot] } })).toEqual(['schedule.slots.1.id']);
  });

  it('is refused without slots', () => {
    expect(paths({ ...good, schedule: { slots: [] } })).toEqual(['schedule.slots']);
  });

  it.each(['', 'Berlin', '+02:00', 'local', 7])('is refused for the zone %j', (zone) => {
    expect(paths({ ...good, zone })).toEqual(['zone']);
  });

  it.each(['2026-03-07T00:00:00', '2026-03-07', '2026-02-30T00:00:00Z', 'now', 1_772_841_600_000])(
    'is refused for the instant %j',
    (from) => {
      expect(paths({ ...good, from })).toEqual(['from']);
    },
  );

  it.each([
    ['2026-03-07T00:00:00Z', '2026-03-07T00:00:00.000Z'],
    ['2026-03-07T00:00-06:00', '2026-03-07T06:00:00.000Z'],
    ['2026-03-07T05:30:00.250+05:30', '2026-03-07T00:00:00.250Z'],
  ])('takes the instant %s', (from, start) => {
    const to = new Date(Date.parse(start) + 1).toISOString();
    expect(planRequest({ ...good, from, to }).items[0]!.start).toBe(start);
  });

  it.each(['1h', 'P', 'PT', '-PT1H', 'PT-1H', 'P1M', 'P1Y', 'PT0.0001S', 'PT0.0000001H', 'P367D', 3600])(
    'is refused for the duration %j',
    (duration) => {
      expect(paths(withMedia({ duration }))).toEqual(['collections.A.0.duration']);
    },
  );

  it.each([
    ['PT1H30M', 5_400_000],
    ['PT0.5S', 500],
    ['PT12.3450S', 12_345],
    ['PT1.1H', 3_960_000],
    ['P1DT1S', 86_401_000],
    ['P1W', 604_800_000],
  ])('takes the duration %s', (duration, ms) => {
    expect(planRequest(withMedia({ duration })).items[0]).toMatchObject({ in: 0, out: ms });
  });

  it.each([
    ['aired', '1999'],
    ['season', -1],
    ['episode', 'one'],
    ['chapters', ['six']],
    ['rating', 5],
  ])('is refused for a media with a wrong %s', (key, value) => {
    expect(paths(withMedia({ [key]: value }))[0]).toContain(`collections.A.0.${key}`);
  });

  it('is refused for cursors that no answer has returned', () => {
    expect(paths({ ...good, cursors: { at: 3, slots: [{ order: 'shuffle' }], more: 1 } })).toEqual([
      'cursors.at',
      'cursors.slots.0.slot',
      'cursors.slots.0.play',
      'cursors.slots.0.cycle',
      'cursors.slots.0.after',
      'cursors.more',
    ]);
  });

  it('is told everything that is wrong at once', () => {
    const slots = [
      { ...slot, start: '20:00' },
      { ...slot, id: 't', play: 'B' },
    ];
    expect(paths({ ...good, zone: 'Mars', seed: 0.5, schedule: { slots }, until: 1 })).toEqual([
      'zone',
      'seed',
      'schedule.slots.0.start',
      'until',
      'schedule.slots.1.play',
    ]);
  });

  it.each([undefined, null, [], 'request'])('is refused when it is %j', (request) => {
    expect(paths(request)).toEqual(['request']);
  });
});
