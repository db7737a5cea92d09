/** Makes the request for one program of a service: what it runs, with which values, where, and what ends it. */
import type { ProgramRequest } from "../../machines/program/request.js";
import type { ProgramSpec } from "../../plan/launchPlan/launchPlan.js";
import { isUnresolvedError } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import { bundleName, keptBundle, type ProgramStep } from "./bundles.js";
import { compileCommandLine } from "./commandLine.js";

export interface ProgramRun {
  readonly service: Service;
  readonly step: ProgramStep;
  readonly program: ProgramSpec;
  /** Its bundle name. Default: that of the step's only program. */
  readonly bundle?: string;
  /** Below the machine's work directory. */
  readonly directory: string;
  readonly timeoutMs: number;
  /** The number of this attempt, for the log. */
  readonly attempt: number;
  /** Records the result of a program that exited, before its files are removed from the machine. */
  readonly onResult?: ProgramRequest["onResult"];
  /** For a program of an earlier launcher: called when its machine reports that it still runs. */
  readonly onAlive?: () => void;
}

/** The folder that a report program writes to, in its step's directory. No bundle can contain this path. */
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
    args: resolveArgs(context, run),
    env: { ...env, ...identity(context, service) },
    // Setup is the same for all services of an image, so it gets no attributes.
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

/** The plan allows no secret here, but a value may turn out to contain one. */
function resolveArgs(context: RunContext, { service, step, program }: ProgramRun): string[] {
  const args = program.args.map((template) => context.attributes.resolve(template, service.name));
  args.forEach((arg, index) => {
    if (!context.redactor.isIn(arg)) return;
    context.emit({
      at: context.clock.now(),
      type: "warning",
      service: service.name,
      message:
        `argument ${index + 1} of the ${step} program contains a secret, and arguments are visible in process lists: ` +
        "pass the value in env",
    });
  });
  return args;
}

/** The outputs that have not been set since the service began to boot. */
export function unset({ attributes }: RunContext, service: Service): string[] {
  const own = attributes.of(service.name);
  return service.spec.outputs
    .map(({ name }) => name)
    .filter((name) => own.get(name) === undefined || own.get(name)?.stale === true);
}

/**
 * The directories of these steps outlive their programs: a server may run there, or report files may be fetched from
 * there.
 */
const KEPT: ReadonlySet<ProgramStep> = new Set(["boot", "execute", "report"]);

/** An abort of the run does not end these steps: they clean up after it. */
export const TIDIES_UP: ReadonlySet<ProgramStep> = new Set(["terminate", "report"]);

/** The signal that ends a step's programs and the attempt to reach their machine. */
export function endedBy(context: RunContext, { step }: ProgramRun): AbortSignal {
  const signal = TIDIES_UP.has(step) ? context.cleanupExpired : context.abort.signal;
  return context.writer === null || signal === null ? new AbortController().signal : signal;
}

/**
 * The program's directory and how it runs there: time limit, sudo, whether the directory stays, and the signal that
 * ends it.
 */
export function staging(context: RunContext, run: ProgramRun) {
  const { step, program, directory, timeoutMs } = run;
  const signal = endedBy(context, run);
  return { directory, timeoutMs, sudo: program.sudo, keep: KEPT.has(step), signal };
}

/** Handles the program's `bl` requests. */
export function coordination(
  context: RunContext,
  { service, step, directory }: ProgramRun,
  onWait: () => void,
): Pick<ProgramRequest, "coordination"> {
  return { coordination: context.coordination.handler(service, step, directory, onWait) };
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
    // A removed service has a `~N` suffix in the record if another service took its name. Its programs still use the
    // old name.
    BOOTLEVEL_SERVICE: service.name.replace(/~\d+$/, ""),
    BOOTLEVEL_REPLICA: String(service.replica),
    BOOTLEVEL_LEVEL: service.level.name,
  };
}

/** What a program of the service would find: for an operator's session on its machine. */
export interface ProgramSurroundings {
  readonly env: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string>>;
  /** Variables that are left out, since what they refer to is not known yet. */
  readonly unknown: readonly string[];
}

/** The environment of the service's boot program, or of its first other one, as it would start now. */
export function programSurroundings(context: RunContext, service: Service): ProgramSurroundings {
  const { attributes } = context;
  const { boot, execute, ready, terminate } = service.spec;
  const program = boot ?? execute ?? ready ?? terminate;
  const env: Record<string, string> = {};
  const unknown: string[] = [];
  const add = (name: string, value: () => string): void => {
    try {
      env[name] = value();
    } catch (error) {
      if (!isUnresolvedError(error)) throw error;
      unknown.push(name);
    }
  };
  for (const [name, template] of Object.entries(program?.env ?? {}))
    add(name, () => attributes.resolve(template, service.name));
  if (program?.run.kind === "command")
    for (const [name, reference] of compileCommandLine(program.run.line).variables)
      add(name, () => attributes.lookup(reference, service.name));
  const known = [...attributes.knownInputs(service.name, true), ...attributes.of(service.name)];
  return {
    env: { ...env, ...identity(context, service) },
    attributes: Object.fromEntries(known.map(([name, { value }]) => [name, value])),
    unknown,
  };
}
