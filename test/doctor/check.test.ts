import { describe, expect, it } from 'vitest';
import { type Check, type Finding, runChecks } from '../../src/doctor/check.ts';
import { findingText, reportJson, summaryText } from '../../src/doctor/report.ts';

const fine = (subject: string): Finding => ({ subject, verdict: 'ok', found: 'yes' });

async function findingsOf(...checks: Check[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of runChecks(checks)) findings.push(finding);
  return findings;
}

describe('a run of checks', () => {
  it('gives all findings in order, and goes on behind a check that throws', async () => {
    const findings = await findingsOf(
      { subject: 'one', deadlineMs: 1_000, run: async () => [fine('one'), fine('one, too')] },
      { subject: 'two', deadlineMs: 1_000, run: () => Promise.reject(new Error('broken')) },
      { subject: 'three', deadlineMs: 1_000, run: async () => fine('three') },
    );
    expect(findings.map(({ subject, verdict }) => `${subject}: ${verdict}`)).toEqual([
      'one: ok',
      'one, too: ok',
      'two: problem',
      'three: ok',
    ]);
    expect(findings[2]?.found).toContain('broken');
  });

  it('does not wait for a check that hangs, and tells it to stop', async () => {
    let told = false;
    const [finding, next] = await findingsOf(
      {
        subject: 'disk',
        deadlineMs: 50,
        run: (signal) => {
          signal.addEventListener('abort', () => {
            told = true;
          });
          return new Promise(() => {});
        },
      },
      { subject: 'next', deadlineMs: 1_000, run: async () => fine('next') },
    );
    expect(finding).toMatchObject({ subject: 'disk', verdict: 'problem', found: 'no answer within 0.05 s' });
    expect(told).toBe(true);
    expect(next).toEqual(fine('next'));
  });
});

describe('the report', () => {
  const problem: Finding = {
    subject: 'port',
    verdict: 'problem',
    found: 'in use\nby nginx',
    remedy: 'Stop it.',
  };
  const warning: Finding = { subject: 'clock', verdict: 'warning', found: 'late', remedy: 'Set it.' };

  it('shows a sign, what was found, and what to do', () => {
    expect(findingText(problem)).toBe(
      '✗ port               in use\n                     by nginx\n    → Stop it.',
    );
    expect(findingText(fine('Node'))).toBe('✓ Node               yes');
  });

  it('ends with whether the server can work', () => {
    expect(summaryText([fine('a')])).toBe('Everything that the server needs is there.');
    expect(summaryText([fine('a'), warning, warning])).toBe('2 warnings. The server can work.');
    expect(summaryText([problem, warning])).toBe('1 problem and 1 warning.');
  });

  it('says the same as JSON', () => {
    expect(JSON.parse(reportJson([problem, warning], '1.2.3'))).toEqual({
      version: '1.2.3',
      ok: false,
      findings: [problem, warning],
    });
    expect(JSON.parse(reportJson([warning], '1')).ok).toBe(true);
  });
});
