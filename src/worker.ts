// The background worker's main module: heavy work with a connection of its own, off the thread that streams.
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { type Connection, type ConnectTarget, connect } from './db/connection.ts';
import { inHaste, type PatienceName } from './db/patience.ts';
import type { Packed } from './guide/packed.ts';
import { type FragmentRequest, localise, type RenderedFragment, renderFragment } from './guide/render.ts';
import { CollectionReader } from './playout/collection-reader.ts';
import { type PlanChannelRequest, type PlanChannelResult, planChannel } from './playout/plan-channel.ts';
import { type Preview, type PreviewRequest, previewChannel } from './playout/preview.ts';
import { exportFile, toYaml } from './transfer/export.ts';
import { type ImportAnswer, type ImportOptions, importFile } from './transfer/import.ts';
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

const reader = new CollectionReader();

export interface PlanTask {
  request: PlanChannelRequest;
  /** That of who asks. */
  patience: PatienceName;
}

export async function plan({ request, patience }: PlanTask): Promise<Answer<PlanChannelResult | undefined>> {
  return await patiently(patience, () => planChannel(database(), request, { reader }));
}

export interface PreviewTask {
  request: PreviewRequest;
  patience: PatienceName;
}

export async function preview({ request, patience }: PreviewTask): Promise<Answer<Preview | undefined>> {
  return await patiently(patience, () => previewChannel(database(), request, reader));
}

export async function guide(request: FragmentRequest): Promise<Answer<RenderedFragment | undefined>> {
  // A player waits for it.
  const rendered = await patiently('request', () => renderFragment(database(), request));
  if ('failure' in rendered) return rendered;
  const contents = rendered.value?.pieces.flatMap(({ content }) => content ?? []) ?? [];
  const packed = contents.flatMap((content) => [content.packed, ...content.local.values()]);
  return handedOver(
    rendered,
    packed.map(({ deflated }) => deflated.buffer),
  );
}

export async function guideAddress(request: { deflated: Uint8Array[]; base: string }): Promise<Packed[]> {
  const local = localise(request.deflated, request.base);
  return handedOver(
    local,
    local.map(({ deflated }) => deflated.buffer),
  );
}

export async function exportAll(): Promise<Answer<Uint8Array<ArrayBuffer>>> {
  const file = await patiently('request', async () =>
    new TextEncoder().encode(toYaml(await exportFile(database(), Date.now()))),
  );
  return 'failure' in file ? file : handedOver(file, [file.value.buffer]);
}

export async function importAll(
  request: ImportOptions & { file: Uint8Array },
): Promise<Answer<ImportAnswer>> {
  const { file, ...options } = request;
  return await patiently('request', () => importFile(database(), file, options));
}

async function patiently<T>(patience: PatienceName, work: () => Promise<T>): Promise<Answer<T>> {
  return await answer(() => (patience === 'request' ? inHaste(work) : work()));
}

/** Not copied on the way to the other thread. */
function handedOver<T>(value: T, buffers: readonly ArrayBufferLike[]): T {
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value } as never) as unknown as T;
}
