import type { z } from 'zod';

/** A line `path: message` for each thing that is wrong; an unknown key has a line of its own. */
export function describeIssues(error: z.ZodError, prefix: readonly string[] = []): string[] {
  return error.issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path.map(String)];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => `${[...path, key].join('.')}: this key is not known here`);
    }
    return [`${path.join('.') || 'request'}: ${issue.message}`];
  });
}
