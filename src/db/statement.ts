/** Whether a statement changes nothing. None of ours calls a function that does. */
export function isRead(text: string): boolean {
  return /^\s*(select|show|declare|fetch|close)\b/i.test(text);
}

/** What a statement does, in words that fit behind "while". */
export function operationOf(text: string): string {
  const [, verb = '', table] =
    /^\s*(select\b[\s\S]*?\bfrom|insert into|update|delete from)\s+"?(\w+)/i.exec(text) ?? [];
  if (table === undefined) return 'asking the database';
  switch (verb.slice(0, 6).toLowerCase()) {
    case 'select':
      return `reading ${table}`;
    case 'insert':
      return `adding to ${table}`;
    case 'update':
      return `changing ${table}`;
    default:
      return `deleting from ${table}`;
  }
}
