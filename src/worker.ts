// The background worker's main module: heavy work with a connection of its own, off the thread that streams.
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { type Connection, type ConnectTarget, connect } from './db/connection.ts';
import { inHaste, type PatienceName } from './db/patience.ts';
import { type RenderedGuide, type RenderOptions, renderGuide } from './guide/render.ts';
import { type PlanChannelRequest, type PlanChannelResult, planChannel } from './playout/plan-channel.ts';
import { type Answer, answer } from './worker-answer.ts';

export interface WorkerData {
  target: ConnectTarget;
}

let connection: Connection | undefined;

function database() {
  connection ??= connect((workerData as WorkerData).target, {
    max: (workerData as WorkerData).target.max ?? 2,
    applicationName: 'aircheck worker',
  });
  return connection.db;
}

export interface PlanTask {
  request: PlanChannelRequest;
  /** That of who asks. */
  patience: PatienceName;
}

export async function plan({ request, patience }: PlanTask): Promise<Answer<PlanChannelResult | undefined>> {
  const work = () => planChannel(database(), request);
  return await answer(() => (patience === 'request' ? inHaste(work) : work()));
}

export async function guide(options: RenderOptions): Promise<Answer<RenderedGuide>> {
  // A player waits for it.
  const rendered = await answer(() => inHaste(() => renderGuide(database(), options)));
  if ('failure' in rendered) return rendered;
  const { body, gzip } = rendered.value;
  // Handed over, not copied: it is megabytes.
  return move({
    [transferableSymbol]: [body.buffer, gzip.buffer],
    [valueSymbol]: rendered,
  } as never) as unknown as Answer<RenderedGuide>;
}
