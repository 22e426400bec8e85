import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LengthOrder } from '../../src/schedule/length-order.ts';
import { FirstWithin } from '../../src/schedule/orders/first-within.ts';
import { Sequence } from '../../src/schedule/orders/sequence.ts';
import { Stock } from '../../src/schedule/stock.ts';
import { check } from './generated.ts';

const someLengths = fc.array(fc.integer({ min: 1000, max: 1100 }), { minLength: 1, maxLength: 400 });
const stockOf = (lengths: readonly number[]) =>
  Stock.of(
    lengths.map((durationMs, i) => ({ id: `${i}`, durationMs })),
    () => true,
  );

describe('a sequence', () => {
  // Sorted by a number of each entry, of which no two are equal.
  const someRanks = (size: number) => fc.shuffledSubarray([...Array(size).keys()], { minLength: size });
  const someQuestions = fc.array(fc.record({ kind: fc.nat(2), position: fc.nat(), ms: fc.nat(150) }), {
    maxLength: 60,
  });

  it('answers as if all of it were sorted, whatever it is asked first', () => {
    const values = someLengths.chain((lengths) => fc.tuple(fc.constant(lengths), someRanks(lengths.length)));
    check([values, someQuestions], 300, ([lengths, ranks], questions) => {
      const sequence = new Sequence(stockOf(lengths), (a, b) => ranks[a]! - ranks[b]!);
      const sorted = [...lengths.keys()].sort((a, b) => ranks[a]! - ranks[b]!);
      for (const { kind, position, ms } of questions) {
        const place = position % lengths.length;
        if (kind === 0) expect(sequence.at(place)).toBe(sorted[place]);
        if (kind === 1) expect(sequence.first((index) => ranks[index]! >= place)).toBe(place);
        if (kind === 2) {
          const most = 980 + ms;
          const found = sorted.findIndex((index, i) => i >= place && lengths[index]! <= most);
          expect(sequence.next(place, most)).toBe(found < 0 ? undefined : found);
        }
      }
      expect(sequence.first(() => false)).toBe(lengths.length);
    });
  });

  it('may be a part of a stock', () => {
    const sequence = new Sequence(stockOf([1000, 3000, 2000]), (a, b) => b - a, Uint32Array.of(0, 2));
    expect([sequence.size, sequence.at(0), sequence.at(1), sequence.next(0, 1500)]).toEqual([2, 2, 0, 1]);
  });
});

describe('the next of many numbers that is small enough', () => {
  it('is the one that a walk finds', () => {
    check([someLengths, fc.nat(450), fc.integer({ min: 990, max: 1101 })], 500, (numbers, from, most) => {
      const found = numbers.findIndex((number, i) => i >= from && number <= most);
      expect(new FirstWithin(numbers).next(from, most)).toBe(found < 0 ? undefined : found);
    });
    expect(new FirstWithin([1, 2, 3]).next(3, Number.POSITIVE_INFINITY)).toBe(undefined);
    expect(new FirstWithin([]).next(0, 1)).toBe(undefined);
  });
});

describe('the order of length', () => {
  it('is the same for numbers that are too large to be packed', () => {
    check([someLengths], 200, (lengths) => {
      const expected = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
      expect([...new LengthOrder(Float64Array.from(lengths)).indexes]).toEqual(expected);
      const large = Float64Array.from(lengths, (ms) => ms * 2 ** 42);
      expect([...new LengthOrder(large).indexes]).toEqual(expected);
      const order = new LengthOrder(Float64Array.from(lengths));
      expect(order.countWithin(1050)).toBe(lengths.filter((ms) => ms <= 1050).length);
    });
  });
});
