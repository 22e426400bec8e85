import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryIds, entryIdNumber, entryIdPattern, entryIdText } from '../../src/logs/entry-id.ts';

describe('ids of log entries', () => {
  it('are eleven characters that need no escaping, and rise as texts and as numbers', () => {
    const ids = new EntryIds();
    const made = Array.from({ length: 10_000 }, (_, i) =>
      ids.next(Date.UTC(2026, 10, 21) + Math.floor(i / 5_000)),
    );
    expect(made.every((id) => entryIdPattern.test(id) && encodeURIComponent(id) === id)).toBe(true);
    expect(new Set(made).size).toBe(made.length);
    expect([...made].sort()).toEqual(made);
    expect(made.map(entryIdNumber).sort((a, b) => a - b)).toEqual(made.map(entryIdNumber));
  });

  it('rise though the clock is set back', () => {
    const ids = new EntryIds();
    const before = ids.next(Date.UTC(2026, 10, 21));
    expect(ids.next(Date.UTC(1970, 0, 1)) > before).toBe(true);
  });

  it('come after those of an earlier run', () => {
    const before = new EntryIds().next(Date.UTC(2030, 0, 1));
    expect(new EntryIds(entryIdNumber(before)).next(Date.UTC(2026, 0, 1)) > before).toBe(true);
  });

  it('are texts of numbers, and the other way round', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (id) => {
        expect(entryIdText(id)).toMatch(entryIdPattern);
        expect(entryIdNumber(entryIdText(id))).toBe(id);
      }),
    );
  });

  it.each([
    '',
    '0',
    '8zzzzzzzzzz',
    '0000000000i',
    '000000000000',
    '0000000000A',
    '../admin-key',
    '0000000000\n',
  ])('do not look like %j', (text) => {
    expect(text).not.toMatch(entryIdPattern);
  });
});
