import { createHash } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { Database } from '../db/connection.ts';
import { lastContentEnd, setTimelineState, type TimelineState, timelineState } from '../db/playout.ts';
import { channels } from '../db/schema.ts';
import { violationOf } from '../db/violation.ts';
import { UnavailableError } from '../errors.ts';
import { plan } from '../schedule/plan.ts';
import {
  collectionsOf,
  type EpochMs,
  isPlaylist,
  type PlanCollection,
  type PlanProblem,
  type Schedule,
} from '../schedule/types.ts';
import { findBeginning, type Replacement } from './beginning.ts';
import { CollectionReader } from './collection-reader.ts';
import { type Layout, layOut, type Planner, type PlanSources } from './lay-out.ts';
import { withNames } from './problem-names.ts';
import { type Stored, store } from './store.ts';

// How a timeline is kept. What it is planned from is read, the plan is made, and then rows and cursors are stored in
// one transaction, if neither the channel nor its timeline has changed meanwhile; if they have, it is all done again.
// So the database is not held while the planner works, and one channel is planned while another is stored.

export interface PlanChannelRequest {
  channelId: string;
  now: EpochMs;
  /** The timeline shall reach as far as this. */
  until: EpochMs;
  /** What of the timeline may be replaced. Without it, the timeline is only made longer. */
  replace?: Replacement;
  freezeMs: number;
  /** Nothing is replaced if all that is not frozen was planned from what the channel would be planned from now. */
  unlessSame?: boolean;
  /** While nothing is replaced, a timeline that reaches as far as this is left as it is; `until` unless said. */
  enough?: EpochMs;
  /** Changes whenever media or collections may have changed; while it is the same, what was read is used again. */
  edition?: number;
}

export interface PlanChannelResult extends Stored {
  endsAt: EpochMs;
  /** What it plays changes as time goes by, though nobody changes anything. */
  byTime: boolean;
  status: 'ok' | 'no_content';
  problems: PlanProblem[];
}

export interface PlanChannelOptions {
  planner?: Planner;
  reader?: CollectionReader;
}

const attempts = 5;

/**
 * Makes a channel's timeline reach until the instant that is asked for, and replaces the part of it that may be
 * replaced, if it would come out otherwise. The item on air stays, unless the channel is offline. Undefined
 * when there is no such channel.
 *
 * A replacement is one transaction: when it fails, everything is as it was.
 */
export async function planChannel(
  db: Database,
  request: PlanChannelRequest,
  { planner = plan, reader = new CollectionReader() }: PlanChannelOptions = {},
): Promise<PlanChannelResult | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const { channelId, now } = request;
    const state = await timelineState(db, channelId);
    // What failed to be stored may have been read before a media was deleted.
    const edition = attempt === 1 ? request.edition : undefined;
    const sources = await readSources(db, reader, channelId, { now, edition });
    if (sources === undefined) return undefined;
    const digest = digestOf(sources);
    const same = digest === state.sources;
    const replace = request.unlessSame === true && same ? undefined : request.replace;
    const { from, cursors, extent, anew } = await findBeginning(db, { ...request, replace });
    const enough = replace === undefined && !anew && extent!.endsAt >= (request.enough ?? request.until);
    const until = enough ? from : request.until;
    const layout = layOut(planner, sources, { from, until, cursors });
    const plan = { from, layout, inParts: extent === undefined || from >= extent.endsAt };
    const isFresh = anew || replace !== undefined;
    const next = {
      version: state.version,
      sources: isFresh || same ? digest : null,
      since: same ? (state.since ?? from) : isFresh ? from : null,
    };
    const stored = await storePlan(db, sources, next, plan);
    if (stored === 'gone') return undefined;
    if (stored === 'outdated') continue;
    const contentEndsAt = await lastContentEnd(db, channelId);
    return {
      ...stored,
      endsAt: enough ? extent!.endsAt : layout.endsAt,
      byTime: sources.byTime,
      status: contentEndsAt !== undefined && contentEndsAt > now ? 'ok' : 'no_content',
      problems: withNames(layout.problems, sources),
    };
  }
  throw new UnavailableError('The channel is being edited too often to be planned.', {
    operation: 'planning',
  });
}

/** What a channel is planned from, and whose it is. */
export interface ChannelSources extends PlanSources {
  channelId: string;
  /** What the collections are called. */
  names: ReadonlyMap<string, string>;
  byTime: boolean;
}

/**
 * Undefined when there is no such channel.
 *
 * @param instead a schedule in place of the channel's own
 */
