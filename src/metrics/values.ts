import type { Gauge, Histogram } from 'prom-client';

type Labels<L extends string> = Record<L, string>;

/** Notes a duration. What is no number is left out: whoever tells of it must not stumble over it. */
export function observeMs<L extends string>(histogram: Histogram<L>, labels: Labels<L>, ms: number): void {
  if (Number.isFinite(ms)) histogram.observe(labels, Math.max(0, ms) / 1000);
}

/** A gauge of something that there is never less than none of. */
export function set<L extends string>(gauge: Gauge<L>, labels: Labels<L>, value: number): void {
  if (Number.isFinite(value)) gauge.set(labels, Math.max(0, value));
}
