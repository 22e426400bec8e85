import type { AtRest } from './aftermath.ts';
import type { Chaos } from './context.ts';
import type { Logbook } from './logbook.ts';
import type { Minute, Minutes } from './minutes.ts';

export function minuteSummary(minute: Minute, log: Logbook): string {
  const back = [...log.backMs.values()].flat();
  return [
    `  ${String(minute.minute).padStart(5)} min`,
    `${sum(log.operations.values())} operations`,
    `worst gap ${minute.worstGapMs} ms`,
    `back ${median(back)}/${worst(back)} ms`,
    `spawns ${minute.spawns}`,
    ...(minute.restarts === undefined ? [] : [`restarts ${counts(Object.entries(minute.restarts))}`]),
    `${minute.encoders} encoders`,
    `RSS ${minute.rssMegabytes} MB`,
    `FD ${minute.descriptors}`,
    `loop ${minute.loopMaxMs} ms`,
    `faults ${log.faults.length}`,
  ].join(', ');
}

export function endSummary(run: {
  chaos: Chaos;
  minutes: Minutes;
  orphans: number;
  before: AtRest;
  after: AtRest;
  seed: number;
}): string {
  const { chaos, minutes, before, after } = run;
  const { log, watchers, gate } = chaos;
  const figures = [...watchers.values()].map((watcher) => watcher.figures());
  const restarts = gate.latest?.by('aircheck_restarts_total', 'cause');
  const lines = [
    `seed ${run.seed}, ${Math.round((performance.now() - log.startedAt) / 1000)} s`,
    `operations: ${counts(log.operations)}`,
    `worst gap of ${figures.length} viewers who stayed: ${worst(figures.map(({ worstGapMs }) => worstGapMs))} ms`,
    ...[...log.slateMs].map(([kind, ms]) => {
      const back = log.backMs.get(kind) ?? [];
      return `after "${kind}": slate median ${median(ms)}, worst ${worst(ms)} ms; back after median ${median(back)}, worst ${worst(back)} ms`;
    }),
    `slate seen by them: ${figures.map(({ stillMs }) => `${Math.round(stillMs / 1000)} s`).join(', ')}`,
    `held back by the restart gate: ${log.heldBack}`,
    restarts === undefined
      ? 'restarts: the server gives no metrics'
      : `restarts: ${counts(Object.entries(restarts))}; most in 60 s: ${minutes.mostRestarts}`,
    `answers: ${counts(log.statuses)}`,
    `orphans: ${run.orphans}`,
    `at rest before: ${rest(before)}`,
    `at rest after: ${rest(after)}`,
    `RSS slope ${minutes.slope('rssMegabytes').toFixed(2)} MB/min, FD slope ${minutes.slope('descriptors').toFixed(2)}/min`,
    `faults: ${log.faults.length}`,
  ];
  return lines.map((line) => `  ${line}`).join('\n');
}

function rest({ rssMegabytes, kinds, resources }: AtRest): string {
  const held = counts(Object.entries(kinds));
  const timers = resources === undefined ? 'timers unknown' : `active ${counts(Object.entries(resources))}`;
  return `RSS ${rssMegabytes} MB, FD ${held}, ${timers}`;
}

function counts(of: Iterable<[string | number, number]>): string {
  const list = [...of].map(([name, count]) => `${name} ${count}`);
  return list.length === 0 ? 'none' : list.join(', ');
}

function sum(of: Iterable<number>): number {
  return [...of].reduce((total, count) => total + count, 0);
}

function median(of: number[]): number {
  return Math.round(of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0);
}

function worst(of: number[]): number {
  return Math.round(Math.max(0, ...of));
}
