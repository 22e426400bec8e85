import { z } from 'zod';

/**
 * A channel number as televisions show it: "5", "5.1", "1984.1". The part behind the dot is a number of its own,
 * as in ATSC: 5.10 comes after 5.9. Spellings that a player could take for another number are refused ("05",
 * "5.0"), and so is 0, which Jellyfin reads as "no number".
 */
export const channelNumberPattern = /^[1-9]\d{0,5}(?:\.[1-9]\d{0,3})?$/;

export const channelNumberSchema = z
  .string()
  .regex(channelNumberPattern, 'must be a channel number such as "5" or "5.1"');

/** Throws RangeError when it is not a channel number. */
export function parseChannelNumber(number: string): { major: number; minor: number } {
  if (!channelNumberPattern.test(number)) throw new RangeError(`"${number}" is not a channel number`);
  const [major, minor] = number.split('.');
  return { major: Number(major), minor: Number(minor ?? 0) };
}

/** Orders 5, 5.1, 6, 9, 10; for Array.sort. What is no channel number comes last. */
export function compareChannelNumbers(a: string, b: string): number {
  const [x, y] = [sortKey(a), sortKey(b)];
  return x.major - y.major || x.minor - y.minor || (a < b ? -1 : a > b ? 1 : 0);
}

function sortKey(number: string): { major: number; minor: number } {
  return channelNumberPattern.test(number)
    ? parseChannelNumber(number)
    : { major: Number.MAX_SAFE_INTEGER, minor: 0 };
}
