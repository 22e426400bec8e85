import { messageOf } from '../errors.ts';

/**
 * What a check came to. `note` is worth knowing and needs nothing; `warning` will hurt some day or in some case;
 * with a `problem` the server does not work; `skipped` says why it could not be looked at, or does not apply.
 */
export type Verdict = 'ok' | 'note' | 'warning' | 'problem' | 'skipped';

export interface Finding {
  /** What was looked at: "ffmpeg", "data folder". */
  subject: string;
  verdict: Verdict;
  found: string;
  /** What to do about it; there is one wherever something is not fine. */
  remedy?: string;
}

/** One thing to look at. It changes nothing that outlives it. */
export interface Check {
  subject: string;
  /** After this time its finding is that it did not answer. */
  deadlineMs: number;
  run(signal: AbortSignal): Promise<Finding | Finding[]>;
}

/**
 * Runs the checks one after the other, so that none disturbs another's measurement, and gives their findings. Never
 * throws: a check that does so has found a problem.
 */
export async function* runChecks(checks: Iterable<Check>): AsyncGenerator<Finding> {
  for (const check of checks) yield* await runCheck(check);
}

async function runCheck({ subject, deadlineMs, run }: Check): Promise<Finding[]> {
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      resolve({
        subject,
        verdict: 'problem',
        found: `no answer within ${deadlineMs / 1000} s`,
        remedy: 'See what hangs: a program, a disk or network folder, or the network.',
      });
      deadline.abort(new Error('the deadline is over'));
    }, deadlineMs);
  });
  try {
    return [await Promise.race([late, run(deadline.signal)])].flat();
  } catch (error) {
    const found = `it could not be checked: ${messageOf(error)}`;
    return [
      { subject, verdict: 'problem', found, remedy: 'Please report this, with what doctor has printed.' },
    ];
  } finally {
    clearTimeout(timer);
  }
}
