/**
 * A service of a plan as values that can be compared with those of another version of the plan, each with what a
 * difference means.
 */
import type { ProgramSpec, Reference, ServiceSpec, Template } from "../../plan/launchPlan/launchPlan.js";
import { templateText } from "../../plan/references/references.js";
import { resolveTree } from "../../plan/references/resolve.js";
import { bundleName, type ProgramStep } from "../programs/bundles.js";
import type { PlanVersion } from "./planVersion.js";

export interface Aspect {
  /** For people: `boot.args`. */
  readonly name: string;
  /** Equal for equal meaning. May hold secrets: never shown. */
  readonly value: string;
  /** As the plan writes it, or null for what only "changed" can be said of. */
  readonly shown: string | null;
  /** From where the service's story must be told again when it differs; "none": it is for later commands. */
  readonly stage: "replace" | "boot" | "verify" | "none";
}

/**
 * Makes services of one version of a plan comparable. Variables stand as their values, references to services as who is
 * meant by them.
 * @param formerNames the names that services had in the version that it is compared with.
 */
export function comparable(
  version: PlanVersion,
  formerNames: ReadonlyMap<string, string>,
  runName: string,
): (service: ServiceSpec) => Aspect[] {
  const { plan, bundles } = version;
  const values = new Map(version.variables.map(({ kind, name, value }) => [`${kind} ${name}`, value]));
  const replicas = new Map(
    plan.levels.flatMap((level) => level.services).map((service) => [service.name, service.replicas]),
  );

  function meaning(reference: Reference, self: ServiceSpec): string {
    switch (reference.kind) {
      case "variable":
      case "environment":
        return values.get(`${reference.kind} ${reference.name}`) ?? "";
      case "run":
        return runName;
      case "plan":
        return plan.dir;
      case "self":
        return marker(["self", reference.attribute, reference.attribute === "replicas" ? self.replicas : null]);
      case "service": {
        const { service, replica, attribute } = reference;
        // How many there are is a part of what "all of them" and "replicas" mean.
        const count = replica === "all" || attribute === "replicas" ? replicas.get(service) : null;
        return marker([formerNames.get(service) ?? service, replica === 0 ? 1 : replica, attribute, count]);
      }
    }
  }
  const text = (template: Template, self: ServiceSpec) =>
    template.map((part) => (typeof part === "string" ? part : meaning(part, self))).join("");

  return (service) => {
    const of = (template: Template | null) => (template === null ? "" : text(template, service));
    const shown = (template: Template | null) => (template === null ? "none" : templateText(template));
    const {
      placement,
      image,
      imageName = null,
      setup = [],
      size,
      fallbackSizes = [],
      launch,
      attributes,
      outputs,
      ssh,
    } = service;
    const cloud = placement.kind === "cloud" ? placement.cloud : null;
    return [
      { name: "cloud", value: cloud ?? "", shown: cloud ?? "none", stage: "replace" },
      {
        name: "host",
        value: placement.kind === "host" ? of(placement.host) : "",
        shown: placement.kind === "host" ? shown(placement.host) : "none",
        stage: "boot",
      },
      { name: "image", value: of(image), shown: shown(image), stage: "replace" },
      // What the image gives is compared key by key: its name alone changes nothing.
      { name: "image's name", value: imageName ?? "", shown: imageName ?? "none", stage: "none" },
      ...setup.map(({ image: part, kind, content }): Aspect => ({
        name: `${kind} of image ${part}`,
        value: content ?? "",
        shown: null,
        stage: "boot",
      })),
      { name: "size", value: of(size), shown: shown(size), stage: "replace" },
      // A machine is no worse for being of a size that would not be tried any more.
      {
        name: "size (if there is no capacity)",
        value: JSON.stringify(fallbackSizes.map(of)),
        shown: fallbackSizes.map(shown).join(", ") || "none",
        stage: "none",
      },
      ...Object.entries(launch).map(([key, value]): Aspect => ({
        name: `launch.${key}`,
        value: JSON.stringify(resolveTree({ value }, (reference) => meaning(reference, service))),
        shown: null,
        stage: "replace",
      })),
      ...Object.entries(attributes).map(([name, { value }]): Aspect => ({
        name: `attributes.${name}`,
        value: of(value),
        shown: null,
        stage: "boot",
      })),
      ...service.inputs.map(({ name, source }): Aspect => ({
        name: `inputs.${name}`,
        value: source.kind === "value" ? `= ${of(source.value)}` : meaning(source.link, service),
        shown: null,
        stage: "boot",
      })),
      {
        name: "outputs",
        value: JSON.stringify(outputs),
        shown: outputs.map((output) => output.name).join(", ") || "none",
        stage: "boot",
      },
      ...program(service, "boot", service.boot, "boot", of),
      ...program(service, "ready", service.ready, "verify", of),
      ...readyTimes(service),
      ...program(service, "execute", service.execute, "none", of),
      ...program(service, "report", service.report?.program ?? null, "none", of),
      {
        name: "report.patterns",
        value: JSON.stringify((service.report?.patterns ?? []).map(of)),
        shown: service.report?.patterns.map(shown).join(", ") || "none",
        stage: "none",
      },
      ...program(service, "terminate", service.terminate, "none", of),
      {
        name: "ssh",
        value: JSON.stringify(ssh),
        shown: null,
        stage: "verify",
      },
    ];
  };

  function program(
    service: ServiceSpec,
    step: ProgramStep,
    spec: ProgramSpec | null,
    stage: Aspect["stage"],
    of: (template: Template) => string,
  ): Aspect[] {
    if (spec === null) return [];
    const line = spec.run.kind === "command" ? of(spec.run.line) : null;
    const bundle = bundles[bundleName(service.name, step)];
    return [
      { name: step, value: JSON.stringify([line, bundle?.sha256, bundle?.entry]), shown: null, stage },
      { name: `${step}.args`, value: JSON.stringify(spec.args.map(of)), shown: null, stage },
      ...Object.entries(spec.env).map(([name, value]): Aspect => ({
        name: `${step}.env.${name}`,
        value: of(value),
        shown: null,
        stage,
      })),
      { name: `${step}.where`, value: spec.where, shown: spec.where, stage },
      { name: `${step}.sudo`, value: String(spec.sudo), shown: String(spec.sudo), stage },
      { name: `${step}.timeout`, value: String(spec.timeoutMs), shown: `${spec.timeoutMs / 1000}s`, stage: "none" },
    ];
  }
}

function readyTimes({ ready }: ServiceSpec): Aspect[] {
  if (ready === null) return [];
  return [
    {
      name: "ready.every, retries, timeout",
      value: JSON.stringify([ready.everyMs, ready.retries, ready.windowMs]),
      shown: null,
      stage: "none",
    },
  ];
}

/** Stands for a value that is known only at launch; no plan can hold the character that it begins with. */
function marker(parts: unknown): string {
  return `\0${JSON.stringify(parts)}`;
}
