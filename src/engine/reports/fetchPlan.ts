/** Plans which files to fetch for a service, and from which machines. */
import type { FetchRequest } from "../../machines/files/fetchScript.js";
import type { MachineLink } from "../../machines/contract/link.js";
import type { ReportSpec, Template } from "../../plan/launchPlan/launchPlan.js";
import { REPORT_FOLDER } from "../programs/programRequest.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

export interface PlannedFetch {
  /** @throws NoMachineError */
  readonly link: () => MachineLink;
  readonly request: FetchRequest;
}

/**
 * Suffixes of a step's directory: if the connection broke before its program started, the program was staged again
 * beside it.
 */
const STAGINGS = ["-again-2", "-again", ""];

/**
 * @param step the directory of the report program's step, or null if it has not run.
 * @param problems receives the patterns that are invalid.
 */
export async function planFetches(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  report: ReportSpec,
  step: string | null,
  problems: string[],
): Promise<PlannedFetch[]> {
  const patterns = report.patterns.flatMap((template) => resolvePattern(context, service, template, problems) ?? []);
  const folder = step === null ? null : { steps: stagings(step), folder: REPORT_FOLDER };
  const away = folder !== null && report.program?.where === "launcher";
  const fetches: PlannedFetch[] = [];
  const relative = patterns.filter((pattern) => !pattern.startsWith("/"));
  const base = relative.length === 0 ? { away: false, steps: [] } : await baseOf(context, assignments, service);
  const here = base.away ? relative : [];
  const there = patterns.filter((pattern) => !here.includes(pattern));
  if (away || here.length > 0)
    fetches.push({
      link: () => context.links.launcher(),
      request: { report: away ? folder : null, patterns: here, base: base.steps, sudo: report.sudo },
    });
  if ((folder !== null && !away) || there.length > 0) {
    fetches.push({
      link: () => assignments.machineLink(service),
      request: { report: away ? null : folder, patterns: there, base: base.steps, sudo: report.sudo },
    });
  }
  return fetches;
}

/**
 * The base of relative patterns: the boot program's directory, else the execute program's, else the home directory.
 * @returns `away` if that program runs on the launcher.
 */
async function baseOf(
  { store, run }: RunContext,
  assignments: MachineAssignments,
  service: Service,
): Promise<{ away: boolean; steps: string[] }> {
  const { boot, execute } = service.spec;
  const [step, program] = boot !== null ? (["boot", boot] as const) : (["execute", execute ?? null] as const);
  if (program === null) return { away: false, steps: [] };
  const key = assignments.machine(service)?.key ?? null;
  const last = (await store.steps(run, service.id)).findLast(
    (one) => one.step === step && one.directory !== null && one.machineKey === key,
  );
  return { away: program.where === "launcher", steps: last === undefined ? [] : stagings(last.directory as string) };
}

function stagings(directory: string): string[] {
  return STAGINGS.map((suffix) => directory + suffix);
}

/** A value in a pattern matches literally: its glob characters are escaped. */
function resolvePattern(
  { attributes }: RunContext,
  service: Service,
  template: Template,
  problems: string[],
): string | null {
  try {
    const pattern = template
      .map((part) =>
        typeof part === "string"
          ? part
          : attributes
              .lookup(part, service.name)
              .replace(/[*?[\\]/g, (found) => (found === "\\" ? "[\\\\]" : `[${found}]`)),
      )
      .join("");
    if (!/[\0\n\r]/.test(pattern) && !pattern.split("/").includes("..")) return pattern;
    problems.push(`a pattern contains a line break or ".." from its references: ${JSON.stringify(pattern)}`);
  } catch (error) {
    problems.push((error as Error).message);
  }
  return null;
}
