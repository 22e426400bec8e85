import { pino } from 'pino';
import type { Config } from '../config.ts';
import { type DatabaseState, inspectDatabase } from '../db/inspection.ts';
import { messageOf } from '../errors.ts';
import type { Check, Finding } from './check.ts';

/** What later checks need of the database, once it was read; otherwise why it was not. */
export interface SeenDatabase {
  libraries?: readonly { name: string; path: string }[];
  reason?: string;
}

const subject = 'database';
const tolerableClockMs = 5_000;

/**
 * @param holder pid of the server that uses the data folder now
 * @param seen is filled
 */
export function databaseCheck(
  { databaseUrl, data }: Pick<Config, 'databaseUrl' | 'data'>,
  holder: string | undefined,
  seen: SeenDatabase,
): Check {
  return {
    subject,
    deadlineMs: 60_000,
    run: async () => {
      const kind = databaseUrl === undefined ? 'embedded' : 'PostgreSQL';
      if (databaseUrl === undefined && holder !== undefined) {
        seen.reason = 'the server runs and has the embedded database to itself';
        const found = `${kind}; ${seen.reason} (pid ${holder}). Ask it at /health.`;
        return { subject, verdict: 'skipped', found };
      }
      try {
        const log = pino({ level: 'silent' });
        const state = await inspectDatabase({ databaseUrl, dataFolder: data, log });
        seen.libraries = state?.libraries ?? [];
        if (state !== undefined) return databaseFindings(kind, state);
        return { subject, verdict: 'ok', found: `${kind}; it will be made at the first start` };
      } catch (error) {
        // Its message says what to do.
        const [found, ...remedy] = messageOf(error).split(/(?<=\.) (?=[A-Z])/);
        return {
          subject,
          verdict: 'problem',
          found: found ?? '',
          remedy: remedy.join(' ') || 'Start the server: its log says more.',
        };
      }
    },
  };
}

export function databaseFindings(kind: 'embedded' | 'PostgreSQL', state: DatabaseState): Finding[] {
  const version = `${Math.floor(state.version / 10_000)}.${state.version % 10_000}`;
  const found =
    kind === 'embedded' ? `embedded (PostgreSQL ${version})` : `PostgreSQL ${version} at ${state.where}`;
  if (state.isTooOld) {
    const remedy = 'Upgrade it, or leave DATABASE_URL out to use the embedded database.';
    return [{ subject, verdict: 'problem', found: `${found} is too old`, remedy }];
  }
  const findings: Finding[] = [{ subject, verdict: 'ok', found }, schemaFinding(state)];
  if (Math.abs(state.clockAheadMs) > tolerableClockMs) {
    const seconds = Math.round(state.clockAheadMs / 1000);
    const way = seconds > 0 ? 'ahead of' : 'behind';
    findings.push({
      subject: 'database clock',
      verdict: 'warning',
      found: `${Math.abs(seconds)} s ${way} the clock of this machine`,
      remedy: 'One of the two is wrong: let a time service keep both.',
    });
  }
  return findings;
}

function schemaFinding(state: DatabaseState): Finding {
  const subject = 'schema';
  if (state.isNewer) {
    return {
      subject,
      verdict: 'problem',
      found: 'made by a newer release of aircheck',
      remedy: 'Install that release again, or restore a backup from before it.',
    };
  }
  if (!state.canHaveExtension) {
    return {
      subject,
      verdict: 'problem',
      found: 'the extension btree_gist is not there and cannot be made',
      remedy:
        'It belongs to PostgreSQL’s contrib modules: install them (package postgresql-contrib on some systems).',
    };
  }
  if (state.pending === 0) return { subject, verdict: 'ok', found: 'up to date, with btree_gist' };
  const found = `${state.pending} migration${state.pending === 1 ? '' : 's'} to be applied`;
  if (state.mayCreate) return { subject, verdict: 'note', found: `${found} at the next start` };
  return {
    subject,
    verdict: 'problem',
    found: `${found}, which the user of DATABASE_URL may not do`,
    remedy: 'Make that user the owner of the database.',
  };
}
