import type { Edge } from "./waitCycles.js";
import type { Service } from "../run/service.js";

type ServiceProgress =
  /** Its level has not begun. */
  | "pending"
  | "working"
  /** It is ready and executes when its level is. */
  | "to execute"
  | "ready"
  | { readonly failed: string };

export class Progress {
  private readonly states = new Map<string, ServiceProgress>();
  /** Services whose program ran under an earlier launcher and will not run again. */
  private readonly ranBeforeNames = new Set<string>();
  private readonly levels = new Map<string, Set<string>>();
  /** Names of the levels that have begun and are not ready. */
  private readonly open = new Set<string>();

  /** Registers the services that the command will work on. */
  expect(services: readonly Service[]): void {
    for (const service of services) this.enter(service, "pending");
  }

  begin(services: readonly Service[]): void {
    for (const service of services) {
      this.ranBeforeNames.delete(service.name);
      this.enter(service, "working");
      this.open.add(service.level.name);
    }
  }

  settled({ name }: Service, state: "ready" | "to execute"): void {
    this.states.set(name, state);
  }

  failed({ name }: Service, why: string): void {
    this.states.set(name, { failed: why });
  }

  levelEnded(level: string): void {
    this.open.delete(level);
  }

  /** Whether a service has failed, is over without a failure (or is none of this command's), or may still get there. */
  standing(name: string): "failed" | "over" | "open" {
    const state = this.states.get(name);
    if (state === undefined || state === "ready") return "over";
    return typeof state === "object" ? "failed" : "open";
  }

  /** Why nothing more can be expected from a service, or null. */
  endReason(name: string): string | null {
    const state = this.states.get(name);
    if (state === undefined) return `${name} is not brought up by this command`;
    if (state === "ready") return `${name} is ready`;
    return typeof state === "object" ? `${name} failed: ${state.failed}` : null;
  }

  /**
   * Services have other names now. What is known under an old name stays until another service has it: programs may
   * wait for it.
   */
  rename(renamed: ReadonlyMap<string, string>): void {
    const states = new Map([...renamed].map(([old, name]) => [name, this.states.get(old)] as const));
    for (const [name, state] of states) if (state !== undefined) this.states.set(name, state);
    const before = [...renamed].filter(([old]) => this.ranBeforeNames.has(old)).map(([, name]) => name);
    for (const name of renamed.values()) this.ranBeforeNames.delete(name);
    for (const name of before) this.ranBeforeNames.add(name);
    for (const [level, names] of this.levels)
      this.levels.set(level, new Set([...names].map((name) => renamed.get(name) ?? name)));
  }

  setRanBefore({ name }: Service): void {
    this.ranBeforeNames.add(name);
  }

  ranBefore(name: string): boolean {
    return this.ranBeforeNames.has(name);
  }

  /** Whether this command still has to bring the service up, or has failed to. */
  isExpected(name: string): boolean {
    const state = this.states.get(name);
    return state !== undefined && state !== "ready";
  }

  /** What a service or a level waits for, besides its programs' waits. */
  edges(node: string): Edge[] {
    if (node.startsWith(LEVEL))
      return this.unfinished(node.slice(LEVEL.length, -1)).map((name) => ({ to: name, why: name }));
    const state = this.states.get(node);
    if (state !== "pending" && state !== "to execute") return [];
    const own = [...this.levels].find(([, names]) => names.has(node))?.[0];
    const levels = state === "to execute" && own !== undefined ? [own] : [...this.open];
    return levels.map((level) => ({ to: `${LEVEL}${level}"`, why: `${LEVEL}${level}"` }));
  }

  private enter({ name, level }: Service, state: ServiceProgress): void {
    this.states.set(name, state);
    this.levels.set(level.name, (this.levels.get(level.name) ?? new Set()).add(name));
  }

  private unfinished(level: string): string[] {
    return [...(this.levels.get(level) ?? [])].filter((name) => this.states.get(name) === "working");
  }
}

/** Prefix of a level's node. No service name starts like this. */
const LEVEL = 'level "';
