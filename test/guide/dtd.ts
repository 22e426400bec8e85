import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';

interface Declaration {
  /** Children in their order, each with ?, * or +; or text only; or nothing. */
  content: string[] | 'text' | 'empty';
  /** Names; with ! when required, with =a|b when only these values are allowed. */
  attributes?: string[];
}

const text: Declaration = { content: 'text' };
const spoken: Declaration = { content: 'text', attributes: ['lang'] };
const rated: Declaration = { content: ['value', 'icon*'], attributes: ['system'] };

/** What the DTD of XMLTV allows, as far as a server of recorded media could ever write it. */
const declarations: Record<string, Declaration> = {
  tv: {
    content: ['channel*', 'programme*'],
    attributes: [
      'date',
      'source-info-url',
      'source-info-name',
      'source-data-url',
      'generator-info-name',
      'generator-info-url',
    ],
  },
  channel: { content: ['display-name+', 'icon*', 'url*'], attributes: ['id!'] },
  'display-name': spoken,
  icon: { content: 'empty', attributes: ['src!', 'width', 'height'] },
  url: { content: 'text', attributes: ['system'] },
  programme: {
    content: [
      'title+',
      'sub-title*',
      'desc*',
      'credits?',
      'date?',
      'category*',
      'keyword*',
      'language?',
      'orig-language?',
      'length?',
      'icon*',
      'url*',
      'country*',
      'episode-num*',
      'video?',
      'audio?',
      'previously-shown?',
      'premiere?',
      'last-chance?',
      'new?',
      'subtitles*',
      'rating*',
      'star-rating*',
      'review*',
      'image*',
    ],
    attributes: ['start!', 'stop', 'channel!', 'pdc-start', 'vps-start', 'showview', 'videoplus', 'clumpidx'],
  },
  title: spoken,
  'sub-title': spoken,
  desc: spoken,
  credits: { content: ['director*', 'actor*', 'writer*', 'producer*', 'presenter*', 'guest*'] },
  director: text,
  actor: { content: 'text', attributes: ['role', 'guest=yes|no'] },
  writer: text,
  producer: text,
  presenter: text,
  guest: text,
  date: text,
  category: spoken,
  keyword: spoken,
  language: spoken,
  'orig-language': spoken,
  length: { content: 'text', attributes: ['units!=seconds|minutes|hours'] },
  country: spoken,
  'episode-num': { content: 'text', attributes: ['system'] },
  video: { content: ['present?', 'colour?', 'aspect?', 'quality?'] },
  audio: { content: ['present?', 'stereo?'] },
  present: text,
  colour: text,
  aspect: text,
  quality: text,
  stereo: text,
  'previously-shown': { content: 'empty', attributes: ['start', 'channel'] },
  premiere: spoken,
  'last-chance': spoken,
  new: { content: 'empty' },
  subtitles: { content: ['language?'], attributes: ['type=teletext|onscreen|deaf-signed'] },
  rating: rated,
  'star-rating': rated,
  value: text,
  review: { content: 'text', attributes: ['type!=text|url', 'source', 'reviewer', 'lang'] },
  image: {
    content: 'text',
    attributes: ['type=poster|backdrop|still|person|character', 'size=1|2|3', 'orient=P|L', 'system'],
  },
};

/** An element as fast-xml-parser gives it when it keeps the order. */
type Node = Record<string, unknown> & { ':@'?: Record<string, string> };

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  trimValues: false,
});

/** Everything that is wrong with a document: not well-formed, not valid, or with characters XML forbids. */
export function documentErrors(document: string): string[] {
  const forbidden = document.match(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u);
  if (forbidden) return [`it has U+${forbidden[0].codePointAt(0)?.toString(16)}`];
  const formed = XMLValidator.validate(document);
  if (formed !== true) return [`line ${formed.err.line}: ${formed.err.msg}`];
  const nodes = (parser.parse(document) as Node[]).filter((node) => !('?xml' in node));
  const errors = nodes.flatMap((node) => elementErrors(node));
  return nodes.length === 1 && nodes[0] && nameOf(nodes[0]) === 'tv' ? errors : ['its root is not one <tv>'];
}

/** The DTD itself, where xmltv-util is installed. */
const officialDtd = '/usr/share/xmltv/xmltv.dtd';

/** What xmllint says of it, where xmllint is installed; nothing when it has no complaint or is not there. */
export function xmllintErrors(document: string): string {
  return inFolder(document, (folder) => {
    const dtds = ['rules.dtd', ...(existsSync(officialDtd) ? [officialDtd] : [])];
    return dtds
      .map((rules) =>
        complaints(
          'xmllint',
          ['--nonet', '--noout', '--dtdvalid', rules, 'guide.xml'],
          folder,
          'libxml2-utils',
        ),
      )
      .join('');
  });
}

