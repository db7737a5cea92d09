/** File patterns of the command line: `*` and `?` within a name, `[a-z]`, and `**` for any folders. Takes time in proportion to text and pattern, not more. */

/** Whether a path (`logs/boot.log`) matches. A pattern without a slash is matched against the last name alone. */
export function matchesGlob(path: string, pattern: string): boolean {
  const names = path.split("/");
  if (!pattern.includes("/")) return matchesName(names.at(-1) ?? "", tokens(pattern));
  const parts = pattern.split("/").map((part) => (part === "**" ? null : tokens(part)));
  return matchesAll(names, parts, (name, part) => matchesName(name, part));
}

/** One character that matches; null: any number of them. */
type Token = ((character: string) => boolean) | null;

function matchesName(name: string, pattern: readonly Token[]): boolean {
  return matchesAll([...name], pattern, (character, token) => token(character));
}

/** Wildcards (null) take as little as they can; only the last one ever has to take more (that is enough, as for `fnmatch`). */
function matchesAll<Item, Part>(items: readonly Item[], pattern: readonly (Part | null)[], matches: (item: Item, part: Part) => boolean): boolean {
  let at = 0;
  let part = 0;
  let wildcard = -1;
  let from = 0;
  while (at < items.length) {
    const wanted = pattern[part];
    if (wanted === null) {
      wildcard = part;
      from = at;
      part += 1;
    } else if (wanted !== undefined && matches(items[at] as Item, wanted)) {
      at += 1;
      part += 1;
    } else if (wildcard >= 0) {
      from += 1;
      at = from;
      part = wildcard + 1;
    } else return false;
  }
  return pattern.slice(part).every((rest) => rest === null);
}

function tokens(pattern: string): Token[] {
  const found: Token[] = [];
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] as string;
    const end = character === "[" ? characters.indexOf("]", at + (/[!^]/.test(characters[at + 1] ?? "") ? 3 : 2)) : -1;
    if (character === "*") found.push(null);
    else if (character === "?") found.push(() => true);
    else if (end > 0) {
      found.push(characterClass(characters.slice(at + 1, end)));
      at = end;
    } else found.push((one) => one === character);
  }
  return found;
}

function characterClass(inside: readonly string[]): (character: string) => boolean {
  const negated = inside[0] === "!" || inside[0] === "^";
  const members = negated ? inside.slice(1) : inside;
  return (character) => {
    let found = false;
    for (let at = 0; at < members.length; at += 1) {
      const first = members[at] as string;
      const last = members[at + 1] === "-" && at + 2 < members.length ? (members[at + 2] as string) : first;
      if (last !== first) at += 2;
      if (character >= first && character <= last) found = true;
    }
    return found !== negated;
  };
}
