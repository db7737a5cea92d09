/**
 * Converts a YAML document to plain data, and maps data back to its position in the text. `toJS` is not used, for two
 * reasons: alias bombs, circular anchors and duplicate keys need a position, and a long plan with many aliases must not
 * count as a bomb.
 */
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  visit,
  type Alias,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from "yaml";

/** The steps from a document's root to a value. */
export type Path = readonly (string | number)[];
export type Range = readonly [number, number];

const DEEPEST = 100;
/** The most nodes that aliases and merges may add. A plan of 10,000 services that share a base of 20 keys fits. */
const MOST_EXPANDED = 250_000;

export class YamlData {
  readonly data: unknown;
  /** The problems. `first` is the earlier position that {line} in the message stands for. */
  readonly problems: { range: Range; message: string; first?: Range }[] = [];
  private readonly targets = new Map<Alias, Node>();
  private readonly pairsOf = new Map<YAMLMap, Map<string, Pair>>();
  private readonly open = new Set<Node>();
  private expanded = 0;
  /** The outermost alias or merge that is being expanded. */
  private expansion: Node | null = null;

  constructor(private readonly document: Document) {
    this.findAliases();
    for (const warning of document.warnings)
      this.problems.push({ range: warning.pos, message: tagProblem(warning.message) });
    this.data = this.toData(document.contents, 0, false);
  }

  /** A scalar's source text, or null if `path` has no scalar. */
  written(path: Path): string | null {
    const node = this.deref(this.find(path).value);
    return isScalar(node) ? scalarText(node) : null;
  }

  /** The range of the key or value at `path`. A block of several lines is represented by its key. */
  range(path: Path, part: "key" | "value"): Range {
    const { key, value } = this.find(path);
    const keyRange = rangeOf(key);
    const valueRange = rangeOf(value);
    if (keyRange === null) return valueRange ?? [0, 0];
    const block = (isMap(value) || isSeq(value)) && value.flow !== true;
    const empty = valueRange === null || valueRange[0] >= valueRange[1];
    return part === "key" || block || empty ? keyRange : valueRange;
  }

  private find(path: Path): { key: Node | null; value: Node | null } {
    let key: Node | null = null;
    let value: Node | null = this.document.contents;
    for (const step of path) {
      const inside = this.deref(value);
      if (isMap(inside)) {
        const pair = this.pairs(inside).get(String(step));
        if (pair === undefined) return { key, value };
        [key, value] = [pair.key as Node, pair.value as Node | null];
      } else if (isSeq(inside)) {
        [key, value] = [null, (inside.items[Number(step)] as Node | undefined) ?? null];
      }
    }
    return { key, value };
  }

  private toData(node: Node | null, depth: number, expanding: boolean): unknown {
    if (node === null || this.isTooMuch(node, depth, expanding)) return null;
    if (isAlias(node)) return this.aliasToData(node, depth);
    if (isScalar(node)) return plain(node.value);
    if (isSeq(node))
      return this.inside(
        node,
        () => node.items.map((item) => this.toData(item as Node | null, depth + 1, expanding)),
        node,
      );
    if (!isMap(node)) return null;
    return this.inside(node, () => this.mapToData(node, depth, expanding), node);
  }

  private mapToData(map: YAMLMap, depth: number, expanding: boolean): Record<string, unknown> {
    const own = new Set(map.items);
    const entries = [...this.pairs(map)].map(
      ([key, pair]) => [key, this.toData(pair.value as Node | null, depth + 1, expanding || !own.has(pair))] as const,
    );
    // fromEntries creates own properties even for "__proto__".
    return Object.fromEntries(entries);
  }

  private aliasToData(alias: Alias, depth: number): unknown {
    const target = this.targets.get(alias);
    if (target === undefined)
      return this.problem(alias, `unknown anchor "${alias.source}": define &${alias.source} before *${alias.source}`);
    const outermost = this.expansion === null;
    this.expansion ??= alias;
    const data = this.inside(target, () => this.toData(target, depth + 1, true), alias);
    if (outermost) this.expansion = null;
    return data;
  }

