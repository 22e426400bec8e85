import { Entry } from './stock.ts';

/**
 * Finds the parts of multi-part episodes by their titles: "Part 1", "(2)", "Part Two", "Pt. 3 of 3", "II". They
 * are parts of one whole when the rest of the title and the show are the same; a first part may be without a
 * number. The name of a whole does not change when parts of it come or go.
 */
export function withParts(entries: readonly Entry[]): Entry[] {
  const read = entries.map(({ media: { show, title }, nth }) => {
    if (show === undefined || title === undefined) return undefined;
    const { stem, part } = readPart(title) ?? { stem: stemOf(title), part: undefined };
    return { whole: JSON.stringify([show, stem, nth]), part };
  });
  const wholes = new Set(read.flatMap((place) => (place?.part === undefined ? [] : place.whole)));
  return entries.map((entry, index) => {
    const place = read[index];
    if (place === undefined || !wholes.has(place.whole)) return entry;
    return new Entry(entry.media, entry.nth, { whole: place.whole, part: place.part ?? 1 });
  });
}

const words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const numerals = ['I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X'];

const number = `\\d{1,2}|${[...words, ...numerals].join('|')}`;
const forms = [
  // "Title, Part Two", "Title (Pt. 2 of 3)", "Part 1"
  new RegExp(`^(.*?)[\\s,:;–-]*\\(?\\b(?:part|pt\\.?)\\s*(${number})(?:\\s+of\\s+(?:${number}))?\\)?$`, 'i'),
  // "Title (2)", "Title (II)", "Title (1 of 2)", "Title (1/2)"
  new RegExp(`^(.*?)\\s*\\((${number})(?:\\s*(?:of|/)\\s*(?:${number}))?\\)$`, 'i'),
  // "Title II"
  new RegExp(`^(.+?)[\\s,:;–-]+(${numerals.join('|')})$`),
];

/** "The Siege (2)" is part 2 of "the siege". */
export function readPart(title: string): { stem: string; part: number } | undefined {
  for (const form of forms) {
    const [, stem, part] = form.exec(title.trim()) ?? [];
    if (stem !== undefined && part !== undefined) return { stem: stemOf(stem), part: numberOf(part) };
  }
  return undefined;
}

function numberOf(text: string): number {
  const word = words.indexOf(text.toLowerCase());
  const numeral = numerals.indexOf(text.toUpperCase());
  return word >= 0 ? word + 1 : numeral >= 0 ? numeral + 1 : Number(text);
}

function stemOf(title: string): string {
  return title
    .trim()
    .toLowerCase()
    .replace(/[\s,:;–-]+$/, '');
}
