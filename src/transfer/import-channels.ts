import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { eq, inArray, sql } from 'drizzle-orm';
import { type Channel, listChannels, newGuideId } from '../db/channels.ts';
import { channels } from '../db/schema.ts';
import type { Schedule } from '../schedule/types.ts';
import { channelForm } from './export.ts';
import type { ChannelForm } from './format.ts';
import { type Import, mayReplace } from './import.ts';
import { renameCollections } from './schedule-names.ts';

/** Adds the channels that are not there, and changes those of the same numbers that may be changed. */
export async function importChannels(run: Import): Promise<void> {
  const { tx, file, report, changedChannels } = run;
  const all = await listChannels(tx);
  const known = new Map(all.map((channel) => [channel.number, channel]));
  const names = {
    collectionNames: inverse(run.collections),
    profiles: inverse(run.profiles),
  };
  refuseTakenGuideIds(run, all);
  await freeGuideIds(run, known);
  for (const [index, form] of file.channels.entries()) {
    const path = `channels.${index}`;
    const same = known.get(form.number);
    const profileId = run.profiles.get(form.profile);
    if (profileId === undefined) {
      run.wrong.push({ path: `${path}.profile`, message: `there is no profile "${form.profile}"` });
    }
    const schedule = scheduleOf(run, form, path);
    if (profileId === undefined || schedule === undefined) continue;
    const { profile: _, schedule: __, guideId, seed, ...rest } = form;
    if (same === undefined) {
      const id = randomUUID();
      await tx.insert(channels).values({
        ...{ ...rest, id, profileId, schedule },
        guideId: guideId ?? newGuideId(form.number, id),
        seed: seed ?? randomInt(1, 2 ** 31 - 1),
      });
      changedChannels.push(id);
      report.channels.push({ name: form.number, action: 'add' });
    } else if (
      isDeepStrictEqual(channelForm(same, names), { guideId: same.guideId, seed: same.seed, ...form })
    ) {
      report.channels.push({ name: form.number, action: 'keep' });
    } else if (mayReplace(run, path, `channel ${form.number}`)) {
      const own = { guideId: guideId ?? same.guideId, seed: seed ?? same.seed };
      await tx
        .update(channels)
        .set({ ...rest, ...own, profileId, schedule, updatedAt: sql`now()` })
        .where(eq(channels.id, same.id));
      changedChannels.push(same.id);
      report.channels.push({ name: form.number, action: 'replace' });
    }
  }
}

/** Undefined when it plays a collection that is not there. */
function scheduleOf(run: Import, form: ChannelForm, path: string): Schedule | undefined {
  let complete = true;
  const schedule = renameCollections(form.schedule, (name, key) => {
    const id = run.collections.get(name);
    if (id !== undefined) return id;
    complete = false;
    run.wrong.push({
      path: [path, 'schedule', ...key].join('.'),
      message: `there is no collection "${name}"`,
    });
    return name;
  });
  return complete ? schedule : undefined;
}

/** Players know a channel by its guide id: two cannot have the same. */
function refuseTakenGuideIds({ file, wrong }: Import, all: readonly Channel[]): void {
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
  { tx, file, replace }: Import,
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
