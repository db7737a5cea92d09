/**
 * Packs the plan's programs before anything is launched, so that later commands need no file of the plan, and all
 * replicas get the same bytes.
 */
import { join } from "node:path";

import { writeBundle } from "../../machines/program/bundle.js";
import type { LaunchPlan, ProgramSpec, ServiceSpec, SetupSpec } from "../../plan/launchPlan/launchPlan.js";
import type { BundleRecord } from "../../state/contract/records.js";
import type { Home } from "../../state/files/home.js";

export type ProgramStep = "setup" | "boot" | "ready" | "execute" | "report" | "terminate";

/** The name under which a service's program is kept. */
export function bundleName(service: string, step: ProgramStep): string {
  return `${service}.${step}`;
}

/** What a service runs at a step, or null. */
export function programOf(service: ServiceSpec, step: Exclude<ProgramStep, "setup">): ProgramSpec | null {
  return step === "report" ? (service.report?.program ?? null) : (service[step] ?? null);
}

/** The same for a setup step, whichever place it has: an image has one of each kind. */
export function setupBundleName(service: string, { image, kind }: SetupSpec): string {
  return `${service}.setup.${image}.${kind}`;
}

/** The programs that a service has, in the order in which they run, with the names under which they are kept. */
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
 * Packs every program of the plan into `<home>/bundles`, by content. @throws for a file that cannot be read, naming it.
 */
export async function packBundles(plan: LaunchPlan, home: Home): Promise<Record<string, BundleRecord>> {
  const directory = join(home.directory, "bundles");
  const packed = new Map<string, BundleRecord>();
  const bundles: Record<string, BundleRecord> = {};
  for (const service of plan.levels.flatMap((level) => level.services)) {
    for (const { program, bundle: name } of programsOf(service)) {
      const source = {
        program: program.run.kind === "command" ? null : { kind: program.run.kind, path: program.run.path },
        files: [...program.files],
      };
      const key = JSON.stringify(source);
      const bundle = packed.get(key) ?? (await writeBundle(source, directory));
      packed.set(key, bundle);
      bundles[name] = bundle;
    }
  }
  return bundles;
}
