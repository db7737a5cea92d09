import type { Edge } from "./waitCycles.js";
import type { Service } from "../run/service.js";

type Stand =
  /** Its level has not begun. */
  | "to come"
  | "working"
  /** It is ready, and executes when its level is. */
  | "to execute"
  | "ready"
  | { readonly failed: string };

export class Progress {
  private readonly stands = new Map<string, Stand>();
  /** Services whose program ran under an earlier launcher, and does not run again. */
  private readonly before = new Set<string>();
  private readonly levels = new Map<string, Set<string>>();
  /** Levels that have begun and are not ready, by name. */
  private readonly open = new Set<string>();

  /** The services that the command is going to do something for. */
  expect(services: readonly Service[]): void {
    for (const service of services) this.enter(service, "to come");
  }

  begin(services: readonly Service[]): void {
    for (const service of services) {
      this.before.delete(service.name);
      this.enter(service, "working");
      this.open.add(service.level.name);
    }
  }

  settled({ name }: Service, stand: "ready" | "to execute"): void {
    this.stands.set(name, stand);
  }

  failed({ name }: Service, why: string): void {
    this.stands.set(name, { failed: why });
  }

  levelEnded(level: string): void {
    this.open.delete(level);
  }

  /** Why nothing more is to be expected from a service, or null. */
  over(name: string): string | null {
    const stand = this.stands.get(name);
    if (stand === undefined) return `${name} is not brought up by this command`;
    if (stand === "ready") return `${name} is ready`;
    return typeof stand === "object" ? `${name} failed: ${stand.failed}` : null;
  }

  /**
   * Services have other names now. What is known under an old name stays until another service has it: programs may
   * wait for it.
   */
  rename(renamed: ReadonlyMap<string, string>): void {
    const stands = new Map([...renamed].map(([old, name]) => [name, this.stands.get(old)] as const));
    for (const [name, stand] of stands) if (stand !== undefined) this.stands.set(name, stand);
    const before = [...renamed].filter(([old]) => this.before.has(old)).map(([, name]) => name);
    for (const name of renamed.values()) this.before.delete(name);
    for (const name of before) this.before.add(name);
    for (const [level, names] of this.levels)
      this.levels.set(level, new Set([...names].map((name) => renamed.get(name) ?? name)));
  }

  setRanBefore({ name }: Service): void {
    this.before.add(name);
  }

  ranBefore(name: string): boolean {
    return this.before.has(name);
  }

  /** Whether this command brings the service up, and has not yet, or could not. */
  comes(name: string): boolean {
    const stand = this.stands.get(name);
    return stand !== undefined && stand !== "ready";
  }

  /** Whom a service, or a level, waits for beside what its programs say. */
  edges(node: string): Edge[] {
    if (node.startsWith(LEVEL))
      return this.unfinished(node.slice(LEVEL.length, -1)).map((name) => ({ to: name, why: name }));
    const stand = this.stands.get(node);
    if (stand !== "to come" && stand !== "to execute") return [];
    const own = [...this.levels].find(([, names]) => names.has(node))?.[0];
    const levels = stand === "to execute" && own !== undefined ? [own] : [...this.open];
    return levels.map((level) => ({ to: `${LEVEL}${level}"`, why: `${LEVEL}${level}"` }));
  }

  private enter({ name, level }: Service, stand: Stand): void {
    this.stands.set(name, stand);
    this.levels.set(level.name, (this.levels.get(level.name) ?? new Set()).add(name));
  }

  private unfinished(level: string): string[] {
    return [...(this.levels.get(level) ?? [])].filter((name) => this.stands.get(name) === "working");
  }
}

/** A level's node begins so, as no service's name does. */
const LEVEL = 'level "';
