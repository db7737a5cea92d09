/** Makes the request for one program of a service: what it runs, with which values, where, and what ends it. */
import type { ProgramRequest } from "../../machines/program/request.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import { bundleName, keptBundle, type ProgramStep } from "./bundles.js";
import { compileCommandLine } from "./commandLine.js";

export interface ProgramRun {
  readonly service: Service;
  readonly step: ProgramStep;
  readonly program: ProgramSpec;
  /** The name under which it is kept. Default: that of the step's only program. */
  readonly bundle?: string;
  /** Below the machine's work directory. */
  readonly directory: string;
  readonly timeoutMs: number;
  /** For the log: which try this is. */
  readonly attempt: number;
  /** Writes the result of a program that exited down, before anything of it is removed from the machine. */
  readonly onResult?: ProgramRequest["onResult"];
  /** Of a program of an earlier launcher: called when its machine has answered that it runs still. */
  readonly onAlive?: () => void;
}

/** Where a report program writes, in its step's directory: no file of a bundle can lie there. */
export const REPORT_FOLDER = ".bl/report";

/**
 * The request for a program that starts now: references resolved, outputs that it must set.
 * @throws UnresolvedError for a reference whose source has no value yet
 */
export function resolveProgram(context: RunContext, run: ProgramRun) {
  const { service, step, program } = run;
  const { attributes } = context;
  const bundle = service.bundles[run.bundle ?? bundleName(service.spec.name, step)];
  if (bundle === undefined) throw new Error(`the ${step} program of ${service.spec.name} was not kept with the run`);
  const env: Record<string, string> = {};
  for (const [name, template] of Object.entries(program.env)) env[name] = attributes.resolve(template, service.name);
  const start =
    program.run.kind === "command"
      ? commandStart(context, service, program.run.line, env)
      : { kind: "file" as const, name: bundle.entry as string };
  return {
    ...staging(context, run),
    bundle: keptBundle(bundle, context.store.files.bundles),
    start,
    args: program.args.map((template) => attributes.resolve(template, service.name)),
    env: { ...env, ...identity(context, service) },
    // What a machine is made is the same for whoever is made from the image.
    attributes:
      step === "setup"
        ? {}
        : Object.fromEntries(
            [...attributes.knownInputs(service.name, !TIDIES_UP.has(step)), ...attributes.of(service.name)].map(
              ([name, { value }]) => [name, value],
            ),
          ),
    folders: step === "report" ? { BOOTLEVEL_REPORT_DIR: REPORT_FOLDER } : {},
    promised: step === "boot" || step === "execute" ? unset(context, service) : [],
  };
}

/** Outputs that nothing has set since the service began to boot. */
export function unset({ attributes }: RunContext, service: Service): string[] {
  const own = attributes.of(service.name);
  return service.spec.outputs
    .map(({ name }) => name)
    .filter((name) => own.get(name) === undefined || own.get(name)?.stale === true);
}

/**
 * Steps whose directories outlive their programs: a server may run there, and what was written there may be brought
 * home.
 */
const KEPT: ReadonlySet<ProgramStep> = new Set(["boot", "execute", "report"]);

/** Steps that an abort of the run does not end: they tidy up after it. */
export const TIDIES_UP: ReadonlySet<ProgramStep> = new Set(["terminate", "report"]);

/** What ends the programs of a step, and the wait for its machine. */
export function endedBy(context: RunContext, { step }: ProgramRun): AbortSignal {
  const signal = TIDIES_UP.has(step) ? context.cleanupExpired : context.abort.signal;
  return context.writer === null || signal === null ? new AbortController().signal : signal;
}

/** Where a program lies, and how it is handled there. */
export function staging(context: RunContext, run: ProgramRun) {
  const { step, program, directory, timeoutMs } = run;
  const signal = endedBy(context, run);
  return { directory, timeoutMs, sudo: program.sudo, keep: KEPT.has(step), signal };
}

/** Answers what the program asks. */
export function coordination(
  context: RunContext,
  { service, step }: ProgramRun,
  onWait: () => void,
): Pick<ProgramRequest, "coordination"> {
  return { coordination: context.coordination.handler(service, step, onWait) };
}

function commandStart(
  context: RunContext,
  service: Service,
  line: ProgramSpec["args"][number],
  env: Record<string, string>,
): { kind: "command"; line: string } {
  const compiled = compileCommandLine(line);
  for (const [name, reference] of compiled.variables) env[name] = context.attributes.lookup(reference, service.name);
  return { kind: "command", line: compiled.line };
}

function identity(context: RunContext, service: Service): Record<string, string> {
  return {
    BOOTLEVEL_RUN: context.run.name,
    // A service that was removed gave its name up in the record, if another one has it now; its programs know it by
    // that name still.
    BOOTLEVEL_SERVICE: service.name.replace(/~\d+$/, ""),
    BOOTLEVEL_REPLICA: String(service.replica),
    BOOTLEVEL_LEVEL: service.level.name,
  };
}
