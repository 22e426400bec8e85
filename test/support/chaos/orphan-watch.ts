import { encodersOf } from '../broadcast.ts';
import type { Chaos } from './context.ts';

/** Between its start and the moment at which the server lists it, an encoder looks like an orphan. */
const sightings = 3;

/** Compares the encoders that the system shows with those that the server knows of. To be called every second. */
export class OrphanWatch {
  readonly orphans = new Set<number>();
  private readonly seen = new Map<number, number>();

  constructor(private readonly chaos: Chaos) {}

  async look(): Promise<void> {
    const { server } = this.chaos.station;
    const before = await encodersOf(server);
    const answer = await this.chaos.api.call('GET', '/server');
    if (answer?.status !== 200) return;
    const after = new Set(await encodersOf(server));
    const known: number[] = answer.body.encoders.pids;
    const unknown = before.filter((pid) => after.has(pid) && !known.includes(pid));
    for (const pid of [...this.seen.keys()]) if (!unknown.includes(pid)) this.seen.delete(pid);
    for (const pid of unknown) {
      const times = (this.seen.get(pid) ?? 0) + 1;
      this.seen.set(pid, times);
      if (times === sightings && !this.orphans.has(pid)) {
        this.orphans.add(pid);
        this.chaos.log.fault(`the encoder ${pid} runs, and the server does not know of it`);
      }
    }
  }
}
