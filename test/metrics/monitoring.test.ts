import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Metrics } from '../../src/metrics/metrics.ts';
import { readExposition } from '../support/exposition.ts';
import { until } from '../support/server.ts';
import { quietSources, streamOf } from './sources.ts';

const root = join(import.meta.dirname, '../..');
const read = (name: string) => readFile(join(root, 'monitoring', name), 'utf8');

/** By metric, the values that each of its labels has had. */
let known: Map<string, Map<string, Set<string>>>;
let metrics: Metrics;

beforeAll(async () => {
  const sources = quietSources();
  sources.lineup = () => [{ id: 'channel-1', number: '1' }];
  sources.streams = () => [streamOf('1', { lastOutputAgeMs: 1 })];
  sources.tasks = () => [{ name: 'playout', runs: 1, failures: 0, lastDurationMs: 1, lastSucceededAt: 1 }];
  sources.checks = () => ({ database: { ok: true } });
  metrics = new Metrics(sources);
  metrics.start();
  for (const status of [200, 500]) metrics.answered({ method: 'GET', route: '/', status });
  collectGarbage();
  const text = await until('a collection is counted', async () => {
    const written = await metrics.text();
    return written.includes('nodejs_gc_duration_seconds_count') ? written : undefined;
  });
  known = new Map([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => [name as string, new Map()]));
  for (const { name, labels } of readExposition(text)) {
    if (!known.has(name)) known.set(name, new Map());
    for (const [label, value] of Object.entries(labels)) {
      const values = known.get(name)!;
      values.set(label, (values.get(label) ?? new Set()).add(value));
    }
  }
});
afterAll(() => metrics.stop());

/** Its metrics are there only when it has happened. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

interface Query {
  metrics: string[];
  /** Labels that are equal to a text. */
  equal: { metric: string; label: string; value: string }[];
  labels: string[];
}

/** Takes an expression apart, by the grammar of Prometheus. Fails where it is none. */
function understood(expression: string): Query {
  const tree = parser.configure({ strict: true }).parse(expression);
  const query: Query = { metrics: [], equal: [], labels: [] };
  tree.iterate({
    enter: ({ name, from, to, node }) => {
      const text = expression.slice(from, to);
      if (name === 'LabelName') query.labels.push(text);
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') query.metrics.push(text);
      if (name !== 'UnquotedLabelMatcher') return;
      const [, label = '', operator, value = ''] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(text) ?? [];
      const metric = query.metrics.at(-1) ?? '';
      const values = operator === '=~' ? value.split('|') : [value];
      for (const one of values) query.equal.push({ metric, label, value: one });
    },
  });
  return query;
}

/** Added by Prometheus itself. */
const added = ['instance', 'job'];

function holds(expression: string): void {
  const query = understood(expression);
  expect(query.metrics.length).toBeGreaterThan(0);
  const own = query.metrics.filter((name) => name !== 'up');
  for (const name of own) expect([...known.keys()], expression).toContain(name);
  const labels = own.flatMap((name) => [...known.get(name)!.keys()]);
  for (const label of query.labels) expect([...labels, ...added], expression).toContain(label);
  for (const { metric, label, value } of query.equal) {
    if (added.includes(label)) continue;
    expect([...(known.get(metric)?.get(label) ?? [])], expression).toContain(value);
  }
}

