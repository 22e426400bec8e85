// Generated schedules, sensible and contradictory ones, for the tests of the planner and for its benchmark. In
// JavaScript, because the benchmark runs without a compiler; schedules.d.mts has the types.
import fc from 'fast-check';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const zones = [
  'UTC',
  'America/Chicago',
  'Europe/London',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Casablanca',
];

const orders = ['chronological', 'season-episode', 'shuffle', 'random', 'rotate', 'custom'];

/** Mostly minutes and hours; now and then too short to be aired, or longer than a day. */
const aLength = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 4 * minute, max: 4 * hour }) },
  { weight: 3, arbitrary: fc.constantFrom(15, 30, 45, 60, 120).map((minutes) => minutes * minute) },
  { weight: 1, arbitrary: fc.integer({ min: -hour, max: 999 }) },
  { weight: 1, arbitrary: fc.integer({ min: day, max: 2 * day }) },
);

const details = {
  aired: fc.constantFrom('1999-12-31', '2000-01-01', '2010-06-15'),
  show: fc.constantFrom('A', 'B', 'C'),
  season: fc.nat(2),
  episode: fc.nat(3),
  title: fc.constantFrom('x', 'y', 'The Siege', 'The Siege (2)', 'The Siege, Part Three'),
  chaptersMs: fc.array(fc.nat(3 * hour), { maxLength: 4 }),
};

export const aMedia = (id, length = aLength) =>
  fc
    .record({ durationMs: length, ...details }, { requiredKeys: ['durationMs'] })
    .map((rest) => ({ ...rest, id }));

const aPool = (ids, length) => fc.tuple(...ids.map((id) => aMedia(id, length)));

/** The same media may be listed twice. */
const aListOf = (pool, maxLength) => fc.array(fc.constantFrom(...pool), { maxLength });

const aShortLength = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 20_000, max: 12 * minute }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 5_000 }) },
);

const together = { parts: fc.constantFrom('together', 'apart') };

const aPlaylist = fc.record({
  playlist: fc.array(
    fc.record(
      {
        play: fc.constantFrom('A', 'B', 'C', 'N'),
        order: fc.constantFrom(...orders),
        count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant('all')),
        ...together,
      },
      { requiredKeys: ['play', 'order', 'count'] },
    ),
    { maxLength: 4 },
  ),
});

/** A, B and C are programmes, F and G filler, N is empty, and P a playlist. */
export const aLibrary = fc
  .tuple(aPool([...'abcdefgh'], aLength), aPool([...'uvwxyz'], aShortLength))
  .chain(([programmes, filler]) =>
    fc.record({
      A: aListOf(programmes, 9),
      B: aListOf(programmes, 6),
      C: aListOf(programmes, 3),
      F: aListOf(filler, 7),
      G: aListOf(filler, 4),
      N: fc.constant([]),
      P: aPlaylist,
    }),
  );

const aSource = { from: fc.constantFrom('F', 'G', 'N', 'P'), order: fc.constantFrom(...orders) };
const amounts = [
  {},
  { count: fc.integer({ min: 1, max: 3 }) },
  { duration: fc.constantFrom('PT1M30S', 'PT10M') },
];
const aRollOf = (more, amount) =>
  fc.record({ ...aSource, ...more, ...amount }, { requiredKeys: ['from', ...Object.keys(amount)] });
const aRoll = fc.oneof(...amounts.map((amount) => aRollOf({}, amount)));
const aMidRoll = fc.oneof(
  ...amounts.map((amount) => aRollOf({ every: fc.constantFrom('PT7M', 'PT20M', 'PT1H') }, amount)),
);
const aPad = { pad: fc.constantFrom('PT5M', 'PT30M', 'PT1H', 'PT7M') };
const aPostRoll = fc.oneof(...[...amounts, aPad].map((amount) => aRollOf({}, amount)), fc.record(aPad));
const aFill = fc.record(aSource, { requiredKeys: ['from'] });

export const aFiller = fc.record(
  { pre: aRoll, mid: aMidRoll, post: aPostRoll, tail: aFill, fallback: aFill },
  { requiredKeys: [] },
);

const aStart = fc.oneof(
  fc.constantFrom('00:00', '01:30', '02:00', '02:15', '02:30', '06:00', '20:00', '23:59:30'),
  fc.nat(1439).map((at) => [Math.floor(at / 60), at % 60].map((n) => String(n).padStart(2, '0')).join(':')),
);

const aMode = fc.oneof(
  fc.record(
    { mode: fc.constant('flood'), rest: fc.constantFrom('offline', 'filler') },
    { requiredKeys: ['mode'] },
  ),
  fc.constant({ mode: 'one' }),
  fc.record({ mode: fc.constant('multiple'), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record(
    {
      mode: fc.constant('duration'),
      duration: fc.constantFrom('PT30M', 'PT1H', 'PT2H30M', 'PT9H', 'P2D'),
      rest: fc.constantFrom('offline', 'filler', 'next'),
    },
    { requiredKeys: ['mode', 'duration'] },
  ),
);

const someGuide = fc.record({ title: fc.constant('Block'), hide: fc.boolean() }, { requiredKeys: [] });

export const aSlot = (id) =>
  fc
    .tuple(
      fc.record(
        {
          play: fc.constantFrom('A', 'B', 'C', 'P', 'N'),
          order: fc.constantFrom(...orders),
          ...together,
          late: fc.constantFrom('wait', 'now'),
          guide: someGuide,
        },
        { requiredKeys: ['play', 'order'] },
      ),
      aMode,
      fc.option(aStart, { nil: undefined, freq: 2 }),
      fc.option(aFiller, { nil: undefined, freq: 2 }),
    )
    .map(([base, mode, start, filler]) => ({
      id,
      ...base,
      ...mode,
      ...(start === undefined ? {} : { start }),
      ...(filler === undefined ? {} : { filler }),
    }));

/** Lists of several days may have slots of the same id. */
const someSlots = (minLength) =>
  fc
    .subarray([...'12345'], { minLength })
    .chain((ids) => fc.tuple(...ids.map(aSlot)))
    .map((slots) => [...slots]);

const aWhen = fc.record(
  {
    weekdays: fc.subarray([1, 2, 3, 4, 5, 6, 7]),
    from: fc.constantFrom('01-01', '03-07', '11-01', '02-31', '12-24'),
    to: fc.constantFrom('01-06', '03-08', '04-31', '11-01', '12-31'),
    months: fc.subarray([1, 3, 4, 10, 11]),
    monthdays: fc.subarray([1, 7, 8, 25, 29, 30, 31]),
  },
  { requiredKeys: [] },
);

export const aSchedule = fc
  .tuple(
    someSlots(1),
    fc.option(fc.array(fc.record({ when: aWhen, slots: someSlots(0) }), { maxLength: 3 }), {
      nil: undefined,
    }),
  )
  .map(([slots, days]) => (days === undefined ? { slots } : { slots, days }));

/** Near the changes of the clock, and at any time of a year. */
export const anInstant = fc
  .tuple(
    fc.constantFrom('2026-03-07', '2026-03-28', '2026-04-04', '2026-10-31', '2026-02-14', '2026-12-30'),
    fc.oneof({ weight: 3, arbitrary: fc.nat(2 * day) }, { weight: 1, arbitrary: fc.nat(300 * day) }),
  )
  .map(([date, after]) => Date.parse(date) + after);

export const aChannel = fc.record({
  zone: fc.constantFrom(...zones),
  seed: fc.integer(),
  from: anInstant,
  schedule: aSchedule,
  library: aLibrary,
});
