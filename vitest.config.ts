import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores, and most tests run encoders: more workers only make the timings worse.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
