import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import { planTable } from '../../src/schedule/print.ts';
import { planRequest, readRequest } from '../../src/schedule/request.ts';
import { fillerKinds, orders, slotSchema, whenSchema } from '../../src/schedule/types.ts';

// SCHEDULES.md is what users read: whatever it shows has to be so.

const text = await readFile(new URL('../../SCHEDULES.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, content]) => ({
  language,
  content: content!,
}));
const examples = blocks
  .filter(({ language }) => language === 'json')
  .map(({ content }) => JSON.parse(content));
const [whole, ...parts] = examples;

/** A part of a request, put into the whole one. */
function requestWith(part: Record<string, unknown>): object {
  if ('playlist' in part) {
    const collections = { ...whole.collections, mix: part };
    return { ...whole, collections, schedule: { slots: [{ id: 'mix', play: 'mix', mode: 'flood' }] } };
  }
  return { ...whole, schedule: 'slots' in part ? part : { slots: [part] } };
}

describe('the examples of SCHEDULES.md', () => {
  it('are all of one kind or another', () => {
    expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(['sh', 'json', 'text']));
    expect(parts.length).toBeGreaterThan(5);
  });

  it('have the table that is shown', () => {
    const input = readRequest(whole);
    const output = plan(input);
    expect(blocks.find(({ language }) => language === 'text')!.content).toBe(planTable(input, output));
    expect(output.problems).toEqual([]);
  });

  it.each(parts.map((part) => [JSON.stringify(part).slice(0, 60), part]))('can be planned: %s', (_, part) => {
    const request = requestWith(part);
    for (const from of [
      '2026-03-06T12:00:00-06:00',
      '2026-12-24T12:00:00-06:00',
      '2028-02-28T12:00:00-06:00',
    ]) {
      const to = new Date(Date.parse(from) + 3 * 86_400_000).toISOString();
      const { items, problems } = planRequest({ ...request, from, to });
      expect(problems).toEqual([]);
      expect(items.some(({ kind }) => kind === 'program')).toBe(true);
    }
  });

  it('say what is played', () => {
    const evening = planRequest({ ...requestWith(parts[0]), from: '2026-03-06T18:59:00-06:00' }).items;
    expect(evening.filter((item) => item.slot === 'series')).toMatchObject([
      { media: 'e1' },
      { media: 'e2' },
    ]);
    expect(evening.find((item) => item.slot === 'series')!.start).toBe('2026-03-07T01:00:00.000Z');
  });
});

describe('the reference in SCHEDULES.md', () => {
  const prose = text.replace(/^```.*?^```$/gms, '');
  const words = new Set(
    [...prose.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code!.match(/[\w-]+/g) ?? []),
  );

  it('has every key, order, mode and code', () => {
    const modes = slotSchema.options;
    const filler = ['from', 'order', 'count', 'duration', 'every', 'pad'];
    const known = [
      ...modes.flatMap(({ shape }) => [...Object.keys(shape), shape.mode.value]),
      ...Object.keys(whenSchema.shape),
      ...fillerKinds,
      ...filler,
      ...orders,
      ...['offline', 'filler', 'next', 'wait', 'now', 'together', 'hide', 'title'],
      ...['empty-collection', 'never-fits', 'unreachable-slot'],
      ...['items', 'cursors', 'problems', 'why', 'cycle', 'position', 'member', 'in', 'out'],
    ];
    expect(known.filter((word) => !words.has(word))).toEqual([]);
  });

  it('names no key that there is not', () => {
    const keys = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, key]) => key!);
    const slotKeys = slotSchema.options.flatMap(({ shape }) => Object.keys(shape));
    const found = keys.filter((key) => ![...slotKeys, ...fillerKinds, ...orders].includes(key));
    expect(found).toEqual([]);
  });
});
