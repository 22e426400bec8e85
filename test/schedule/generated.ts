import fc from 'fast-check';

/**
 * Checks a property on generated values. When it does not hold, fast-check prints the seed and the smallest values
 * that it could find. PLAN_RUNS multiplies the runs, and PLAN_SEED repeats those of a seed.
 */
export function check<Values extends [unknown, ...unknown[]]>(
  values: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
  runs: number,
  property: (...values: NoInfer<Values>) => void,
): void {
  const { PLAN_RUNS = '1', PLAN_SEED } = process.env;
  fc.assert(fc.property(...values, property), {
    numRuns: Math.ceil(runs * Number(PLAN_RUNS)),
    ...(PLAN_SEED === undefined ? {} : { seed: Number(PLAN_SEED) }),
  });
}

/** The test timeout of so many runs grows with them. */
export const patienceMs = 60_000 * Math.max(1, Number(process.env.PLAN_RUNS ?? 1));
