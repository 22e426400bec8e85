import type { PlanCollection, PlanProblem } from '../schedule/types.ts';

const quotedId = /"([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})"/g;

/** Problems as a person reads them: the planner knows collections and media by their ids only. */
export function withNames(
  problems: readonly PlanProblem[],
  {
    collections,
    names,
  }: { collections: ReadonlyMap<string, PlanCollection>; names: ReadonlyMap<string, string> },
): PlanProblem[] {
  const titles = titlesOf(new Set(problems.flatMap(({ media }) => media ?? [])), collections);
  return problems.map((problem) => ({
    ...problem,
    message: problem.message.replace(quotedId, (quoted, id: string) => {
      const name = names.get(id) ?? titles.get(id);
      return name === undefined ? quoted : `"${name}"`;
    }),
  }));
}

function titlesOf(
  wanted: ReadonlySet<string>,
  collections: ReadonlyMap<string, PlanCollection>,
): Map<string, string> {
  const titles = new Map<string, string>();
  if (wanted.size === 0) return titles;
  for (const collection of collections.values()) {
    if ('playlist' in collection) continue;
    for (const { id, title } of collection) if (wanted.has(id) && title !== undefined) titles.set(id, title);
  }
  return titles;
}
