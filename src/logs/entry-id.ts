/**
 * Ids of log entries: eleven characters that are safe in a URL, in the order in which the entries were logged.
 * To everyone else they are opaque. Inside is one number: the milliseconds since 2024, and a count of 4096 within
 * each of them. It fits into a double until 2093.
 */
export const entryIdPattern = /^[0-7][0-9a-hjkmnp-tv-z]{10}$/;

/** The characters of an id. */
export const entryIdLength = 11;

// Crockford's base 32: no i, l, o or u. In this order, texts sort as their numbers do.
const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const epoch = Date.UTC(2024, 0, 1);
const idsPerMs = 4_096;

/** Makes ids that rise, whatever the clock does. */
export class EntryIds {
  /** @param last the last id of an earlier run, as a number: what is made now comes after it */
  constructor(private last = 0) {}

  next(now: number): string {
    this.last = Math.max((now - epoch) * idsPerMs, this.last + 1);
    return entryIdText(this.last);
  }
}

export function entryIdText(id: number): string {
  let rest = id;
  let text = '';
  for (let i = 0; i < entryIdLength; i++) {
    text = digits[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** The number of an id that matches the pattern. */
export function entryIdNumber(text: string): number {
  let id = 0;
  for (const digit of text) id = id * 32 + digits.indexOf(digit);
  return id;
}
