declare const __ROLLCALL_VERSION__: string;

/** The version of this page and of the program around it: they are built together. */
export const VERSION = __ROLLCALL_VERSION__;

/** How a server's version stands to ours, as far as they talk to each other: the first number, below 1 the second too. */
export function compareVersion(server: string, ours = VERSION): "older" | "same" | "newer" {
  const significant = (version: string) => {
    const [major = 0, minor = 0] = version.split(/[.+-]/).map(Number);
    return major * 1_000_000 + (major === 0 ? minor : 0);
  };
  const [theirs, own] = [significant(server), significant(ours)];
  if (theirs === own) return "same";
  return theirs > own ? "newer" : "older";
}
