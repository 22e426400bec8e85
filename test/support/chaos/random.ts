/** Chance that can be repeated. */
export interface Random {
  /** From 0 up to, but not, 1. */
  next(): number;
  between(min: number, max: number): number;
  pick<T>(list: readonly T[]): T;
  shuffled<T>(list: readonly T[]): T[];
  /** Chance of its own for somebody, which does not depend on how often others ask. */
  for(name: string): Random;
}

/** The same numbers for the same seed: mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (min, max) => min + next() * (max - min),
    pick: (list) => list[Math.floor(next() * list.length)] as (typeof list)[number],
    shuffled: (list) => {
      const left = [...list];
      return list.map(() => left.splice(Math.floor(next() * left.length), 1)[0] as (typeof list)[number]);
    },
    for: (name) => seeded([...name].reduce((sum, char) => Math.imul(sum, 31) + char.charCodeAt(0), seed)),
  };
}

/** Gives all of its contents in random order before it begins again. */
export class Bag<T> {
  private left: T[] = [];

  constructor(
    private readonly contents: readonly T[],
    private readonly random: Random,
  ) {
    this.left = random.shuffled(contents);
  }

  take(): T {
    const taken = this.left.pop() as T;
    if (this.left.length === 0) this.left = this.random.shuffled(this.contents);
    return taken;
  }

  /** To be taken again next, by whoever asks. */
  putBack(taken: T): void {
    this.left.push(taken);
  }
}