export async function readSources(
  db: Database,
  reader: CollectionReader,
  channelId: string,
  moment: { now: EpochMs; edition?: number | undefined },
  instead?: Schedule,
): Promise<ChannelSources | undefined> {
  const { zone, seed, schedule } = channels;
  const [channel] = await db
    .select({ zone, seed, schedule })
    .from(channels)
    .where(eq(channels.id, channelId));
  if (channel === undefined) return undefined;
  const played = instead ?? channel.schedule;
  const read = await reader.read(db, collectionsOf(played), moment);
  return { channelId, ...channel, ...read, schedule: played };
}

/** The media of collections that are the same list are digested once. */
const digests = new WeakMap<object, string>();

function digestOf({ zone, seed, schedule, collections }: PlanSources): string {
  const parts = [...collections].map(([id, collection]) => [id, collectionDigest(collection)]);
  return sha256(JSON.stringify([zone, seed, schedule, parts]));
}

function collectionDigest(collection: PlanCollection): string {
  const known = digests.get(collection);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  if (isPlaylist(collection)) hash.update(JSON.stringify(collection));
  else {
    // The text of a hundred thousand media would take more memory than they do.
    for (let first = 0; first < collection.length; first += digestedAtOnce) {
      hash.update(JSON.stringify(collection.slice(first, first + digestedAtOnce)));
    }
  }
  const digest = hash.digest('base64url');
  digests.set(collection, digest);
  return digest;
}

const digestedAtOnce = 500;

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

interface NewPlan {
  from: EpochMs;
  layout: Layout;
  /** Nothing is replaced: a failure in the middle leaves a shorter timeline and no hole. */
  inParts: boolean;
}

/** Stores a plan, if channel and timeline are what it was made from. */
async function storePlan(
  db: Database,
  sources: ChannelSources,
  state: TimelineState,
  { from, layout, inParts }: NewPlan,
): Promise<Stored | 'gone' | 'outdated'> {
  const total = { added: 0, removed: 0, changed: false };
  if (layout.rows.length === 0) return total;
  let { version } = state;
  for (const part of inParts ? partsOf(from, layout) : [{ from, layout }]) {
    const expected = version;
    // It may run more than once, and must know the same each time.
    const stored = await transactionUnlessOutdated(db, async (tx) => {
      const lock = await lockChannel(tx, sources, expected);
      if (lock !== 'locked') return lock;
      await setTimelineState(tx, sources.channelId, { ...state, version: expected + 1 });
      return await store(tx, sources.channelId, part.from, part.layout);
    });
    if (typeof stored === 'string') return stored;
    version = expected + 1;
    total.added += stored.added;
    total.removed += stored.removed;
    total.changed ||= stored.changed;
  }
  return total;
}

async function transactionUnlessOutdated<T>(
  db: Database,
  work: (tx: Database) => Promise<T>,
): Promise<T | 'outdated'> {
  try {
    return await db.transaction(work);
  } catch (error) {
    // A media was deleted after the collections had been read.
    if (violationOf(error) === 'playout_items_media_id_media_id_fk') return 'outdated';
    throw error;
  }
}

/** Holds the channel's row until the end of the transaction, if it and its timeline are what the plan was made from. */
async function lockChannel(
  tx: Database,
  { channelId, zone, seed, schedule }: ChannelSources,
  version: number,
): Promise<'locked' | 'gone' | 'outdated'> {
  const [channel] = await tx
    .select({ zone: channels.zone, seed: channels.seed, schedule: channels.schedule })
    .from(channels)
    .where(eq(channels.id, channelId))
    .for('no key update');
  if (channel === undefined) return 'gone';
  if (JSON.stringify(channel) !== JSON.stringify({ zone, seed, schedule })) return 'outdated';
  return (await timelineState(tx, channelId)).version === version ? 'locked' : 'outdated';
}

/** So many rows or somewhat more go into one transaction, so that no other query waits for long. */
const rowsPerPart = 1_000;

/** Cuts a layout where its packs of checkpoints begin. */
function partsOf(from: EpochMs, layout: Layout): { from: EpochMs; layout: Layout }[] {
  const parts: { from: EpochMs; layout: Layout }[] = [];
  let part: { from: EpochMs; layout: Layout } = { from, layout: { ...layout, rows: [], packs: [] } };
  let row = 0;
  for (const [index, pack] of layout.packs.entries()) {
    if (part.layout.rows.length >= rowsPerPart) {
      parts.push(part);
      part = { from: pack.at, layout: { ...layout, rows: [], packs: [] } };
    }
    part.layout.packs.push(pack);
    const end = layout.packs[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    while (row < layout.rows.length && layout.rows[row]!.startsAt < end)
      part.layout.rows.push(layout.rows[row++]!);
    part.layout.endsAt = part.layout.rows.at(-1)?.endsAt ?? part.from;
  }
  parts.push(part);
  return parts;
}
