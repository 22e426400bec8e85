import type { Database } from '../db/connection.ts';
import { mediaTitles, type NewPlayoutRow, rowsBetween } from '../db/playout.ts';
import { plan } from '../schedule/plan.ts';
import type { EpochMs, ItemReason, PlanProblem, Schedule } from '../schedule/types.ts';
import { beginningAt, findBeginning } from './beginning.ts';
import type { CollectionReader } from './collection-reader.ts';
import { layOut } from './lay-out.ts';
import { readSources } from './plan-channel.ts';

export interface PreviewRequest {
  channelId: string;
  now: EpochMs;
  schedule: Schedule;
  zone?: string | undefined;
  seed?: number | undefined;
  /**
   * Where the schedule would begin: beyond the freeze horizon, as when it is saved, if this is undefined; `now` is
   * after the programme on air; an instant is the first joint of the timeline from then on.
   */
  from?: EpochMs | 'now' | undefined;
  /** A day after the beginning, unless said. At most 14 days after it. */
  to?: EpochMs | undefined;
  freezeMs: number;
  edition: number;
  limit: number;
  offset: number;
}

/** An item of the plan, which is stored nowhere. */
export interface PreviewItem {
  startsAt: EpochMs;
  endsAt: EpochMs;
  kind: NewPlayoutRow['kind'];
  media?: { id: string; title: string };
  inMs?: number;
  outMs?: number;
  slot?: string;
  filler?: string;
  guide?: number;
  why?: ItemReason;
}

export interface Preview {
  from: EpochMs;
  to: EpochMs;
  /** One page of them. */
  items: PreviewItem[];
  total: number;
  /** Against what is stored, item by item: the same media, from and to the same instants. */
  difference: {
    added: number;
    removed: number;
    unchanged: number;
    /** The first instant at which something else is on. */
    firstAt?: EpochMs;
  };
  problems: PlanProblem[];
}

export const longestPreviewMs = 14 * 86_400_000;
const dayMs = 86_400_000;

/** What a channel would air by a schedule, and how that differs from its timeline. Changes nothing. */
export async function previewChannel(
  db: Database,
  request: PreviewRequest,
  reader: CollectionReader,
): Promise<Preview | undefined> {
  const { channelId, now, edition, freezeMs, schedule } = request;
  const sources = await readSources(db, reader, channelId, { now, edition }, schedule);
  if (sources === undefined) return undefined;
  const { zone = sources.zone, seed = sources.seed } = request;
  const replace = request.from === 'now' ? 'after-current' : 'beyond-freeze';
  const { from, cursors } =
    typeof request.from === 'number'
      ? await beginningAt(db, channelId, request.from)
      : await findBeginning(db, { channelId, now, freezeMs, replace });
  const to = Math.max(from, Math.min(request.to ?? from + dayMs, from + longestPreviewMs));
  const { rows, problems } = layOut(plan, { ...sources, zone, seed, schedule }, { from, until: to, cursors });
  const stored = await rowsBetween(db, channelId, from, to, mostRows);
  const page = rows.slice(request.offset, request.offset + request.limit);
  return {
    ...{ from, to, total: rows.length, problems },
    items: await shown(db, page),
    difference: differenceOf(stored, rows, { from, to }),
  };
}

/** Two weeks of the shortest items that there can be. */
const mostRows = longestPreviewMs / 1_000;

/** Being offline is cut at both ends of the window; what plays is not. */
export function differenceOf(
  stored: readonly NewPlayoutRow[],
  planned: readonly NewPlayoutRow[],
  { from, to }: { from: EpochMs; to: EpochMs },
): Preview['difference'] {
  const cut = (row: NewPlayoutRow) =>
    row.kind === 'offline'
      ? { ...row, startsAt: Math.max(row.startsAt, from), endsAt: Math.min(row.endsAt, to) }
      : row;
  const [before, after] = [stored, planned].map(
    (rows) => new Map(rows.map(cut).map((row) => [airing(row), row])),
  );
  const removed = [...before!].filter(([key]) => !after!.has(key));
  const added = [...after!].filter(([key]) => !before!.has(key));
  const firstAt = [...removed, ...added].reduce((least, [, row]) => Math.min(least, row.startsAt), to);
  return {
    ...{ added: added.length, removed: removed.length, unchanged: after!.size - added.length },
    ...(added.length + removed.length === 0 ? {} : { firstAt }),
  };
}

function airing({
  startsAt,
  endsAt,
  kind,
  mediaId = null,
  inMs = null,
  outMs = null,
}: NewPlayoutRow): string {
  return [startsAt, endsAt, kind, mediaId, inMs, outMs].join(' ');
}

async function shown(db: Database, rows: readonly NewPlayoutRow[]): Promise<PreviewItem[]> {
  const titles = await mediaTitles(db, [...new Set(rows.flatMap(({ mediaId }) => mediaId ?? []))]);
  return rows.map(({ startsAt, endsAt, kind, mediaId, inMs, outMs, slot, filler, guide, why }) => ({
    ...{ startsAt, endsAt, kind },
    ...(mediaId == null ? {} : { media: { id: mediaId, title: titles.get(mediaId) ?? '' } }),
    ...(inMs == null ? {} : { inMs }),
    ...(outMs == null ? {} : { outMs }),
    ...(slot == null ? {} : { slot }),
    ...(filler == null ? {} : { filler }),
    ...(guide == null ? {} : { guide }),
    ...(why == null ? {} : { why }),
  }));
}
