import { describe, expect, it } from 'vitest';
import {
  channelNumberSchema,
  compareChannelNumbers,
  parseChannelNumber,
} from '../../src/guide/channel-number.ts';

describe('channel numbers', () => {
  it.each(['5', '5.1', '1984.1', '10', '5.10'])('accepts %s', (number) => {
    expect(channelNumberSchema.safeParse(number).success).toBe(true);
  });

  it.each(['', '0', '05', '5.', '.5', '5.0', '5.01', '5.1.2', '-1', '5a', ' 5', '1e3', '٥'])(
    'refuses "%s"',
    (number) => {
      expect(channelNumberSchema.safeParse(number).success).toBe(false);
      expect(() => parseChannelNumber(number)).toThrow(RangeError);
    },
  );

  it('sorts by value, the part behind the dot as a number of its own', () => {
    const numbers = ['10', '5.10', '9', '5', '6', '5.9', '5.1', '100'];
    expect(numbers.sort(compareChannelNumbers)).toEqual(['5', '5.1', '5.9', '5.10', '6', '9', '10', '100']);
  });

  it('puts what is no channel number last', () => {
    expect(['x', '7', 'a'].sort(compareChannelNumbers)).toEqual(['7', 'a', 'x']);
  });
});
