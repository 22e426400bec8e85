import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { eq, inArray, sql } from 'drizzle-orm';
import { type Channel, listChannels, newGuideId } from '../db/channels.ts';
import { channels } from '../db/schema.ts';
import type { Schedule } from '../schedule/types.ts';
import { channelForm } from './export.ts';
import type { ChannelForm } from './format.ts';
import { type ImportRun, mayReplace } from './import-run.ts';
import { importTimeline } from './import-timeline.ts';
import { renameCollections } from './schedule-names.ts';

/** Adds the channels that are not there, and changes those of the same numbers that may be changed. */
export async function importChannels(run: ImportRun): Promise<void> {
  const { tx, file, changedProfiles, changedChannels } = run;
  const all = await listChannels(tx);
  const known = new Map(all.map((channel) => [channel.number, channel]));
  refuseTakenGuideIds(run, all);
  await freeGuideIds(run, known);
  for (const [index, form] of file.channels.entries()) {
    const path = `channels.${index}`;
    const plays = resolved(run, form, path);
    if (plays === undefined) continue;
    const same = known.get(form.number);
    if (same === undefined) await add(run, form, plays, path);
    else await replaceUnlessSame(run, form, plays, { same, path });
  }
  for (const { id, profileId } of all) if (changedProfiles.has(profileId)) changedChannels.add(id);
}

/** What a channel names, by ids. */
interface Plays {
  profileId: string;
  schedule: Schedule;
}

/** Undefined when the channel names something that is not there. */
function resolved(run: ImportRun, form: ChannelForm, path: string): Plays | undefined {
  const { wrong } = run;
  const before = wrong.length;
  const profileId = run.profiles.get(form.profile);
  if (profileId === undefined) {
    wrong.push({ path: `${path}.profile`, message: `there is no profile "${form.profile}"` });
  }
  const schedule = renameCollections(form.schedule, (name, key) => {
    const id = run.collections.get(name);
    if (id !== undefined) return id;
    const where = [path, 'schedule', ...key].join('.');
    wrong.push({ path: where, message: `there is no collection "${name}"` });
    return name;
  });
  return profileId === undefined || wrong.length > before ? undefined : { profileId, schedule };
}

async function add(run: ImportRun, form: ChannelForm, plays: Plays, path: string): Promise<void> {
  const { tx, report, changedChannels } = run;
  const { profile: _, schedule: __, guideId, seed, timeline, ...rest } = form;
  const id = randomUUID();
  await tx.insert(channels).values({
    ...{ ...rest, ...plays, id },
    guideId: guideId ?? newGuideId(form.number, id),
    seed: seed ?? randomInt(1, 2 ** 31 - 1),
  });
  if (timeline !== undefined) await importTimeline(run, id, timeline, path);
  changedChannels.add(id);
  report.channels.push({ name: form.number, action: 'add' });
}

/** A channel that is there goes on where it is, whatever the file says of that. */
async function replaceUnlessSame(
  run: ImportRun,
  form: ChannelForm,
  plays: Plays,
  { same, path }: { same: Channel; path: string },
): Promise<void> {
  const { tx, report, changedChannels } = run;
  const { timeline: _, ...wanted } = form;
  const own = { guideId: same.guideId, seed: same.seed };
  const names = { collectionNames: inverse(run.collections), profiles: inverse(run.profiles) };
  if (isDeepStrictEqual(channelForm(same, names), { ...own, ...wanted })) {
    report.channels.push({ name: form.number, action: 'keep' });
    return;
  }
  if (!mayReplace(run, path, `channel ${form.number}`)) return;
  const { profile: __, schedule: ___, ...rest } = wanted;
  await tx
    .update(channels)
    .set({ ...own, ...rest, ...plays, updatedAt: sql`now()` })
    .where(eq(channels.id, same.id));
  changedChannels.add(same.id);
  report.channels.push({ name: form.number, action: 'replace' });
}

/** Players know a channel by its guide id: two cannot have the same. */
function refuseTakenGuideIds({ file, wrong }: ImportRun, all: readonly Channel[]): void {
  const numbers = new Set(file.channels.map(({ number }) => number));
  const owners = new Map(
    all.filter(({ number }) => !numbers.has(number)).map((one) => [one.guideId, one.number]),
  );
  for (const [index, { guideId = '' }] of file.channels.entries()) {
    const owner = owners.get(guideId);
    if (owner === undefined) continue;
    wrong.push({ path: `channels.${index}.guideId`, message: `belongs to channel ${owner} already` });
  }
}

/** Two channels may exchange their guide ids: until both have theirs, they are called by something else. */
async function freeGuideIds(
  { tx, file, replace }: ImportRun,
  known: ReadonlyMap<string, Channel>,
): Promise<void> {
  const moving = file.channels.flatMap(({ number, guideId }) => {
    const same = known.get(number);
    return same !== undefined && guideId !== undefined && guideId !== same.guideId ? [same.id] : [];
  });
  if (!replace || moving.length === 0) return;
  await tx
    .update(channels)
    .set({ guideId: sql`${channels.id}::text` })
    .where(inArray(channels.id, moving));
}

function inverse(names: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...names].map(([name, id]) => [id, name]));
}
