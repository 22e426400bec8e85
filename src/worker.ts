// The background worker's main module: heavy work with a connection of its own, off the thread that streams.
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { type Connection, type ConnectTarget, connect } from './db/connection.ts';
import { type RenderedGuide, type RenderOptions, renderGuide } from './guide/render.ts';
import { type PlanChannelRequest, type PlanChannelResult, planChannel } from './playout/plan-channel.ts';

export interface WorkerData {
  target: ConnectTarget;
}

let connection: Connection | undefined;

function database() {
  connection ??= connect((workerData as WorkerData).target, {
    max: 2,
    applicationName: 'aircheck worker',
  });
  return connection.db;
}

export async function plan(request: PlanChannelRequest): Promise<PlanChannelResult | undefined> {
  return await planChannel(database(), request);
}

export async function guide(options: RenderOptions): Promise<RenderedGuide> {
  const rendered = await renderGuide(database(), options);
  // Handed over, not copied: it is megabytes.
  return move({
    [transferableSymbol]: [rendered.body.buffer, rendered.gzip.buffer],
    [valueSymbol]: rendered,
  } as never) as unknown as RenderedGuide;
}
