/** The name of the constraint that a statement violated, if that is why it failed. */
export function violationOf(error: unknown): string | undefined {
  const { code, constraint_name: constraint } = (
    error instanceof Error && error.cause !== undefined ? error.cause : (error ?? {})
  ) as { code?: unknown; constraint_name?: unknown };
  // Class 23: integrity constraint violation.
  return typeof code === 'string' && code.startsWith('23') ? String(constraint) : undefined;
}
