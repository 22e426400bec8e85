import type { Stock } from './stock.ts';
import type { PlanProblem, Slot } from './types.ts';

/**
 * What is wrong with a schedule wherever its window lies, each slot and media once. `current` is the index of
 * the slot that the plan begins with.
 */
export function findProblems(
  slots: readonly Slot[],
  stocks: ReadonlyMap<string, Stock>,
  current: number,
): PlanProblem[] {
  const endless = endlessFlood(slots, stocks, current);
  return slots.flatMap((slot) => [
    ...supplyProblems(slot, stocks.get(slot.play)!),
    ...(endless === undefined || endless === slot ? [] : [unreachable(slot, endless)]),
  ]);
}

function supplyProblems(slot: Slot, { entries, unfit }: Stock): PlanProblem[] {
  if (entries.length === 0 && unfit.length === 0) {
    return [{ code: 'empty-collection', slot: slot.id, message: `collection "${slot.play}" is empty` }];
  }
  return unfit.map((media) => ({
    code: 'never-fits',
    slot: slot.id,
    media: media.id,
    message: `media "${media.id}" lasts ${media.durationMs} ms`,
  }));
}

/** The first flood that the channel comes to: no slot has a fixed start that could end it. */
function endlessFlood(
  slots: readonly Slot[],
  stocks: ReadonlyMap<string, Stock>,
  current: number,
): Slot | undefined {
  return [...slots.slice(current), ...slots.slice(0, current)].find(
    (slot) => slot.mode === 'flood' && stocks.get(slot.play)!.entries.length > 0,
  );
}

function unreachable(slot: Slot, flood: Slot): PlanProblem {
  return {
    code: 'unreachable-slot',
    slot: slot.id,
    message: `nothing ends flood "${flood.id}": once it has begun, "${slot.id}" is not reached`,
  };
}
