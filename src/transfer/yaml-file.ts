import {
  Composer,
  type CST,
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
} from 'yaml';

/** A YAML file that has been read, and where in it things stand. */
export class YamlFile {
  readonly content: unknown;
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(document: Document, lines: LineCounter, content: unknown) {
    this.#document = document;
    this.#lines = lines;
    this.content = content;
  }

  /** The line of what a path leads to, or of the nearest thing above it that is there, from 1. */
  lineOf(path: readonly PropertyKey[]): number | undefined {
    let place: unknown = this.#document.contents;
    let node: unknown = place;
    for (const key of path) {
      if (isMap(node)) {
        const pair = node.items.find((one) => isScalar(one.key) && String(one.key.value) === String(key));
        if (pair === undefined) break;
        place = pair.key;
        node = pair.value;
      } else if (isSeq(node) && node.items[Number(key)] !== undefined) {
        node = node.items[Number(key)];
        place = node;
      } else break;
    }
    return lineAt(place, this.#lines);
  }
}

/** A file that cannot be read as YAML; a message for each reason. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly reasons: readonly string[];

  constructor(reasons: readonly string[]) {
    super(reasons.join('\n'));
    this.reasons = reasons;
  }
}

/** Reads YAML, or JSON, which is YAML too. Throws YamlError. */
export function readYaml(text: string): YamlFile {
  const lines = new LineCounter();
  // The composer's own look for keys that come twice takes the square of their number.
  const composer = new Composer({ lineCounter: lines, uniqueKeys: false });
  const [document, another] = composer.compose(tokensOf(text, lines), true, text.length);
  if (document === undefined || another !== undefined) throw new YamlError(['it holds several documents']);
  const errors = document.errors.map(({ message, pos }) => `${message} (line ${lines.linePos(pos[0]).line})`);
  const wrong = [...errors, ...keysThatComeTwice(document, lines)];
  if (wrong.length > 0) throw new YamlError(wrong);
  return new YamlFile(document, lines, contentOf(document));
}

/** More levels than anybody needs. */
const deepest = 100;
const tooDeep = 'it is nested too deeply';

/**
 * The composer goes down level by level. Where the stack ends, it takes the whole process with it: V8 gives up when
 * a regular expression is compiled there. So levels are counted before.
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > deepest) throw new YamlError([tooDeep]);
  }
  yield* parser.end();
}

function keysThatComeTwice(document: Document, lines: LineCounter): string[] {
  const found: string[] = [];
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name))
          found.push(`the key ${JSON.stringify(name)} comes twice (line ${lineAt(key, lines)})`);
        seen.add(name);
      }
    },
  });
  return found;
}

function contentOf(document: Document): unknown {
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    // Aliases that multiply, or lead nowhere.
    throw new YamlError([error instanceof Error ? error.message : String(error)]);
  }
  if (isDeeper(content, deepest)) throw new YamlError([tooDeep]);
  return content;
}

/** Aliases can make levels of their own, and even circles. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((child) => isDeeper(child, levels - 1));
}

function lineAt(node: unknown, lines: LineCounter): number | undefined {
  const range = isNode(node) ? node.range : undefined;
  return range == null ? undefined : lines.linePos(range[0]).line;
}
