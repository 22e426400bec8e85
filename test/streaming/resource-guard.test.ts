import { describe, expect, it, onTestFinished } from 'vitest';
import { ResourceGuard } from '../../src/streaming/resource-guard.ts';

const settings = { minFreeMegabytes: 128, maxDescriptorPercent: 90 };
const plenty = { availableBytes: 8 * 2 ** 30, descriptors: { used: 40, limit: 1024 } };

async function refusalFor(usage: Partial<typeof plenty>) {
  const guard = new ResourceGuard(settings, async () => ({ ...plenty, ...usage }));
  await guard.look();
  return guard.refusal();
}

describe('the resource guard', () => {
  it('has nothing against a machine with room', async () => {
    expect(await refusalFor({})).toBeUndefined();
  });

  it('refuses when memory runs short, and says what to do', async () => {
    const refusal = await refusalFor({ availableBytes: 127 * 2 ** 20 });
    expect(refusal?.reason).toBe('memory');
    expect(refusal?.message).toContain('Only 127 MB');
    expect(refusal?.message).toContain('streaming.minFreeMegabytes');
  });

  it('refuses when file descriptors run short', async () => {
    const refusal = await refusalFor({ descriptors: { used: 922, limit: 1024 } });
    expect(refusal?.reason).toBe('file-descriptors');
    expect(refusal?.message).toContain('922 of');
  });

  it('refuses nothing when the system does not tell', async () => {
    const guard = new ResourceGuard(settings, async () => {
      throw new Error('there is no /proc');
    });
    await guard.look();
    expect(guard.refusal()).toBeUndefined();
  });

  it('reads what this machine has', async () => {
    const guard = new ResourceGuard({ ...settings, minFreeMegabytes: 1_000_000 });
    onTestFinished(() => guard.stop());
    await guard.start();
    expect(guard.refusal()?.reason).toBe('memory');
  });
});
