import { readdir, readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import type { SpawnRefusal } from './observer.ts';

type Settings = Pick<Config['streaming'], 'minFreeMegabytes' | 'maxDescriptorPercent'>;

interface Usage {
  /** As the system or the container it gives us allows. */
  availableBytes: number;
  /** Undefined where the system does not tell. */
  descriptors: { used: number; limit: number } | undefined;
}

const lookEveryMs = 2_000;

/**
 * Watches memory and file descriptors, so that an encoder is refused in words instead of being killed by the
 * system, or failing half-way, when either runs out.
 */
export class ResourceGuard {
  private timer: NodeJS.Timeout | undefined;
  private found: { reason: SpawnRefusal; message: string } | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly usage: () => Promise<Usage> = currentUsage,
  ) {}

  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), lookEveryMs);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Why no encoder should be started now; undefined when one may. */
  refusal(): { reason: SpawnRefusal; message: string } | undefined {
    return this.found;
  }

  /** Never throws: what cannot be read does not refuse. */
  async look(): Promise<void> {
    try {
      this.found = judge(await this.usage(), this.settings);
    } catch {
      this.found = undefined;
    }
  }
}

function judge(usage: Usage, settings: Settings): { reason: SpawnRefusal; message: string } | undefined {
  const freeMegabytes = Math.floor(usage.availableBytes / 2 ** 20);
  if (freeMegabytes < settings.minFreeMegabytes) {
    return {
      reason: 'memory',
      message: `Only ${freeMegabytes} MB of memory are left, and no encoder is started below ${settings.minFreeMegabytes} (streaming.minFreeMegabytes). Let fewer channels be watched at a time, or give the server more memory.`,
    };
  }
  const { descriptors } = usage;
  if (descriptors === undefined) return undefined;
  if ((100 * descriptors.used) / descriptors.limit <= settings.maxDescriptorPercent) return undefined;
  return {
    reason: 'file-descriptors',
    message: `${descriptors.used} of the server's ${descriptors.limit} file descriptors are in use, and no encoder is started above ${settings.maxDescriptorPercent} % (streaming.maxDescriptorPercent). Raise the limit (ulimit -n), or allow fewer viewers (streaming.maxViewers).`,
  };
}

async function currentUsage(): Promise<Usage> {
  return { availableBytes: process.availableMemory(), descriptors: await openDescriptors() };
}

async function openDescriptors(): Promise<Usage['descriptors']> {
  if (process.platform !== 'linux') return undefined;
  const [open, limits] = await Promise.all([readdir('/proc/self/fd'), readFile('/proc/self/limits', 'utf8')]);
  const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return limit === undefined ? undefined : { used: open.length, limit: Number(limit) };
}
