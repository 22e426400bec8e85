import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest comes first, so that no worker is left alone with it at the end: whole servers, then streams. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const folders = ['/test/e2e/', '/test/library/', '/test/streaming/', '/test/ffmpeg/', '/test/db/'];
    const rank = ({ moduleId }: TestSpecification) => {
      const index = folders.findIndex((folder) => moduleId.includes(folder));
      return index === -1 ? folders.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores, and most tests run encoders: more workers only make the timings worse.
    maxWorkers: 2,
    // Of the tests of a file that run side by side.
    maxConcurrency: 3,
    sequence: { sequencer: LongestFirst },
    reporters: ['default'],
  },
});
