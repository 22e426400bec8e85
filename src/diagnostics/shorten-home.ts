/** Paths below the home directory begin with `~`: a bug report needs file names, but not who somebody is. */
export function shortenHome(home: string): (text: string) => string {
  if (home.length < 3) return (text) => text;
  const pattern = new RegExp(
    `${home.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?=[/\\\\"'\\s,:;)\\]}]|$)`,
    'gm',
  );
  return (text) => text.replace(pattern, '~');
}
