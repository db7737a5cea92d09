/** The attributes of all services of a run, and the values of references: how values pass from level to level. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import {
  replicaNames,
  type InputSpec,
  type LaunchPlan,
  type Reference,
  type ServiceSpec,
  type Template,
} from "../../plan/launchPlan/launchPlan.js";
import { isCounted } from "./countedAttributes.js";
import { resolveTemplate } from "../../plan/references/resolve.js";
import type { AttributeRecord, VariableRecord } from "../../state/contract/records.js";

export interface AttributeValue {
  readonly value: string;
  readonly secret: boolean;
  readonly kind: AttributeRecord["kind"];
  /** The step whose program set an output; null or absent for other attributes. */
  readonly step?: AttributeRecord["step"];
  /** An output of an earlier boot or execution that the current one has not set yet. */
  readonly stale?: boolean;
  /** Stale only until the result of the program that set it is known. */
  readonly doubted?: boolean;
}

/** A step whose program sets outputs. Those of both become stale when the service boots again. */
export type OutputStep = "boot" | "execute";

/** A reference cannot be resolved yet. The plan was checked, so its source has not come up. */
export class UnresolvedError extends BootlevelError {
  override readonly name = "UnresolvedError";
  static override readonly code: string = "UNRESOLVED";
}

export const isUnresolvedError = guardOf(UnresolvedError);

/** The sources of references: one revision of the run's plan, and the values of its variables. */
export interface AttributeSources {
  readonly plan: LaunchPlan;
  readonly variables: readonly VariableRecord[];
  /** Services that are no longer in the plan: their terminate programs may still refer to each other. */
  readonly dropped: readonly ServiceSpec[];
}

/** Attributes of replicas, by the names of the replica and the attribute. */
export type AttributeValues = ReadonlyMap<string, ReadonlyMap<string, AttributeValue>>;

export class AttributeRegistry {
  private services = new Map<string, Map<string, AttributeValue>>();
  /** Values that were read from the record. Other values were set here, and are newer than the record. */
  private readonly recorded = new WeakSet<AttributeValue>();
  private plan: LaunchPlan;
  private specs: ReadonlyMap<string, ServiceSpec>;
  private variables: ReadonlyMap<string, VariableRecord>;
  private byReplica: ReadonlyMap<string, ServiceSpec> | null = null;
  /** Secrets that were set or read since `learnedSecrets` was called. */
  private learned: string[] = [];
  private listener: ((service: string, name: string) => void) | null = null;

  /** @param dropped services that are no longer in the plan: their terminate programs may still refer to each other */
  constructor(
    plan: LaunchPlan,
    private readonly runName: string,
    variables: readonly VariableRecord[],
    dropped: readonly ServiceSpec[] = [],
  ) {
    this.plan = plan;
    this.specs = specsByName(plan, dropped);
    this.variables = variablesByName(variables);
    this.learn(variables);
  }

  /** Takes over recorded values. */
  read(values: AttributeValues): void {
    for (const [service, own] of values) {
      this.services.set(service, new Map(own));
      for (const value of own.values()) this.recorded.add(value);
      this.learn(own.values());
    }
  }

  /**
   * Switches to another revision of the plan, at once. Values that were set here are newer than the record, so they
   * stay.
   * @param values the recorded values, by the current names of services.
   * @param names the current names of services, by their earlier names; services that are gone have none.
   */
  follow(sources: AttributeSources, values: AttributeValues, names: ReadonlyMap<string, string>): void {
    const before = this.services;
    this.services = new Map();
    this.read(values);
    for (const [old, own] of before) {
      const service = names.get(old);
      if (service === undefined) continue;
      for (const [name, value] of own)
        if (!this.recorded.has(value) && !isCounted(name)) this.put(service, name, value);
    }
    this.plan = sources.plan;
    this.specs = specsByName(sources.plan, sources.dropped);
    this.variables = variablesByName(sources.variables);
    this.learn(sources.variables);
    this.byReplica = null;
  }

  /** Sets an attribute of one replica. */
  set(service: string, name: string, value: AttributeValue): void {
    this.put(service, name, value);
    this.learn([value]);
    this.listener?.(service, name);
  }

  /**
   * Marks a service's outputs as stale: all of them because it boots again, or those of its execute program because
   * that one runs again.
   * @returns whether there are any.
   */
  outdate(service: string, by: OutputStep): boolean {
    const outputs = this.outputs(service, by);
    for (const [name, value] of outputs) this.put(service, name, { ...value, stale: true, doubted: false });
    return outputs.length > 0;
  }

  /**
   * Marks outputs as doubted, as in `outdate`: the result of the program that set them is unknown. They count as stale
   * until `trust` is called; if the program must run again, they stay stale.
   */
  doubt(service: string, by: OutputStep): void {
    for (const [name, value] of this.outputs(service, by))
      if (value.stale !== true) this.put(service, name, { ...value, stale: true, doubted: true });
  }

  /** Removes the doubt: the program that set the service's outputs still runs or has succeeded. */
  trust(service: string): void {
    for (const [name, { doubted, ...value }] of [...this.of(service)])
      if (doubted === true) this.set(service, name, { ...value, stale: false });
  }

  /** Whether an attribute was set by an earlier boot or execution and not by the current one. */
  isStale(service: string, name: string): boolean {
    return this.services.get(service)?.get(name)?.stale === true;
  }