describe('the alert rules', () => {
  interface Rule {
    alert: string;
    expr: string;
    for?: string;
    labels: { severity: string };
    annotations: { summary: string; description: string };
  }
  const rules = async () =>
    (parse(await read('alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
      (group) => group.rules,
    );

  it('ask for metrics and labels that there are', async () => {
    const all = await rules();
    expect(all.length).toBeGreaterThan(8);
    for (const { expr } of all) holds(expr);
  });

  it('have names of their own, a severity, and say what is wrong and what to do', async () => {
    const all = await rules();
    expect(new Set(all.map(({ alert }) => alert)).size).toBe(all.length);
    for (const { alert, labels, annotations, ...rule } of all) {
      expect(alert).toMatch(/^Aircheck[A-Z]\w+$/);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(rule.for ?? '0s').toMatch(/^\d+[smh]$/);
      expect(annotations.summary).toBeTruthy();
      expect(annotations.description).toBeTruthy();
    }
  });

  it('cover what can go wrong', async () => {
    const asked = (await rules()).map(({ expr }) => expr).join('\n');
    for (const name of [
      'up',
      'aircheck_channel_slate',
      'aircheck_breaker_state',
      'aircheck_restarts_total',
      'aircheck_playout_horizon_seconds',
      'aircheck_event_loop_delay_p99_seconds',
      'aircheck_encoder_slots_used',
      'aircheck_health_check_ok',
      'aircheck_task_runs_total',
    ]) {
      expect(asked).toContain(name);
    }
  });
});

describe('the dashboard', () => {
  interface Panel {
    id: number;
    type: string;
    title: string;
    datasource?: { uid: string };
    targets?: { refId: string; expr: string; datasource: { uid: string } }[];
    gridPos: { x: number; y: number; w: number; h: number };
  }
  interface Dashboard {
    panels: Panel[];
    templating: { list: { name: string; type: string; query: unknown; definition?: string }[] };
    annotations: { list: { expr: string }[] };
  }
  const dashboard = async () => JSON.parse(await read('grafana-dashboard.json')) as Dashboard;
  /** Grafana puts the distance of its points here. */
  const filledIn = (expression: string) => expression.replaceAll('$__rate_interval', '1m');

  it('asks for metrics and labels that there are', async () => {
    const { panels, annotations } = await dashboard();
    const expressions = panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr);
    expect(expressions.length).toBeGreaterThan(30);
    for (const expr of [...expressions, ...annotations.list.map(({ expr }) => expr)]) holds(filledIn(expr));
  });

  it('can be imported with any data source', async () => {
    const { panels, templating } = await dashboard();
    expect(templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['instance', 'query'],
    ]);
    const [, metric = ''] =
      /^label_values\((\w+), instance\)$/.exec(templating.list[1]?.definition ?? '') ?? [];
    expect([...known.keys()]).toContain(metric);
    for (const panel of panels.filter(({ type }) => type !== 'row')) {
      const used = [panel, ...(panel.targets ?? [])].map(({ datasource }) => datasource?.uid);
      expect(new Set(used)).toEqual(new Set([`\${datasource}`]));
    }
  });

  it('has panels that do not lie on one another', async () => {
    const { panels } = await dashboard();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      for (const { gridPos: b } of panels.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, title).toBe(true);
      }
    }
  });

  it('shows every metric of the server itself', async () => {
    const { panels } = await dashboard();
    const shown = panels
      .flatMap(({ targets }) => targets ?? [])
      .flatMap(({ expr }) => understood(filledIn(expr)).metrics);
    const own = [...(await metrics.text()).matchAll(/^# TYPE (aircheck_\S+)/gm)].map(
      ([, name]) => name as string,
    );
    const isShown = (name: string) => shown.some((used) => used.replace(/_(bucket|sum|count)$/, '') === name);
    // The release is what the list of servers is made from.
    expect(own.filter((name) => !isShown(name))).toEqual(['aircheck_build_info']);
  });
});

describe('the example of a configuration', () => {
  it('sends the key from a file to the route of the metrics, and has the alert rules', async () => {
    const { scrape_configs: scrapes, rule_files: rules } = parse(await read('prometheus.yaml'));
    expect(scrapes).toHaveLength(1);
    expect(scrapes[0]).toMatchObject({ job_name: 'aircheck', metrics_path: '/metrics' });
    expect(scrapes[0].authorization).toEqual({ type: 'Bearer', credentials_file: expect.any(String) });
    expect(rules).toEqual(['alerts.yaml']);
  });
});
