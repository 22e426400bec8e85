import type { Schedule } from '../schedule/types.ts';

interface TitledSlot {
  id: string;
  guide?: { title?: string | undefined } | undefined;
}

/** What the slots of a schedule call their blocks in the guide, those of its days too, by the slot's id. */
export function slotTitles(schedule: Schedule): Map<string, string> {
  const { slots, days = [] } = schedule as {
    slots: readonly TitledSlot[];
    days?: readonly { slots: readonly TitledSlot[] }[];
  };
  const titles = new Map<string, string>();
  for (const { id, guide } of [...slots, ...days.flatMap((day) => day.slots)]) {
    if (guide?.title !== undefined) titles.set(id, guide.title);
  }
  return titles;
}
