/**
 * Several parts of cloud-config become one as cloud-init merges them: by default what comes later takes the place of
 * what came before.
 */

export interface Merging {
  readonly replaces: boolean;
  readonly listsInDicts: boolean;
  readonly lists: "keep" | "append" | "prepend" | "replace";
}

const DEFAULT = "dict(replace)+list()+str()";

/**
 * @param written `list(append)+dict(recurse_array)+str()`, or the same as a list of names and settings; nothing: the
 * default.
 */
export function mergingOf(written: unknown): Merging {
  const words =
    typeof written === "string"
      ? written
      : Array.isArray(written)
        ? (written as { name: string; settings?: string[] }[])
            .map(({ name, settings = [] }) => `${name}(${settings.join(",")})`)
            .join("+")
        : DEFAULT;
  const of = (name: string): string[] =>
    (new RegExp(`${name}\\(([^)]*)\\)`).exec(words)?.[1] ?? "").split(",").map((word) => word.trim());
  const lists = of("list");
  return {
    replaces: of("dict").includes("replace"),
    listsInDicts: of("dict").includes("recurse_array") || of("dict").includes("recurse_list"),
    lists: lists.includes("append")
      ? "append"
      : lists.includes("prepend")
        ? "prepend"
        : lists.includes("replace")
          ? "replace"
          : "keep",
  };
}

export function mergeConfig(before: unknown, after: unknown, merging: Merging): unknown {
  if (Array.isArray(before) && Array.isArray(after)) return mergeLists(before, after, merging);
  if (!isDict(before) || !isDict(after)) return before;
  const merged: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(after)) {
    if (!(key in before) || merging.replaces) merged[key] = value;
    else if (isDict(value) || (Array.isArray(value) && merging.listsInDicts))
      merged[key] = mergeConfig(before[key], value, merging);
  }
  return merged;
}

function mergeLists(before: readonly unknown[], after: readonly unknown[], { lists }: Merging): unknown[] {
  if (lists === "append") return [...before, ...after];
  if (lists === "prepend") return [...after, ...before];
  return lists === "replace" ? [...after] : [...before];
}

function isDict(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
