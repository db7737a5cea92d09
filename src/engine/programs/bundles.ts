/**
 * Packs the plan's programs before anything is launched: later commands need no file of the plan, and all replicas get
 * the same bytes.
 */
import { packBundle, type Bundle, type BundleSource } from "../../machines/program/bundle.js";
import type { LaunchPlan, ProgramSpec, ServiceSpec, SetupSpec } from "../../plan/launchPlan/launchPlan.js";
import type { BundleRecord } from "../../state/contract/records.js";
import type { BundleFiles } from "../../state/contract/files.js";

export type ProgramStep = "setup" | "boot" | "ready" | "execute" | "report" | "terminate";

/** The bundle name of a service's program. */
export function bundleName(service: string, step: ProgramStep): string {
  return `${service}.${step}`;
}

/** The service's program for a step, or null. */
export function programOf(service: ServiceSpec, step: Exclude<ProgramStep, "setup">): ProgramSpec | null {
  return step === "report" ? (service.report?.program ?? null) : (service[step] ?? null);
}

/**
 * The bundle name of a setup step. It does not depend on the step's position: an image has at most one of each kind.
 */
export function setupBundleName(service: string, { image, kind }: SetupSpec): string {
  return `${service}.setup.${image}.${kind}`;
}

/** The service's programs in the order in which they run, with their bundle names. */
export function programsOf(service: ServiceSpec): { step: ProgramStep; program: ProgramSpec; bundle: string }[] {
  const steps = ["boot", "ready", "execute", "report", "terminate"] as const;
  return [
    ...service.setup.map((setup) => ({
      step: "setup" as const,
      program: setup.program,
      bundle: setupBundleName(service.name, setup),
    })),
    ...steps.flatMap((step) => {
      const program = programOf(service, step);
      return program === null ? [] : [{ step, program, bundle: bundleName(service.name, step) }];
    }),
  ];
}

/**
 * Packs every program of the plan and stores it by content.
 * @returns the stored bundles, by bundle name.
 * @throws for a file that cannot be read, naming it.
 */
export async function packBundles(plan: LaunchPlan, files: BundleFiles): Promise<Record<string, BundleRecord>> {
  const packed = new Map<string, BundleRecord>();
  const bundles: Record<string, BundleRecord> = {};
  for (const service of plan.levels.flatMap((level) => level.services)) {
    for (const { program, bundle: name } of programsOf(service)) {
      const source: BundleSource = {
        program: program.run.kind === "command" ? null : { kind: program.run.kind, path: program.run.path },
        files: [...program.files],
      };
      const key = JSON.stringify(source);
      const bundle = packed.get(key) ?? (await keep(source, files));
      packed.set(key, bundle);
      bundles[name] = bundle;
    }
  }
  return bundles;
}

async function keep(source: BundleSource, files: BundleFiles): Promise<BundleRecord> {
  const { entry, content } = await packBundle(source);
  return { ...(await files.put(content)), entry };
}

/** A recorded bundle in the form that is uploaded to machines. */
export function keptBundle(record: BundleRecord, files: BundleFiles): Bundle {
  return { ...record, open: () => files.open(record) };
}
