import { styleText } from 'node:util';
import type { Finding, Verdict } from './check.ts';

const signs: Record<Verdict, { sign: string; colour: Parameters<typeof styleText>[0] }> = {
  ok: { sign: '✓', colour: 'green' },
  note: { sign: 'i', colour: 'cyan' },
  warning: { sign: '!', colour: 'yellow' },
  problem: { sign: '✗', colour: 'red' },
  skipped: { sign: '–', colour: 'gray' },
};

const subjectWidth = 18;

/** A finding as a person reads it: a line, and below it what to do. In colour, where standard output takes that. */
export function findingText({ subject, verdict, found, remedy }: Finding): string {
  const { sign, colour } = signs[verdict];
  const indent = ' '.repeat(subjectWidth + 3);
  const line = `${styleText(colour, sign)} ${subject.padEnd(subjectWidth)} ${found.replaceAll('\n', `\n${indent}`)}`;
  return remedy === undefined ? line : `${line}\n    → ${remedy.replaceAll('\n', '\n      ')}`;
}

/** The last line: whether the server can work. */
export function summaryText(findings: readonly Finding[]): string {
  const problems = count(findings, 'problem');
  const warnings = count(findings, 'warning');
  if (problems + warnings === 0) return 'Everything that the server needs is there.';
  const parts = [plural(problems, 'problem'), plural(warnings, 'warning')].filter((part) => part !== '');
  return `${parts.join(' and ')}.${problems === 0 ? ' The server can work.' : ''}`;
}

/** The same for programs. */
export function reportJson(findings: readonly Finding[], version: string): string {
  return JSON.stringify({ version, ok: count(findings, 'problem') === 0, findings }, undefined, 2);
}

function count(findings: readonly Finding[], verdict: Verdict): number {
  return findings.filter((finding) => finding.verdict === verdict).length;
}

function plural(number: number, noun: string): string {
  return number === 0 ? '' : `${number} ${noun}${number === 1 ? '' : 's'}`;
}
