import type { Database } from '../db/connection.ts';
import { mediaTitles, type NewPlayoutRow, rowsBetween } from '../db/playout.ts';
import { InvalidError } from '../errors.ts';
import { plan } from '../schedule/plan.ts';
import type { EpochMs, FillerKind, ItemReason, PlanProblem, Schedule } from '../schedule/types.ts';
import { beginningAt, findBeginning } from './beginning.ts';
import type { CollectionReader } from './collection-reader.ts';
import { compare, type Difference } from './difference.ts';
import { layOut } from './lay-out.ts';
import { readSources } from './plan-channel.ts';
import { withNames } from './problem-names.ts';

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
  /** A day after the beginning, unless said. The plan reaches 14 days at most. */
  to?: EpochMs | undefined;
  freezeMs: number;
  edition: number;
  limit: number;
  offset: number;
}

/** An item that is on at some time. */
export interface PreviewItem {
  startsAt: EpochMs;
  endsAt: EpochMs;
  kind: NewPlayoutRow['kind'];
  media?: { id: string; title: string };
  inMs?: number;
  outMs?: number;
  slot?: string;
  filler?: FillerKind;
  guide?: number;
  why?: ItemReason;
}

export interface Preview {
  from: EpochMs;
  to: EpochMs;
  /** One page of the plan, which is stored nowhere; of each item, whether the timeline has the same. */
  items: (PreviewItem & { stored: boolean })[];
  total: number;
  /** Against the timeline, as far as that reaches. */
  difference: Difference & { to: EpochMs };
  /** What of the timeline begins within the time of this page and is not in the plan; no more than a page. */
  gone: PreviewItem[];
  problems: PlanProblem[];
}

export const longestPreviewMs = 14 * 86_400_000;

/**
 * What a channel would air by a schedule, and how that differs from its timeline. Changes nothing. Undefined when
 * there is no such channel. Throws InvalidError when the time that is asked for is over before the schedule begins.
 */
export async function previewChannel(
  db: Database,
  request: PreviewRequest,
  reader: CollectionReader,
): Promise<Preview | undefined> {
  const { channelId, now, edition, schedule, limit, offset } = request;
  const sources = await readSources(db, reader, channelId, { now, edition }, schedule);
  if (sources === undefined) return undefined;
  const { zone = sources.zone, seed = sources.seed } = request;
  const { from, cursors } = await beginningOf(db, request);
  const to = Math.min(request.to ?? from + dayMs, from + longestPreviewMs);
  if (to <= from) throw tooEarly(from);
  const { rows, problems } = layOut(plan, { ...sources, zone, seed }, { from, until: to, cursors });
  const stored = await rowsBetween(db, channelId, from, to, mostRows);
  const known = { from, to: Math.max(from, Math.min(to, stored.at(-1)?.endsAt ?? from)) };
  const { difference, isStored, gone } = compare(stored, rows, known);
  const page = rows.slice(offset, offset + limit);
  const goneHere = gone
    .filter((row) => offset === 0 || row.startsAt >= (page[0]?.startsAt ?? to))
    .filter((row) => row.startsAt < (rows[offset + limit]?.startsAt ?? to))
    .slice(0, limit);
  const titles = await titlesOf(db, [...page, ...goneHere]);
  return {
    ...{ from, to, total: rows.length, problems: withNames(problems, sources) },
    items: page.map((row) => ({ ...itemOf(row, titles), stored: isStored(row) })),
    difference: { ...difference, to: known.to },
    gone: goneHere.map((row) => itemOf(row, titles)),
  };
}

const dayMs = 86_400_000;

/** Two weeks of the shortest items that there can be. */
const mostRows = longestPreviewMs / 1_000;

async function beginningOf(db: Database, { channelId, now, freezeMs, from }: PreviewRequest) {
  if (typeof from === 'number') return await beginningAt(db, channelId, from);
  const replace = from === 'now' ? 'after-current' : 'beyond-freeze';
  return await findBeginning(db, { channelId, now, freezeMs, replace });
}

async function titlesOf(db: Database, rows: readonly NewPlayoutRow[]): Promise<Map<string, string>> {
  return await mediaTitles(db, [...new Set(rows.flatMap(({ mediaId }) => mediaId ?? []))]);
}

function itemOf(row: NewPlayoutRow, titles: ReadonlyMap<string, string>): PreviewItem {
  const { startsAt, endsAt, kind, mediaId, inMs, outMs, slot, filler, guide, why } = row;
  return {
    ...{ startsAt, endsAt, kind },
    ...(mediaId == null ? {} : { media: { id: mediaId, title: titles.get(mediaId) ?? '' } }),
    ...(inMs == null ? {} : { inMs }),
    ...(outMs == null ? {} : { outMs }),
    ...(slot == null ? {} : { slot }),
    ...(filler == null ? {} : { filler: filler as FillerKind }),
    ...(guide == null ? {} : { guide }),
    ...(why == null ? {} : { why }),
  };
}

function tooEarly(from: EpochMs): InvalidError {
  const message = `The schedule would begin at ${new Date(from).toISOString()}: "to" must be after that.`;
  return new InvalidError(message, { operation: 'previewing a schedule' });
}
