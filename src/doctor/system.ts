import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import type { Config } from '../config.ts';
import type { Check, Finding } from './check.ts';

/** Node itself, against what package.json says that is needed. */
export function nodeFinding(version = process.versions.node): Finding {
  const subject = 'Node';
  const processors = availableParallelism();
  const found = `${version} on ${process.platform} ${process.arch}, ${processors} processor${processors === 1 ? '' : 's'}`;
  const needed = neededNode();
  if (compareVersions(version, needed) >= 0) return { subject, verdict: 'ok', found };
  return {
    subject,
    verdict: 'problem',
    found: `${found}; ${needed} or later is needed`,
    remedy: 'Install the current long-term release from https://nodejs.org/.',
  };
}

/** @param problems one line for each wrong setting */
export function configurationFinding(problems: readonly string[], file: string | undefined): Finding {
  const subject = 'configuration';
  const source = file === undefined || file === '' ? 'the environment' : `${file} and the environment`;
  if (problems.length === 0) return { subject, verdict: 'ok', found: `from ${source}` };
  return {
    subject,
    verdict: 'problem',
    found: problems.join('\n'),
    remedy:
      'Correct what is named; config/default.yaml has every setting. The checks below take the default in its place.',
  };
}

const gibibyte = 2 ** 30;
/** What the server takes with the embedded database, and one encoder. */
const leastMemoryBytes = 0.75 * gibibyte;

/** The memory that a process of this machine, or of this container, can still have. */
export function memoryCheck(
  memory = () => ({
    availableBytes: process.availableMemory(),
    totalBytes: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
  }),
): Check {
  const subject = 'memory';
  return {
    subject,
    deadlineMs: 2_000,
    run: async () => {
      const { availableBytes, totalBytes } = memory();
      const found = `${inGibibytes(availableBytes)} of ${inGibibytes(totalBytes)} free`;
      if (availableBytes >= leastMemoryBytes) return { subject, verdict: 'ok', found };
      return {
        subject,
        verdict: 'warning',
        found: `${found}; the server and an encoder take about ${inGibibytes(leastMemoryBytes)}`,
        remedy: 'End other programs, give the machine or its container more, or use smaller profiles.',
      };
    },
  };
}

/** How many files and connections the server may have open, against what its settings let it have. */
export function limitsCheck(
  settings: Pick<Config['streaming'], 'maxViewers' | 'maxProcesses'>,
  readLimit: () => number | undefined = openFilesLimit,
): Check {
  const subject = 'open files';
  return {
    subject,
    deadlineMs: 5_000,
    run: async () => {
      const limit = readLimit();
      if (limit === undefined) {
        return { subject, verdict: 'skipped', found: `${process.platform} has no such limit` };
      }
      // A socket a viewer, two pipes and a moment's more an encoder, and the server's own.
      const needed = settings.maxViewers + 4 * settings.maxProcesses + 256;
      const found = `${limit === Number.POSITIVE_INFINITY ? 'any number' : limit} at a time, ${needed} needed at most`;
      if (limit >= needed) return { subject, verdict: 'ok', found };
      return {
        subject,
        verdict: 'warning',
        found,
        remedy: `Raise the limit (ulimit -Hn; LimitNOFILE= of systemd; --ulimit nofile=${needed} of Docker), or lower streaming.maxViewers.`,
      };
    },
  };
}

/** Node raises its own limit to the hard one at its start, the server's as well as this process's. */
function openFilesLimit(): number | undefined {
  // Otherwise it would look up the names of all addresses.
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as {
    userLimits?: { open_files?: { soft: number | 'unlimited' } };
  };
  const soft = report.userLimits?.open_files?.soft;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft;
}

function neededNode(): string {
  const { engines } = createRequire(import.meta.url)('../../package.json') as { engines: { node: string } };
  return /\d+(\.\d+)*/.exec(engines.node)?.[0] ?? '0';
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function inGibibytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