  /** Calls `listener` for every attribute that is set from now on. */
  listen(listener: (service: string, name: string) => void): void {
    this.listener = listener;
  }

  /** An input of a replica from the plan, or null. */
  input(service: string, name: string): InputSpec | null {
    return this.inputs(service).find((input) => input.name === name) ?? null;
  }

  /** The inputs of a replica. */
  inputs(service: string): readonly InputSpec[] {
    this.byReplica ??= new Map(
      [...this.specs.values()].flatMap((spec) =>
        spec.inputs.length ? replicaNames(spec).map((name) => [name, spec] as const) : [],
      ),
    );
    return this.byReplica.get(service)?.inputs ?? [];
  }

  /**
   * The inputs of a replica whose values are known.
   * @param now leave out stale values
   */
  knownInputs(service: string, now: boolean): Map<string, AttributeValue> {
    const known = new Map<string, AttributeValue>();
    for (const { name, source } of this.inputs(service)) {
      try {
        if (
          now &&
          source.kind === "link" &&
          this.sources(source.link).some((linked) => this.isStale(linked, source.link.attribute))
        )
          continue;
        const value = source.kind === "value" ? this.resolve(source.value, service) : this.lookup(source.link, service);
        const secret =
          source.kind === "value"
            ? source.secret
            : this.sources(source.link).some((linked) => this.of(linked).get(source.link.attribute)?.secret === true);
        known.set(name, { value, secret, kind: "declared" });
      } catch (error) {
        if (!isUnresolvedError(error)) throw error;
      }
    }
    return known;
  }

  /** All known attributes of one replica. */
  of(service: string): ReadonlyMap<string, AttributeValue> {
    return this.services.get(service) ?? new Map<string, AttributeValue>();
  }

  /** The secret values of variables and attributes that are new since the last call. */
  learnedSecrets(): string[] {
    const { learned } = this;
    this.learned = [];
    return learned;
  }

  /**
   * Resolves a template.
   * @param self the replica that `${self.x}` means, or null if there is none yet.
   * @throws UnresolvedError naming the reference whose source has no such value yet.
   */
  resolve(template: Template, self: string | null): string {
    return resolveTemplate(template, (reference) => this.lookup(reference, self));
  }

  /** The value of one reference. @throws UnresolvedError */
  lookup(reference: Reference, self: string | null): string {
    if (reference.json !== true) return this.plainValue(reference, self);
    if (reference.kind !== "service" || reference.replica !== "all")
      return JSON.stringify(this.plainValue(reference, self));
    return JSON.stringify(this.sources(reference).map((source) => this.attribute(source, reference.attribute)));
  }

  private plainValue(reference: Reference, self: string | null): string {
    switch (reference.kind) {
      case "service":
        return this.sources(reference)
          .map((source) => this.attribute(source, reference.attribute))
          .join(",");
      case "self":
        return this.own(self ?? "self", reference.attribute);
      case "variable":
        return this.variable("variable", reference.name, "var");
      case "environment":
        return this.variable("environment", reference.name, "env");
      case "run":
        return this.runName;
      case "plan":
        return this.plan.dir;
    }
  }

  /** The replicas that a reference names, in order. */
  sources(reference: Reference & { kind: "service" }): string[] {
    const names = replicaNames(this.specs.get(reference.service) ?? { name: reference.service, replicas: 1 });
    if (reference.replica === "all") return names;
    if (reference.replica === 0) return [names[0] ?? reference.service];
    return [names[reference.replica - 1] ?? `${reference.service}-${reference.replica}`];
  }

  private learn(values: Iterable<{ readonly secret: boolean; readonly value: string }>): void {
    for (const { secret, value } of values) if (secret) this.learned.push(value);
  }

  private outputs(service: string, by: OutputStep): [string, AttributeValue][] {
    return [...this.of(service)].filter(
      ([, { kind, step }]) => kind === "output" && (by === "boot" || step === "execute"),
    );
  }

  private put(service: string, name: string, value: AttributeValue): void {
    const known = this.services.get(service) ?? new Map<string, AttributeValue>();
    this.services.set(service, known.set(name, value));
  }

  private own(service: string, name: string): string {
    const input = this.services.get(service)?.has(name) === true ? null : this.input(service, name);
    if (input === null) return this.attribute(service, name);
    return input.source.kind === "value"
      ? this.resolve(input.source.value, service)
      : this.lookup(input.source.link, service);
  }

  private attribute(service: string, name: string): string {
    const own = this.services.get(service);
    const found = own?.get(name);
    if (found) return found.value;
    // Not every driver tells them.
    if (own?.has("host") === true && (name === "instance_size" || name === "instance_zone")) return "";
    throw new UnresolvedError(`\${${service}.${name}} has no value: ${service} has not come up that far`);
  }

  private variable(kind: VariableRecord["kind"], name: string, prefix: string): string {
    const found = this.variables.get(`${kind} ${name}`);
    if (found) return found.value;
    throw new UnresolvedError(`\${${prefix}.${name}} has no value in this run`);
  }
}

function specsByName(plan: LaunchPlan, dropped: readonly ServiceSpec[]): ReadonlyMap<string, ServiceSpec> {
  return new Map(
    [...dropped, ...plan.levels.flatMap((level) => level.services)].map((service) => [service.name, service]),
  );
}

function variablesByName(variables: readonly VariableRecord[]): ReadonlyMap<string, VariableRecord> {
  return new Map(variables.map((variable) => [`${variable.kind} ${variable.name}`, variable]));
}
