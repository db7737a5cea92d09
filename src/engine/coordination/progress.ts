import type { Edge } from "./waitCycles.js";
import type { Service } from "../run/service.js";

type Stand =
  /** Its level has not begun. */
  | "to come"
  | "working"
  /** It is ready and executes when its level is. */
  | "to execute"
  | "ready"
  | { readonly failed: string };

export class Progress {
  private readonly stands = new Map<string, Stand>();
  /** Services whose program ran under an earlier launcher and will not run again. */
  private readonly before = new Set<string>();
  private readonly levels = new Map<string, Set<string>>();
  /** Names of the levels that have begun and are not ready. */
  private readonly open = new Set<string>();

  /** Registers the services that the command will work on. */
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

  /** Why nothing more can be expected from a service, or null. */
  over(name: string): string | null {
    const stand = this.stands.get(name);
    if (stand === undefined) return `${name} is not brought up by this command`;
    if (stand === "ready") return `${name} is ready`;
    return typeof stand === "object" ? `${name} failed: ${stand.failed}` : null;
  }

  setRanBefore({ name }: Service): void {
    this.before.add(name);
  }

  ranBefore(name: string): boolean {
    return this.before.has(name);
  }

  /** Whether this command still has to bring the service up, or has failed to. */
  comes(name: string): boolean {
    const stand = this.stands.get(name);
    return stand !== undefined && stand !== "ready";
  }

  /** What a service or a level waits for, besides its programs' waits. */
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

/** Prefix of a level's node. No service name starts like this. */
const LEVEL = 'level "';
