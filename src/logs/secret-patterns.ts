const suspicious =
  /:\/\/|%2f%2f|passw|passphrase|passcode|pwd|secret|token|credential|signature|cookie|bearer|basic[ %+\\]|auth|(?:keys?|sig|pass) ?["'=:%\\]|[-_]key /i;

/** A quick look: false for what has nothing that any of the patterns could match. As JSON or as it is. */
export function looksSecret(text: string): boolean {
  return suspicious.test(text);
}

/** Stands where a secret stood. */
export const stars = '***';

const names =
  'pass(?:word|wd|phrase|code)|pwd|secret|token|(?:api|access|private|admin|stream)[-_]?key|credentials?|signature';
// Short words need a border before them: a monkey is no key.
const shortNames = '(?<![a-z])(?:key|sig|auth|pass)';
const value = `"(?:[^"\\\\]|\\\\.)*"?|'[^']*'?[^\\s&#"<>]*|[^\\s&#"<>]+`;

/**
 * What a secret looks like in a text. Each of these takes time in proportion to the text: repetitions are bounded
 * or end at the next character that cannot belong to them.
 */
const patterns: readonly (readonly [RegExp, string | typeof quoted])[] = [
  // Whole headers, to the end of the line or of the quotation.
  [/((?:authorization|cookie)["']?\s?[:=]\s?)("[^"\r\n]+"?|[^"\r\n][^\r\n]*)/gi, quoted],
  [/\b(bearer|basic)((?:\s|%20|\+)+)[\w.~+/=%-]{6,}/gi, `$1$2${stars}`],
  // User and password of a URL (RFC 3986, 3.2.1); then the ones that should have been escaped, and that were.
  [/(:\/\/)[^\s/?#"<>]{1,512}@/g, `$1${stars}@`],
  [/(:\/\/)[^\s/?#@:[]{0,256}:(?!\d{1,5}(?:[/?#\s]|$))[^\s"<>]{1,256}@/g, `$1${stars}@`],
  [/((?::|%3A)%2F%2F)(?:(?!%2F|%3F|%23|%40)[^\s&"<>@]){1,512}(%40|@)/gi, `$1${stars}$2`],
  // Parameters of a URL, settings, fields.
  [
    new RegExp(
      `((?:${names})["']?(?:\\s{0,4}[=:]\\s{0,4}|%3D|%3A)|${shortNames}["']?(?: ?= ?|%3D))(${value})`,
      'gi',
    ),
    quoted,
  ],
  // Options of a command line.
  [new RegExp(`((?:^|\\s)--?[\\w-]{0,40}(?:${names}|[-_](?:key|auth)) +)\\S+`, 'gi'), `$1${stars}`],
];

/** What stood in quotation marks stays there, so that JSON stays JSON. */
function quoted(_: string, name: string, secret: string): string {
  const mark = secret.startsWith('"') ? '"' : '';
  return `${name}${mark}${stars}${secret.length > 1 && secret.endsWith('"') ? mark : ''}`;
}

/** Masks what looks like a secret. */
export function maskPatterns(text: string): string {
  if (!looksSecret(text)) return text;
  let masked = text;
  for (const [pattern, replacement] of patterns) {
    // The two kinds of replacement are two signatures.
    masked =
      typeof replacement === 'string'
        ? masked.replace(pattern, replacement)
        : masked.replace(pattern, replacement);
  }
  return masked;
}

const secretName = new RegExp(
  `^\\S*(?:(?:${names}|authorization|cookie)s?|(?:^|[^a-z])(?:key|sig|auth|pass))$`,
  'i',
);
const camelCaseName = /[a-z](?:Key|Sig|Auth|Pass)$/;

/** Whether what has this name is to be hidden, whatever it is: `apiKey`, `x-plex-token`, `-decryption_key`. */
export function isSecretName(name: string): boolean {
  return name.length <= 64 && (secretName.test(name) || camelCaseName.test(name));
}
