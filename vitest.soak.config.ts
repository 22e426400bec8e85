import { defineConfig } from 'vitest/config';

// What takes minutes: `npm run soak`, or `npm run soak -- -t joints` for one of them.
export default defineConfig({
  test: {
    include: ['test/soak/**/*.soak.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 45 * 60_000,
    hookTimeout: 5 * 60_000,
    fileParallelism: false,
    disableConsoleIntercept: true,
  },
});
