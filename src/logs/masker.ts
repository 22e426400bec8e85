import { joinLine, parseFields, splitLine } from './log-entry.ts';
import { isSecretName, looksSecret, maskPatterns, stars } from './secret-patterns.ts';

/** Anything shorter is a word that may stand anywhere, and hiding it would rather give it away. */
const shortestSecret = 6;
/** A string in an entry is cut to this many characters … */
const longestString = 16_384;
/** … and a whole line may have about so many. */
const longestLine = 65_536;
/** No more of a string than this is looked at. What is behind is cut off anyway. */
const longestSearched = 4 * longestString;

/** Takes secrets out of what is logged, before it is written anywhere. */
export class Masker {
  /** In all the forms in which they may occur in a text, the longest first. */
  private secrets: string[] = [];
  /** The same as they look inside JSON. */
  private escaped: string[] = [];

  /** From now on this text is masked wherever it occurs. Nothing, and what is too short, is passed over. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret.length < shortestSecret) return;
    const forms = new Set([...this.secrets, secret, ...urlForms(secret)]);
    this.secrets = [...forms].sort((a, b) => b.length - a.length);
    this.escaped = this.secrets.map((form) => JSON.stringify(form).slice(1, -1));
  }

  /** The password of a URL, as it stands there and as it is meant. */
  addPasswordOf(url: string | undefined): void {
    if (url === undefined || !URL.canParse(url)) return;
    const { password, searchParams } = new URL(url);
    for (const secret of [password, searchParams.get('password') ?? '']) {
      this.add(secret);
      this.add(decoded(secret));
    }
  }

  /** A text without its secrets. */
  text(text: string): string {
    let masked = text.slice(0, longestSearched);
    for (const secret of this.secrets) masked = masked.replaceAll(secret, stars);
    return maskPatterns(masked);
  }

  /** A line of the logger without its secrets; JSON as before, and never longer than about 64 KiB. */
  line(line: string): string {
    if (!this.isSuspicious(line)) return line;
    const parts = splitLine(line);
    const fields = parts && parseFields(parts.body);
    if (parts === undefined || fields === undefined) return `${JSON.stringify({ msg: this.text(line) })}\n`;
    const body = JSON.stringify(this.value(fields, false));
    if (body.length <= longestLine) return `${joinLine(parts, body)}\n`;
    const { logger, channel, msg } = fields;
    const kept = this.value({ logger, channel, msg, cut: 'The entry was too long.' }, false);
    return `${joinLine(parts, JSON.stringify(kept))}\n`;
  }

  private isSuspicious(line: string): boolean {
    if (line.length > longestLine || looksSecret(line)) return true;
    return this.escaped.some((form) => line.includes(form));
  }

  /** A copy without secrets. `hidden`: it stands under a name such as "password". */
  private value(value: unknown, hidden: boolean): unknown {
    if (typeof value === 'string') return hidden && value !== '' ? stars : shortened(this.text(value));
    if (typeof value === 'number') return hidden || this.isSecret(String(value)) ? stars : value;
    if (Array.isArray(value)) {
      // Arguments of a program and raw headers: the name comes first, then what it names.
      return value.map((item, i) => this.value(item, hidden || isName(value[i - 1])));
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        this.text(name),
        this.value(item, hidden || hides(name, item)),
      ]),
    );
  }

  private isSecret(text: string): boolean {
    return this.secrets.some((secret) => text.includes(secret));
  }
}

/** "tokens" with a number is a count. */
function hides(name: string, value: unknown): boolean {
  return isSecretName(name) && !(typeof value === 'number' && name.endsWith('s'));
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && isSecretName(value);
}

function shortened(text: string): string {
  if (text.length <= longestString) return text;
  return `${text.slice(0, longestString)} … (cut)`;
}

function urlForms(secret: string): string[] {
  const asParameter = new URLSearchParams({ '': secret }).toString().slice(1);
  return [encodeURIComponent(Buffer.from(secret).toString()), asParameter];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