/**
 * What tv_validate_file of xmltv-util says of it, which looks at more than the DTD does: ids that lead nowhere,
 * channels without a programme, empty titles, times and episode numbers that cannot be. Nothing when it has no complaint
 * or is not there.
 */
export function tvValidateErrors(document: string): string {
  return inFolder(document, (folder) =>
    complaints('tv_validate_file', ['--dtd-file', officialDtd, 'guide.xml'], folder, 'xmltv-util'),
  );
}

function inFolder(document: string, look: (folder: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), 'aircheck-xmltv-'));
  try {
    writeFileSync(join(folder, 'rules.dtd'), dtd());
    // What the document itself names.
    if (existsSync(officialDtd)) copyFileSync(officialDtd, join(folder, 'xmltv.dtd'));
    writeFileSync(join(folder, 'guide.xml'), document);
    return look(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const missing = new Set<string>();

function complaints(program: string, args: string[], cwd: string, package_: string): string {
  try {
    execFileSync(program, args, { cwd, stdio: 'pipe' });
    return '';
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: string; stdout?: Buffer; stderr?: Buffer };
    if (code !== 'ENOENT') return `${stdout}${stderr}`;
    if (!missing.has(program))
      console.warn(`${program} is not installed (${package_}): the guide is not shown to it`);
    missing.add(program);
    return '';
  }
}

function elementErrors(node: Node): string[] {
  const name = nameOf(node);
  const declaration = declarations[name];
  if (declaration === undefined) return [`<${name}> is not in the DTD`];
  const children = node[name] as Node[];
  const elements = children.filter((child) => !('#text' in child));
  const words = children.map((child) => String(child['#text'] ?? '')).join('');
  return [
    ...attributeErrors(name, declaration.attributes ?? [], node[':@'] ?? {}),
    ...contentErrors(name, declaration.content, elements.map(nameOf), words),
    ...elements.flatMap(elementErrors),
  ];
}

function contentErrors(name: string, content: Declaration['content'], children: string[], words: string) {
  if (content === 'text') return children.length > 0 ? [`<${name}> has children`] : [];
  const errors = words.trim() === '' ? [] : [`<${name}> has text`];
  if (content === 'empty') return children.length > 0 ? [...errors, `<${name}> is not empty`] : errors;
  const model = new RegExp(
    `^${content.map((part) => `(?:${part.replace(/[?*+]$/, '')},)${/[?*+]$/.exec(part)?.[0] ?? ''}`).join('')}$`,
  );
  const order = children.map((child) => `${child},`).join('');
  return model.test(order) ? errors : [...errors, `<${name}> has the children ${order}`];
}

function attributeErrors(name: string, declared: string[], found: Record<string, string>): string[] {
  const rules = declared.map((rule) => {
    const [, key = '', required, values] = /^([^!=]+)(!?)(?:=(.*))?$/.exec(rule) ?? [];
    return { key, required: required === '!', values: values?.split('|') };
  });
  const errors = Object.entries(found).flatMap(([key, value]) => {
    const rule = rules.find((each) => each.key === key);
    if (rule === undefined) return [`<${name}> has an attribute ${key}`];
    return rule.values && !rule.values.includes(value) ? [`<${name} ${key}="${value}">`] : [];
  });
  const missing = rules.filter(({ key, required }) => required && !(key in found));
  return [...errors, ...missing.map(({ key }) => `<${name}> has no ${key}`)];
}

function nameOf(node: Node): string {
  return Object.keys(node).find((key) => key !== ':@') ?? '';
}

function dtd(): string {
  return Object.entries(declarations)
    .map(([name, { content, attributes = [] }]) => {
      const model =
        content === 'text' ? '(#PCDATA)' : content === 'empty' ? 'EMPTY' : `(${content.join(', ')})`;
      const list = attributes.map((rule) => {
        const [, key, required, values] = /^([^!=]+)(!?)(?:=(.*))?$/.exec(rule) ?? [];
        return `${key} ${values ? `(${values})` : 'CDATA'} ${required ? '#REQUIRED' : '#IMPLIED'}`;
      });
      return `<!ELEMENT ${name} ${model}>\n${list.length > 0 ? `<!ATTLIST ${name} ${list.join(' ')}>\n` : ''}`;
    })
    .join('');
}
