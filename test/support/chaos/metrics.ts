import type { RunningServer } from '../server.ts';

/** One reading of /metrics. */
export class MetricsReading {
  private readonly samples: { name: string; labels: Record<string, string>; value: number }[] = [];

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match === null) continue;
      const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
      this.samples.push({
        name: match[1] as string,
        labels: Object.fromEntries(labels.map(([, key, value]) => [key, value])),
        value: Number(match[3]),
      });
    }
  }

  /** The sum of all samples of this name that have these labels. */
  sum(name: string, labels: Record<string, string> = {}): number {
    return this.samples
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** The values of a metric by one of its labels. */
  by(name: string, label: string): Record<string, number> {
    const found: Record<string, number> = {};
    for (const sample of this.samples) {
      const key = sample.labels[label];
      if (sample.name === name && key !== undefined) found[key] = (found[key] ?? 0) + sample.value;
    }
    return found;
  }
}

/** Undefined when the server does not give any. */
export async function readMetrics(server: RunningServer): Promise<MetricsReading | undefined> {
  const response = await fetch(`${server.base}/metrics`, {
    headers: { authorization: `Bearer ${server.key}` },
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined);
  return response?.ok ? new MetricsReading(await response.text()) : undefined;
}
