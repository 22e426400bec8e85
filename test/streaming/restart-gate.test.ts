import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config.ts';
import { nobody } from '../../src/streaming/observer.ts';
import { RestartGate } from '../../src/streaming/restart-gate.ts';

const trouble = { kind: 'retrying', text: 'the media ended early', failure: 'ends-early' } as const;

function gateOf() {
  const clock = { now: 1_000_000 };
  const restarts: string[] = [];
  const gate = new RestartGate({
    settings: configSchema.parse({}).streaming,
    observer: { ...nobody, restarted: (cause) => void restarts.push(cause) },
    now: () => clock.now,
    random: () => 0.5,
  });
  return { gate, clock, restarts };
}

describe('the restart gate', () => {
  it('lets items start as they come', () => {
    const { gate, restarts } = gateOf();
    const channel = gate.channel('a', '1');
    for (let n = 0; n < 100; n++) expect(channel.ask('item')).toEqual({ granted: true, cause: 'item' });
    expect(restarts).toEqual([]);
  });

  it('lets no more than ten new tries through in any minute, over all channels', () => {
    const { gate, clock } = gateOf();
    const granted: number[] = [];
    for (let second = 0; second < 600; second++) {
      clock.now += 1_000;
      for (let channel = 0; channel < 6; channel++) {
        if (gate.channel(String(channel), String(channel)).ask('retry').granted) granted.push(clock.now);
      }
    }
    for (const at of granted) {
      expect(granted.filter((other) => other >= at && other < at + 60_000).length).toBeLessThanOrEqual(10);
    }
    expect(granted.length).toBeGreaterThanOrEqual(100);
  });

  it('says how long to wait', () => {
    const { gate, clock } = gateOf();
    const channel = gate.channel('a', '1');
    for (let n = 0; n < 10; n++) {
      channel.ask('retry');
      clock.now += 1_000;
    }
    expect(channel.ask('retry')).toEqual({ granted: false, reason: 'throttled', waitMs: 50_000 });
  });

  it('keeps the health task from restarting a channel twice within 30 s', () => {
    const { gate, clock } = gateOf();
    const channel = gate.channel('a', '1');
    expect(channel.askForHealth().granted).toBe(true);
    clock.now += 29_999;
    expect(channel.askForHealth()).toEqual({ granted: false, reason: 'too-soon', waitMs: 1 });
    clock.now += 1;
    expect(channel.askForHealth().granted).toBe(true);
  });

  it('remembers a lockout when the channel is tuned to anew, and admits one trial', () => {
    const { gate, clock, restarts } = gateOf();
    for (let n = 0; n < 5; n++) gate.channel('a', '1').failed(trouble);
    gate.tidy();
    const again = gate.channel('a', '1');
    expect(again.ask('item')).toEqual({ granted: false, reason: 'breaker-open', waitMs: 120_000 });
    expect(again.lastTrouble).toBe(trouble);
    clock.now += 120_000;
    expect(again.ask('item')).toEqual({ granted: true, cause: 'trial' });
    expect(again.ask('item')).toMatchObject({ granted: false, reason: 'breaker-open' });
    again.worked();
    expect(again.ask('item')).toEqual({ granted: true, cause: 'item' });
    expect(restarts).toEqual(['trial']);
  });

  it('locks one channel out and no other', () => {
    const { gate } = gateOf();
    for (let n = 0; n < 5; n++) gate.channel('a', '1').failed(trouble);
    expect(gate.channel('b', '2').ask('item').granted).toBe(true);
  });

  it('forgets a channel that has been well for long', () => {
    const { gate, clock } = gateOf();
    const before = gate.channel('a', '1');
    before.failed(trouble);
    gate.tidy();
    expect(gate.channel('a', '1')).toBe(before);
    clock.now += 300_001;
    gate.tidy();
    expect(gate.channel('a', '1')).not.toBe(before);
  });
});
