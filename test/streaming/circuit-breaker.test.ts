import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from '../../src/streaming/circuit-breaker.ts';

const limits = { failures: 5, windowMs: 300_000, openMs: 120_000 };

function breakerOf() {
  const clock = { now: 0 };
  const changes: string[] = [];
  const breaker = new CircuitBreaker(
    limits,
    () => clock.now,
    (state) => changes.push(state),
  );
  return { breaker, clock, changes };
}

function openBreaker() {
  const opened = breakerOf();
  for (let n = 0; n < 5; n++) opened.breaker.failed();
  return opened;
}

describe('a circuit breaker', () => {
  it('opens at the fifth failure within five minutes', () => {
    const { breaker, clock } = breakerOf();
    for (let n = 0; n < 4; n++) {
      breaker.failed();
      clock.now += 60_000;
    }
    expect(breaker.state).toBe('closed');
    breaker.failed();
    expect(breaker.state).toBe('open');
    expect(breaker.waitMs).toBe(120_000);
  });

  it('does not mind failures that are further apart', () => {
    const { breaker, clock } = breakerOf();
    for (let n = 0; n < 50; n++) {
      breaker.failed();
      clock.now += 75_001;
    }
    expect(breaker.state).toBe('closed');
  });

  it('has a trial after two minutes, and not before', () => {
    const { breaker, clock } = openBreaker();
    clock.now += 119_999;
    expect(breaker.trialIsDue).toBe(false);
    clock.now += 1;
    expect(breaker.trialIsDue).toBe(true);
    breaker.beginTrial();
    expect(breaker.state).toBe('half-open');
    expect(breaker.trialIsDue).toBe(false);
  });

  it('closes with a trial that succeeds, and has forgotten what was before', () => {
    const { breaker, clock, changes } = openBreaker();
    clock.now += 120_000;
    breaker.beginTrial();
    breaker.succeeded();
    for (let n = 0; n < 4; n++) breaker.failed();
    expect(breaker.state).toBe('closed');
    expect(changes).toEqual(['open', 'half-open', 'closed']);
  });

  it('is open again for two minutes after a trial that fails', () => {
    const { breaker, clock } = openBreaker();
    clock.now += 500_000;
    breaker.beginTrial();
    breaker.failed();
    expect(breaker.state).toBe('open');
    expect(breaker.waitMs).toBe(120_000);
  });

  it('gives the next one the trial that was given up', () => {
    const { breaker, clock } = openBreaker();
    clock.now += 120_000;
    breaker.beginTrial();
    breaker.trialGivenUp();
    expect(breaker.trialIsDue).toBe(true);
  });

  it('is not kept open by failures that come in late', () => {
    const { breaker, clock } = openBreaker();
    clock.now += 60_000;
    breaker.failed();
    expect(breaker.waitMs).toBe(60_000);
  });

  it('never lets more than one trial out, and none before its time, whatever happens', () => {
    const steps = fc.array(
      fc.record({ waitMs: fc.nat(200_000), what: fc.constantFrom('fail', 'succeed', 'give up', 'ask') }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (happenings) => {
        const { breaker, clock } = breakerOf();
        let trials = 0;
        let openedAt = 0;
        for (const { waitMs, what } of happenings) {
          clock.now += waitMs;
          const before = breaker.state;
          if (what === 'ask' && breaker.trialIsDue) {
            breaker.beginTrial();
            trials++;
            expect(clock.now - openedAt).toBeGreaterThanOrEqual(limits.openMs);
          }
          if (what === 'fail') breaker.failed();
          if (what === 'succeed') breaker.succeeded();
          if (what === 'give up') breaker.trialGivenUp();
          if (before === 'half-open' && breaker.state !== 'half-open') trials--;
          if (before !== 'open' && breaker.state === 'open' && what === 'fail') openedAt = clock.now;
          expect(trials).toBe(breaker.state === 'half-open' ? 1 : 0);
        }
      }),
    );
  });
});
