const textArrayOid = 1009;

/**
 * The driver's type for text[]. It could learn of array types from the server, but could then not be kept from ending
 * the process when the connection is lost amid that; and drizzle's own reading loses a backslash at the end of a text.
 */
export const textArray = {
  to: textArrayOid,
  from: [textArrayOid],
  // Drizzle has written it out already.
  serialize: (literal: string) => literal,
  parse: parseTextArray,
};

/** Reads a one-dimensional array as PostgreSQL writes it (section 8.15.6): `{plain,"quo\"ted",NULL}`. */
export function parseTextArray(literal: string): (string | null)[] {
  const elements = literal.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|[^",]+/gs);
  return Array.from(elements, ([plain, quoted]) => {
    if (quoted !== undefined) return quoted.replace(/\\(.)/gs, '$1');
    return plain === 'NULL' ? null : plain;
  });
}
