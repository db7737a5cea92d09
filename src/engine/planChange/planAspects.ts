/**
 * Describes a service of a plan as aspects to compare with another version of the plan. Each aspect says what a
 * difference requires.
 */
import { LOG_LIMIT_BYTES, REPORT_FILE_LIMIT_BYTES, REPORT_LIMIT_BYTES } from "../../plan/launchPlan/limits.js";
import {
  meantReplica,
  replicaNumbers,
  type ProgramSpec,
  type Reference,
  type ServiceSpec,
  type Template,
} from "../../plan/launchPlan/launchPlan.js";
import { templateText } from "../../plan/references/references.js";
import { resolveTree } from "../../plan/references/resolve.js";
import { writeByteSize } from "../../text/byteSize.js";
import { bundleName, type ProgramStep } from "../programs/bundles.js";
import type { PlanVersion } from "./planVersion.js";

export interface Aspect {
  /** The aspect's name, for people: `boot.args`. */
  readonly name: string;
  /** The value to compare: equal for equal meaning. May contain secrets: never shown. */
  readonly value: string;
  /** The value as written in the plan; null if only "changed" can be shown. */
  readonly shown: string | null;
  /** The first stage to repeat if it differs; "none" if it matters only to later commands. */
  readonly stage: "replace" | "boot" | "verify" | "execute" | "none";
}

/**
 * Returns a function that lists the aspects of a service in one version of a plan. Variables are replaced by their
 * values, references by the service that they mean.
 * @param formerNames the names of services in the version to compare with.
 */
export function comparable(
  version: PlanVersion,
  formerNames: ReadonlyMap<string, string>,
  runName: string,
): (service: ServiceSpec) => Aspect[] {
  const { plan, bundles } = version;
  const values = new Map(version.variables.map(({ kind, name, value }) => [`${kind} ${name}`, value]));
  const replicas = new Map(
    plan.levels.flatMap((level) => level.services).map((service) => [service.name, replicaNumbers(service)]),
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
        return marker(["self", reference.attribute, counted(reference.attribute, replicaNumbers(self))]);
      case "service": {
        const { service, replica, attribute } = reference;
        const numbers = replicas.get(service) ?? [];
        // How many replicas there are is part of the meaning of "all".
        const count = counted(attribute, numbers) ?? (replica === "all" ? numbers.length : null);
        const meant = replica === "all" ? replica : meantReplica(replica, numbers);
        return marker([formerNames.get(service) ?? service, meant, attribute, count]);
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
      // The image's settings are compared one by one: a changed name alone requires nothing.
      { name: "image's name", value: imageName ?? "", shown: imageName ?? "none", stage: "none" },
      ...setup.map(({ image: part, kind, content }): Aspect => ({
        name: `${kind} of image ${part}`,
        value: content ?? "",
        shown: null,
        stage: "boot",
      })),
      { name: "size", value: of(size), shown: shown(size), stage: "replace" },
      // A running machine is fine even if its size is no longer among the fallbacks.
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
        shown:
          outputs
            .map((output) =>
              output.default === undefined ? output.name : `${output.name} (default ${output.default})`,
            )
            .join(", ") || "none",
        stage: "boot",
      },
      ...program(service, "boot", service.boot, "boot", of),
      ...program(service, "ready", service.ready, "verify", of),
      ...readyTimes(service),
      ...program(service, "execute", service.execute, "execute", of),
      ...program(service, "report", service.report?.program ?? null, "none", of),
      {
        name: "report.patterns",
        value: JSON.stringify((service.report?.patterns ?? []).map(of)),
        shown: service.report?.patterns.map(shown).join(", ") || "none",
        stage: "none",
      },
      ...limits(service),
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

function limits({ report, logLimitBytes }: ServiceSpec): Aspect[] {
  const size = (name: string, bytes: number): Aspect => {
    return { name, value: String(bytes), shown: writeByteSize(bytes), stage: "none" };
  };
  return [
    size("report.limit", report?.limitBytes ?? REPORT_LIMIT_BYTES),
    size("report.file_limit", report?.fileLimitBytes ?? REPORT_FILE_LIMIT_BYTES),
    size("log_limit", logLimitBytes ?? LOG_LIMIT_BYTES),
  ];
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

/** What changes of an attribute with the number of replicas, or null. */
function counted(attribute: string, numbers: readonly number[]): number | string | null {
  return attribute === "replicas" ? numbers.length : attribute === "ids" ? numbers.join(",") : null;
}

/** A placeholder for a value that is known only at launch. No plan can contain its first character. */
function marker(parts: unknown): string {
  return `\0${JSON.stringify(parts)}`;
}