  /** Detects a node that contains itself through an alias. */
  private inside(node: Node, make: () => unknown, place: Node): unknown {
    if (isAlias(place) && this.open.has(node))
      return this.problem(place, `the anchor "${place.source}" contains itself`);
    const outermost = !this.open.has(node);
    this.open.add(node);
    const data = make();
    if (outermost) this.open.delete(node);
    return data;
  }

  private isTooMuch(node: Node, depth: number, expanding: boolean): boolean {
    if (depth > DEEPEST) {
      this.problem(node, `nested deeper than ${DEEPEST} levels`);
      return true;
    }
    if (!expanding) return false;
    this.expanded += 1;
    if (this.expanded === MOST_EXPANDED + 1)
      this.problem(
        this.expansion ?? node,
        `the plan's aliases expand to more than ${MOST_EXPANDED} values (an "alias bomb"): use fewer aliases`,
      );
    return this.expanded > MOST_EXPANDED;
  }

  /** The pairs of a map by key, with merges (`<<`): own keys win, then earlier merges. */
  private pairs(map: YAMLMap): Map<string, Pair> {
    const known = this.pairsOf.get(map);
    if (known !== undefined) return known;
    const pairs = new Map<string, Pair>();
    this.pairsOf.set(map, pairs);
    const merges: Pair[] = [];
    for (const pair of map.items) {
      if (isMerge(pair)) merges.push(pair);
      else this.addPair(pairs, pair);
    }
    for (const merge of merges) this.addMerge(pairs, merge);
    return pairs;
  }

  private addPair(pairs: Map<string, Pair>, pair: Pair): void {
    const node = this.deref(pair.key as Node | null);
    const name = isScalar(node) && node.value !== null ? scalarText(node) : null;
    if (name === null)
      return void this.problem(
        (pair.key as Node | null) ?? (pair.value as Node | null),
        "a key must be plain text, such as name:",
      );
    const first = pairs.get(name);
    if (first === undefined) return void pairs.set(name, pair);
    this.problems.push({
      range: rangeOf(pair.key as Node) ?? [0, 0],
      message: `duplicate key "${name}", first used at line {line}: remove or rename one`,
      first: rangeOf(first.key as Node) ?? [0, 0],
    });
  }

  private addMerge(pairs: Map<string, Pair>, merge: Pair): void {
    const value = this.deref(merge.value as Node | null);
    const maps = isSeq(value) ? value.items.map((item) => this.deref(item as Node | null)) : [value];
    for (const map of maps) {
      if (!isMap(map)) {
        this.problem(merge.key as Node, "<< needs a map or a list of maps, such as <<: *base");
        continue;
      }
      for (const [name, pair] of this.pairs(map)) if (!pairs.has(name)) pairs.set(name, pair);
    }
  }

  private deref(node: Node | null): Node | null {
    for (let hops = 0; isAlias(node) && hops < DEEPEST; hops++) node = this.targets.get(node) ?? null;
    return node;
  }

  private findAliases(): void {
    const anchors = new Map<string, Node>();
    visit(this.document, {
      Node: (_key, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target !== undefined) this.targets.set(node, target);
        } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }

  private problem(node: Node | null, message: string): null {
    this.problems.push({ range: rangeOf(node) ?? [0, 0], message });
    return null;
  }
}

function isMerge(pair: Pair): boolean {
  return isPair(pair) && isScalar(pair.key) && typeof pair.key.value === "symbol";
}

function scalarText(node: Scalar): string {
  return typeof node.value === "string" ? node.value : (node.source ?? JSON.stringify(node.value));
}

function rangeOf(node: Node | null): Range | null {
  return node?.range ? [node.range[0], node.range[1]] : null;
}

/** Only JSON's scalars are data here. A huge integer stays the number that YAML parsed. */
function plain(value: unknown): unknown {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

function tagProblem(message: string): string {
  const tag = /^Unresolved tag: (.*)$/.exec(message)?.[1];
  return tag === undefined
    ? `YAML: ${message}`
    : `the tag ${tag.replace("tag:yaml.org,2002:", "!!")} is not supported in a launch plan: remove it`;
}
