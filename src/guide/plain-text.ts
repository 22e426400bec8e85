/** Control characters, halves of surrogate pairs, and what Unicode reserves for never being a character. */
const unwritable = /\p{Cc}|\p{Surrogate}|\p{Noncharacter_Code_Point}/gu;

/** Finds no fault with most text, and does so much faster than replacing nothing. */
const suspect = /[^ -~\u00a1-\u024f]|^ | $| {2}/;

/** One line of text that XML and M3U can both hold: what cannot be written is a space, and no two spaces touch. */
export function plainText(text: string): string {
  if (!suspect.test(text)) return text;
  return text.replace(unwritable, ' ').replace(/\s+/gu, ' ').trim();
}

/** At most `limit` UTF-16 units, cut behind a word, with an ellipsis where something was cut. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const cut = text.slice(0, limit - 1).replace(/\p{Surrogate}$/u, '');
  const space = cut.lastIndexOf(' ');
  return `${(space > limit / 2 ? cut.slice(0, space) : cut).trimEnd()}…`;
}

/** The address as it is written into a document; undefined when it is not an absolute http(s) URL. */
export function webAddress(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { protocol, href } = new URL(url);
  return protocol === 'http:' || protocol === 'https:' ? href : undefined;
}
