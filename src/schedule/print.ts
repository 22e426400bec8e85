import { DateTime, Duration } from 'luxon';
import type { ItemReason, PlanInput, PlanItem, PlanMedia, PlanOutput } from './types.ts';

/** A plan for reading: a line for each item, in local time, and what is wrong below. */
export function planTable(input: PlanInput, { items, problems }: PlanOutput): string {
  const titles = titlesOf(input);
  const rows = items.map((item) => [
    DateTime.fromMillis(item.start, { zone: input.zone }).toFormat('ccc yyyy-MM-dd HH:mm:ss ZZ', {
      locale: 'en-US',
    }),
    lengthOf(item),
    item.kind === 'filler' ? item.filler : item.kind,
    item.kind === 'offline' ? '' : pieceOf(item, titles.get(item.media) ?? item.media),
    oneLine(item.slot ?? ''),
    item.guide === undefined ? '' : `${item.guide}`,
    item.kind === 'offline' ? '' : reasonOf(item.why),
  ]);
  const lines = aligned([['start', 'length', 'kind', 'media', 'slot', 'guide', 'why'], ...rows]);
  const wrong = problems.map(({ code, slot, filler, message }) =>
    oneLine(`${code}: slot "${slot}"${filler === undefined ? '' : `, ${filler}`}: ${message}`),
  );
  return [...lines, ...(wrong.length > 0 ? ['', ...wrong] : []), ''].join('\n');
}

/** What a media is called, by its id. */
export function titlesOf({ collections }: PlanInput): Map<string, string> {
  const titles = new Map<string, string>();
  for (const collection of collections.values()) {
    if ('playlist' in collection) continue;
    for (const media of collection) titles.set(media.id, titleOf(media));
  }
  return titles;
}

function titleOf({ id, show, season, episode, title }: PlanMedia): string {
  const number = [
    season === undefined ? '' : `S${String(season).padStart(2, '0')}`,
    episode === undefined ? '' : `E${String(episode).padStart(2, '0')}`,
  ].join('');
  const words = [show, number, title].filter((word) => word !== undefined && word !== '');
  return title === undefined && show === undefined ? id : words.join(' ');
}

function pieceOf(item: Exclude<PlanItem, { kind: 'offline' }>, title: string): string {
  const text = oneLine(title);
  return item.in === 0 ? text : `${text} (from ${spoken(item.in)})`;
}

function lengthOf({ start, stop }: PlanItem): string {
  return spoken(stop - start);
}

function spoken(ms: number): string {
  return Duration.fromMillis(ms).toFormat(ms % 1000 === 0 ? 'h:mm:ss' : 'h:mm:ss.SSS');
}

function reasonOf({ order, cycle, position, member }: ItemReason): string {
  const place = cycle === undefined ? `item ${position}` : `cycle ${cycle}, item ${position}`;
  return [order, place, ...(member === undefined ? [] : [`of "${oneLine(member)}"`])].join(', ');
}

/**
 * Titles may hold anything, and a terminal obeys control characters. What joins the parts of an emoji or of a word
 * stays.
 */
function oneLine(text: string): string {
  return text.replace(/[^\P{C}\u200C\u200D]+|[\u2028\u2029]+/gu, ' ');
}

function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) =>
    rows.reduce((most, row) => Math.max(most, row[column]!.length), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
