import type { Database } from '../db/connection.ts';
import {
  deleteCheckpointsFrom,
  deleteRowsFrom,
  insertCheckpoints,
  insertRows,
  moveRowEnd,
  type NewPlayoutRow,
  type PlayoutRow,
  rowsEndingAfter,
} from '../db/playout.ts';
import type { EpochMs } from '../schedule/types.ts';
import { withoutFirst } from './cursor-log.ts';
import { type Layout, sameOffline, sameRow } from './lay-out.ts';

/** What storing a plan has changed. */
export interface Stored {
  added: number;
  removed: number;
  /** Whether anything in the timeline is not as it was. */
  changed: boolean;
}

/** Stores a plan in place of all that is there from its beginning on; what is there already is not touched. */
export async function store(tx: Database, channelId: string, from: EpochMs, layout: Layout): Promise<Stored> {
  if (layout.rows.length === 0) return { added: 0, removed: 0, changed: false };
  // With what ends at the beginning: an offline row there goes on, if the plan begins with one.
  const stored = (await rowsEndingAfter(tx, channelId, from - 1)).filter(
    (row) => row.endsAt > from || row.kind === 'offline',
  );
  const rows = joined(stored[0], from, layout.rows);
  await storeCheckpoints(tx, channelId, from, rows[0]!, layout);
  const kept = commonLength(stored, rows);
  const next = stored[kept];
  const fresh = rows[kept];
  if (fresh === undefined) {
    const removed = next === undefined ? 0 : await deleteRowsFrom(tx, channelId, layout.endsAt);
    return { added: 0, removed, changed: removed > 0 };
  }
  // An offline row that becomes longer or shorter is still the same one.
  const moved =
    next !== undefined && next.startsAt === fresh.startsAt && sameOffline(next, fresh) ? next : undefined;
  const removed = await deleteRowsFrom(tx, channelId, moved === undefined ? fresh.startsAt : moved.endsAt);
  if (moved !== undefined) await moveRowEnd(tx, moved.id, fresh.endsAt);
  const added = rows.slice(moved === undefined ? kept : kept + 1);
  await insertRows(tx, channelId, added);
  return { added: added.length, removed, changed: true };
}

/** The plan's rows, together with the offline row that they touch or cut. */
function joined(
  before: PlayoutRow | undefined,
  from: EpochMs,
  rows: readonly NewPlayoutRow[],
): NewPlayoutRow[] {
  if (before === undefined || before.startsAt >= from) return [...rows];
  const [first, ...rest] = rows;
  if (first !== undefined && sameOffline(before, first)) {
    return [{ ...first, startsAt: before.startsAt }, ...rest];
  }
  return [{ ...before, endsAt: from }, ...rows];
}

function commonLength(stored: readonly NewPlayoutRow[], rows: readonly NewPlayoutRow[]): number {
  const different = rows.findIndex((row, index) => {
    const other = stored[index];
    return other === undefined || !sameRow(row, other);
  });
  return different === -1 ? rows.length : different;
}

/** Checkpoints belong to joints of rows: where two offline rows have become one, there is none any more. */
async function storeCheckpoints(
  tx: Database,
  channelId: string,
  from: EpochMs,
  first: NewPlayoutRow,
  { packs }: Layout,
): Promise<void> {
  await deleteCheckpointsFrom(tx, channelId, from);
  const swallowed = first.startsAt < from && first.endsAt > from;
  await insertCheckpoints(tx, channelId, swallowed ? withoutFirst(packs) : packs);
}
