// Makes dist/pglite-template: the embedded database's folder, initialised and migrated, which a first start
// copies instead of spending seconds on initdb. Run after tsc. Does nothing when the template is current.
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const template = join(root, 'dist/pglite-template');
const key = { pglite: pgliteVersion(), sources: hashOfSources() };

if (isCurrent()) {
  console.log('The template of the embedded database is current.');
} else {
  const began = performance.now();
  await build();
  console.log(`Made the template of the embedded database in ${Math.round(performance.now() - began)} ms.`);
}

async function build() {
  const { openDatabase } = await import('../dist/db/connection.js');
  mkdirSync(join(root, 'dist'), { recursive: true });
  const work = mkdtempSync(join(root, 'dist/.template-'));
  const log = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
  try {
    const database = await openDatabase({ dataFolder: work, templateFolder: join(work, 'none'), log });
    await database.sql.unsafe('VACUUM (ANALYZE)');
    await database.stop();
    const made = join(work, 'template');
    mkdirSync(made);
    renameSync(join(work, 'pgdata'), join(made, 'pgdata'));
    writeFileSync(join(made, 'template.json'), `${JSON.stringify(key)}\n`);
    rmSync(template, { recursive: true, force: true });
    renameSync(made, template);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function isCurrent() {
  try {
    const made = JSON.parse(readFileSync(join(template, 'template.json'), 'utf8'));
    return made.pglite === key.pglite && made.sources === key.sources;
  } catch {
    return false;
  }
}

function pgliteVersion() {
  const manifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

/** What the template is made of: the migrations, and how the database is initialised. */
function hashOfSources() {
  const hash = createHash('sha256');
  const migrations = readdirSync(join(root, 'drizzle')).filter((name) => name.endsWith('.sql'));
  const files = [...migrations.sort().map((name) => `drizzle/${name}`), 'drizzle/meta/_journal.json'];
  files.push('dist/db/embedded-worker.js', 'dist/db/embedded-folder.js');
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}
