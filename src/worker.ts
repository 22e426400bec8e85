// The background worker's main module: heavy work with a connection of its own, off the thread that streams.
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { type Connection, type ConnectTarget, connect } from './db/connection.ts';
import { inHaste, type PatienceName } from './db/patience.ts';
import type { Packed } from './guide/packed.ts';
import { type FragmentRequest, localise, type RenderedFragment, renderFragment } from './guide/render.ts';
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

export async function guide(request: FragmentRequest): Promise<Answer<RenderedFragment | undefined>> {
  // A player waits for it.
  const rendered = await answer(() => inHaste(() => renderFragment(database(), request)));
  if ('failure' in rendered) return rendered;
  const contents = rendered.value?.pieces.flatMap(({ content }) => content ?? []) ?? [];
  return moved(
    rendered,
    contents.flatMap(({ packed, local }) => [packed, ...local.values()]),
  );
}

export async function guideAddress(request: { deflated: Uint8Array[]; base: string }): Promise<Packed[]> {
  const local = localise(request.deflated, request.base);
  return moved(local, local);
}

/** Handed over, not copied. */
function moved<T>(value: T, packed: readonly Packed[]): T {
  const buffers = packed.map(({ deflated }) => deflated.buffer);
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value } as never) as unknown as T;
}
