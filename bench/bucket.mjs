// node bench/bucket.mjs [WAITERS=10000] [ROUNDS=20]: the token bucket with many waiters of whom half give up,
// again and again: order, tokens, and the heap after each round.
import { setTimeout as delay } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { TokenBucket } from '../dist/streaming/token-bucket.js';

const waiters = Number(process.argv[2] ?? 10_000);
const rounds = Number(process.argv[3] ?? 20);
v8.setFlagsFromString('--expose_gc');
const collect = vm.runInNewContext('gc');

const heaps = [];
for (let round = 0; round < rounds; round++) {
  // The clock stands still until everybody is in the queue.
  const begun = performance.now();
  let queueing = true;
  const now = () => (queueing ? begun : performance.now());
  const bucket = new TokenBucket({ ratePerSecond: 100_000, burst: 10, now });
  const served = [];
  let gaveUp = 0;
  const leaving = [];
  const turns = Array.from({ length: waiters }, (_, who) => {
    const leave = new AbortController();
    if (who % 2 === 1) leaving.push(leave);
    return bucket.take(leave.signal).then(
      () => served.push(who),
      () => gaveUp++,
    );
  });
  for (const leave of leaving) leave.abort();
  queueing = false;
  await Promise.all(turns);
  const inOrder = served.every((who, index) => index === 0 || who > served[index - 1]);
  bucket.stop();
  if (!inOrder || served.length + gaveUp !== waiters || bucket.waiting !== 0) {
    console.error(`round ${round}: order ${inOrder}, served ${served.length}, gave up ${gaveUp}`);
    process.exitCode = 1;
  }
  await delay(10);
  collect();
  heaps.push(process.memoryUsage().heapUsed / 2 ** 20);
  if (round === 0) console.log(`${waiters} waiters: ${served.length} served in order, ${gaveUp} gave up`);
}
console.log(`heap after each round, MiB: ${heaps.map((mb) => mb.toFixed(1)).join(' ')}`);
