import { compareTexts, type Stock } from '../stock.ts';
import { Sequence } from './sequence.ts';
import { chronological, entryOrder } from './sorting.ts';

export interface Show {
  /** Undefined for what belongs to no show. */
  name: string | undefined;
  /** In their own order. */
  entries: Sequence;
}

/** The shows of a stock by name; what belongs to none is the last one. */
export function showsOf(stock: Stock): Show[] {
  const members = new Map<string | undefined, number[]>();
  for (const [index, { show }] of stock.media.entries()) {
    const known = members.get(show);
    if (known === undefined) members.set(show, [index]);
    else known.push(index);
  }
  const order = entryOrder(stock, chronological);
  const named = [...members.keys()].filter((name) => name !== undefined).sort(compareTexts);
  return [...named, ...(members.has(undefined) ? [undefined] : [])].map((name) => ({
    name,
    entries: new Sequence(stock, order, Uint32Array.from(members.get(name)!)),
  }));
}
