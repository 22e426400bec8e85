import { describe, expect, it } from 'vitest';
import { isRead, operationOf } from '../../src/db/statement.ts';
import { parseTextArray } from '../../src/db/text-array.ts';

describe('a statement', () => {
  it('is told by what it does', () => {
    expect(operationOf('select "id", (select 1) from "media" where "id" = $1')).toBe('reading media');
    expect(operationOf('insert into "playout_items" ("id") values ($1)')).toBe('adding to playout_items');
    expect(operationOf('update "channels" set "name" = $1')).toBe('changing channels');
    expect(operationOf('delete from "channels"')).toBe('deleting from channels');
    expect(operationOf('select 1')).toBe('asking the database');
  });

  it('counts as reading only if it changes nothing', () => {
    for (const text of [
      'select 1',
      '\n  SELECT 1',
      'show server_version',
      'fetch 10 from c',
      'declare c cursor for select 1',
    ])
      expect(isRead(text), text).toBe(true);
    for (const text of [
      'insert into a values (1)',
      'with b as (delete from a) select 1',
      'update a set b = 1',
      'vacuum',
      'selective',
    ])
      expect(isRead(text), text).toBe(false);
  });
});

describe('an array of texts, as PostgreSQL writes it', () => {
  it.each([
    ['{}', []],
    ['{plain,"with space"}', ['plain', 'with space']],
    ['{a,"b,c","d\\"e","ü\\\\","{}"}', ['a', 'b,c', 'd"e', 'ü\\', '{}']],
    ['{NULL,"NULL",""}', [null, 'NULL', '']],
    ['{"line\nbreak"}', ['line\nbreak']],
  ])('%s', (literal, elements) => {
    expect(parseTextArray(literal)).toEqual(elements);
  });
});
