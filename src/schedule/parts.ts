import type { PlanMedia } from './types.ts';

/** The entries, by their number, that are parts of a whole. */
export type Places = ReadonlyMap<number, { whole: string; part: number }>;

/**
 * Finds the parts of multi-part episodes by their titles: "Part 1", "(2)", "Part Two", "Pt. 3 of 3", "II". They
 * are parts of one whole when the rest of the title and the show are the same; a first part may be without a
 * number. The name of a whole does not change when parts of it come or go.
 *
 * @param nth how many entries of the same media come before an entry
 */
export function partsOf(media: readonly PlanMedia[], nth: (index: number) => number): Places {
  const parts = new Map<number, { show: string; stem: string; part: number }>();
  const stems = new Set<string>();
  for (const [index, { show, title }] of media.entries()) {
    const read = show === undefined || title === undefined ? undefined : readPart(title);
    if (read === undefined) continue;
    parts.set(index, { show: show!, ...read });
    stems.add(read.stem);
  }
  if (parts.size === 0) return new Map();
  const places = new Map<number, { whole: string; part: number }>();
  const wholes = new Set<string>();
  for (const [index, { show, stem, part }] of parts) {
    const whole = JSON.stringify([show, stem, nth(index)]);
    wholes.add(whole);
    places.set(index, { whole, part });
  }
  for (const [index, { show, title }] of media.entries()) {
    if (show === undefined || title === undefined || parts.has(index)) continue;
    const stem = stemOf(title);
    if (!stems.has(stem)) continue;
    const whole = JSON.stringify([show, stem, nth(index)]);
    if (wholes.has(whole)) places.set(index, { whole, part: 1 });
  }
  return places;
}

const words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const numerals = ['I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X'];

const number = `\\d{1,2}|${[...words, ...numerals].join('|')}`;
const forms = [
  // "Title, Part Two", "Title (Pt. 2 of 3)", "Part 1"
  new RegExp(`\\(?\\b(?:part|pt\\.?)\\s*(${number})(?:\\s+of\\s+(?:${number}))?\\)?$`, 'i'),
  // "Title (2)", "Title (II)", "Title (1 of 2)", "Title (1/2)"
  new RegExp(`\\((${number})(?:\\s*(?:of|/)\\s*(?:${number}))?\\)$`, 'i'),
  // "Title II"
  new RegExp(`(?<=.[\\s,:;–-])(${numerals.join('|')})$`),
];
/** How a title ends that says which part it is. Most do not, and there may be many titles. */
const ending = /[\d)ivx]$|(?:one|two|three|four|five|six|seven|eight|nine|ten)$/i;
/** No form is longer: the beginning of a title is not looked at, however long it is. */
const longestForm = 32;

/** "The Siege (2)" is part 2 of "the siege". */
export function readPart(title: string): { stem: string; part: number } | undefined {
  const text = title.trim();
  if (!ending.test(text.slice(-5))) return undefined;
  const end = text.slice(-longestForm);
  for (const form of forms) {
    const found = form.exec(end);
    if (found === null) continue;
    const stem = stemOf(text.slice(0, text.length - end.length + found.index));
    return { stem, part: numberOf(found[1]!) };
  }
  return undefined;
}

function numberOf(text: string): number {
  const word = words.indexOf(text.toLowerCase());
  const numeral = numerals.indexOf(text.toUpperCase());
  return word >= 0 ? word + 1 : numeral >= 0 ? numeral + 1 : Number(text);
}

const separators = /[\s,:;–-]/;

/** A title without what separates it from what follows. Character by character: titles may be of any length. */
function stemOf(title: string): string {
  let end = title.length;
  while (end > 0 && separators.test(title[end - 1]!)) end -= 1;
  return title.slice(0, end).trimStart().toLowerCase();
}
