import { type Filler, fillerKinds, type Schedule, type Slot } from '../schedule/types.ts';

/**
 * A schedule that names its collections otherwise: by names in a file, by ids in the database.
 *
 * @param rename is told where in the schedule it stands, too
 */
export function renameCollections(
  schedule: Schedule,
  rename: (collection: string, path: readonly (string | number)[]) => string,
): Schedule {
  const slots = (list: readonly Slot[], path: readonly (string | number)[]) =>
    list.map((slot, index) => renamedSlot(slot, (name, key) => rename(name, [...path, index, ...key])));
  const { days } = schedule;
  return {
    ...schedule,
    slots: slots(schedule.slots, ['slots']),
    ...(days === undefined
      ? {}
      : { days: days.map((day, index) => ({ ...day, slots: slots(day.slots, ['days', index, 'slots']) })) }),
  };
}

function renamedSlot(slot: Slot, rename: (name: string, key: readonly string[]) => string): Slot {
  const { filler } = slot;
  const play = rename(slot.play, ['play']);
  return filler === undefined ? { ...slot, play } : { ...slot, play, filler: renamedFiller(filler, rename) };
}

function renamedFiller(filler: Filler, rename: (name: string, key: readonly string[]) => string): Filler {
  const renamed = { ...filler };
  for (const kind of fillerKinds) {
    const source = filler[kind];
    if (source?.from === undefined) continue;
    Object.assign(renamed, { [kind]: { ...source, from: rename(source.from, ['filler', kind, 'from']) } });
  }
  return renamed;
}
