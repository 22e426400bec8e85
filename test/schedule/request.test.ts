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

  it('may be the one that the contract shows', () => {
    const evening = {
      id: 'evening',
      play: 'A',
      order: 'chronological',
      mode: 'flood',
      start: '20:00',
      late: 'wait',
      rest: 'offline',
      filler: {
        pre: { from: 'F', order: 'custom', count: 1 },
        mid: { from: 'F', count: 1, every: 'PT20M' },
        post: { from: 'F', pad: 'PT30M' },
        tail: { from: 'F' },
        fallback: { from: 'G' },
      },
      guide: { title: 'Evening block', hide: false },
    };
    const days = [{ when: { weekdays: [6, 7], from: '12-01', to: '01-06' }, slots: [] }];
    const collections = { ...good.collections, F: [], G: [] };
    const { items } = planRequest({ ...good, collections, schedule: { slots: [evening], days } });
    expect(items).toMatchObject([{ kind: 'offline', slot: 'evening' }]);
  });

  it.each([
    ['colour', 'red'],
    ['duration', 'PT1H'],
    ['start', '24:00'],
    ['start', '8:00'],
    ['late', 'never'],
    ['rest', 'next'],
    ['order', 'sideways'],
    ['parts', true],
    ['guide.title', ''],
    ['guide.colour', 'red'],
    ['filler.pre.from', ''],
    ['filler.pre.count', 0],
    ['filler.pre.order', 'sideways'],
    ['filler.pre.every', 'PT20M'],
    ['filler.mid.every', 'PT0.5S'],
    ['filler.mid.duration', '5 minutes'],
    ['filler.tail.count', 2],
    ['filler.fallback.pad', 'PT30M'],
    ['filler.post.pad', 'PT25H'],
    ['filler.middle', { from: 'A' }],
  ])('is refused with the path of the wrong key %s: %j', (path, value) => {
    const [key = '', kind, last] = path.split('.');
    const whole =
      last !== undefined
        ? { [kind!]: { from: 'A', [last]: value } }
        : kind === undefined
          ? value
          : { [kind]: value };
    expect(paths(withSlot({ [key]: whole }))).toEqual([`schedule.slots.0.${path}`]);
  });

  it.each([
    ['count', { count: 1, duration: 'PT1M' }, 'duration'],
    ['count', { count: 1, pad: 'PT30M' }, 'pad'],
    ['duration', { duration: 'PT1M', pad: 'PT30M' }, 'pad'],
  ])('is refused for filler with a %s and something else', (_, amount, second) => {
    const filler = { post: { from: 'A', ...amount } };
    expect(paths(withSlot({ filler }))).toEqual([`schedule.slots.0.filler.post.${second}`]);
  });

  it.each(['pre', 'mid', 'tail', 'fallback'])('is refused for a second pad on one item, in %s', (kind) => {
    const filler = { post: { from: 'A', pad: 'PT30M' }, [kind]: { from: 'A', pad: 'PT30M' } };
    expect(refusal(withSlot({ filler }))).toEqual([
      `schedule.slots.0.filler.${kind}.pad: this key is not known here`,
    ]);
  });

  it('need not say where a pad comes from, but any other filler', () => {
    expect(planRequest(withSlot({ filler: { post: { pad: 'PT30M' } } })).items).toHaveLength(1);
    expect(paths(withSlot({ filler: { post: { count: 1 } } }))).toEqual([
      'schedule.slots.0.filler.post.from',
    ]);
    expect(paths(withSlot({ filler: { tail: {} } }))).toEqual(['schedule.slots.0.filler.tail.from']);
  });

  it.each([
    [undefined, ['schedule.slots.0.duration']],
    ['PT0S', ['schedule.slots.0.duration']],
    ['1h', ['schedule.slots.0.duration']],
    ['P1M', ['schedule.slots.0.duration']],
  ])('is refused for a slot that lasts %j', (duration, expected) => {
    expect(paths(withSlot({ mode: 'duration', duration }))).toEqual(expected);
  });

  it('is refused for a slot without a mode', () => {
    expect(paths(withSlot({ mode: undefined }))).toEqual(['schedule.slots.0.mode']);
  });

  it.each([
    ['weekdays', [0]],
    ['weekdays', ['Monday']],
    ['from', '13-01'],
    ['from', '1-1'],
    ['to', '12-32'],
    ['months', [13]],
    ['monthdays', [0]],
    ['years', [2026]],
  ])('is refused for days whose %s are %j', (key, value) => {
    const days = [{ when: { [key]: value }, slots: [slot] }];
    const [path] = paths({ ...good, schedule: { slots: [slot], days } });
    expect(path).toContain(`schedule.days.0.when.${key}`);
  });

  it('may have slots of one id on different days, but not on one', () => {
    const days = [{ when: {}, slots: [slot] }];
    expect(planRequest({ ...good, schedule: { slots: [slot], days } }).items).toHaveLength(1);
    const twice = [{ when: {}, slots: [slot, slot] }];
    expect(paths({ ...good, schedule: { slots: [slot], days: twice } })).toEqual([
      'schedule.days.0.slots.1.id',
    ]);
  });

  it('may have no slots but on some days', () => {
    const days = [{ when: { weekdays: [6] }, slots: [slot] }];
    expect(planRequest({ ...good, schedule: { slots: [], days } }).items).toHaveLength(1);
  });

  it('may have playlists', () => {
    const P = { playlist: [{ play: 'A', order: 'shuffle', count: 2, parts: 'together' }, { play: 'A' }] };
    const request = { ...withSlot({ play: 'P' }), collections: { ...good.collections, P } };
    expect(planRequest(request).items).toMatchObject([
      { media: 'a1', why: { order: 'shuffle', member: 'A' } },
    ]);
  });

  it.each([
    [{ playlist: [{ play: 'B' }] }, 'collections.P.playlist.0.play: there is no collection "B"'],
    [
      { playlist: [{ play: 'P' }] },
      'collections.P.playlist.0.play: "P" is a playlist, and a playlist cannot play another',
    ],
    [{ playlist: [{ play: 'A', count: 0 }] }, /^collections\.P\.playlist\.0\.count: /],
    [{ playlist: [{ play: 'A', mode: 'one' }] }, 'collections.P.playlist.0.mode: this key is not known here'],
    [{ playlist: 'A' }, /^collections\.P\.playlist: /],
    [{ media: [] }, /^collections\.P\./],
    ['A', /^collections\.P: /],
  ])('is refused for the collection %j', (P, message) => {
    const [line] = refusal({ ...good, collections: { ...good.collections, P } });
    if (typeof message === 'string') expect(line).toBe(message);
    else expect(line).toMatch(message);
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

  it('is refused for more slots than a plan can look at, those of all days together', () => {
    const slots = (count: number) => Array.from({ length: count }, (_, i) => ({ ...slot, id: `${i}` }));
    const days = [{ when: {}, slots: slots(400) }];
    expect(paths({ ...good, schedule: { slots: slots(500), days: [...days, ...days] } })).toEqual([
      'schedule.slots',
    ]);
    expect(planRequest({ ...good, schedule: { slots: slots(500), days } }).items).toHaveLength(1);
  });

  it('is refused for a window of more than a year', () => {
    expect(refusal({ ...good, to: '2027-03-09T00:00:00+01:00' })).toEqual([
      'to: more than 366 days after "from"',
    ]);
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
    ['PT2.5S', 2500],
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

  it.each([3, 'here', [], null])('is refused for cursors that are %j', (cursors) => {
    expect(paths({ ...good, cursors })).toEqual(['cursors']);
  });

  it('begins anew for cursors that no answer has returned', () => {
    const cursors = { at: 3, slots: [{ order: 'shuffle' }], more: 1 };
    expect(planRequest({ ...good, cursors })).toEqual(planRequest(good));
  });

  it('is told everything that is wrong at once', () => {
    const slots = [
      { ...slot, start: "20 o'clock" },
      { ...slot, id: 't', play: 'B', filler: { tail: { from: 'C' } } },
    ];
    const days = [{ when: {}, slots: [{ ...slot, play: 'D' }] }];
    expect(paths({ ...good, zone: 'Mars', seed: 0.5, schedule: { slots, days }, until: 1 })).toEqual([
      'zone',
      'seed',
      'schedule.slots.0.start',
      'until',
      'schedule.slots.1.play',
      'schedule.slots.1.filler.tail.from',
      'schedule.days.0.slots.0.play',
    ]);
  });

  it.each([undefined, null, [], 'request'])('is refused when it is %j', (request) => {
    expect(paths(request)).toEqual(['request']);
  });
});
