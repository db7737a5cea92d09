/**
 * A shell, or one command, on the machine of a service, for an operator: over the connection that the launcher's own
 * programs use, with the same keys and checks.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

import type { Environment } from "../../model/environment.js";
import type { RunEvent } from "../../model/events.js";
import type { Terminal } from "../../machines/contract/connection.js";
import { machineEnvironment } from "../../machines/local/environment.js";
import { quote } from "../../machines/shell/quote.js";
import type { RunRecord } from "../../state/contract/records.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { MachineAssignments, isNoMachineError } from "../run/machineAssignments.js";
import { type RunContext } from "../run/context.js";
import { chooseServices } from "../run/selection.js";
import type { Service } from "../run/service.js";
import { closeContext, openContext } from "../session/openContext.js";

export interface LoginOptions {
  /** A service, or one replica of it. */
  readonly service: string;
  /** One line for the machine's shell; null for a shell to sit in front of. */
  readonly command: string | null;
  /** The terminal that the operator sits at, or null where there is none. */
  readonly terminal: Terminal | null;
  /** Called with true when every key is to go to the machine as it is, and with false at the end. */
  readonly raw: (on: boolean) => void;
  readonly input: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** Told whenever the terminal has another size; returns what stops that. */
  readonly onResize: (listener: (terminal: Pick<Terminal, "columns" | "rows">) => void) => () => void;
  readonly observe: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/**
 * Logs in, and stays until the shell or command has ended. It begins where the service's boot program lies, if that has
 * been staged.
 * @returns the exit code, as a shell gives it.
 * @throws StateError for an unknown service, one of several replicas that is not named, or one without a machine;
 *   ConnectionError.
 */
export async function logIn(store: Store, run: RunRecord, options: LoginOptions): Promise<number> {
  const context = await openContext({
    run,
    store,
    writer: null,
    stop: options.signal,
    observe: options.observe,
    secrets: "optional",
  });
  try {
    const assignments = await MachineAssignments.read(context);
    return await enter(context, assignments, chooseOne(context, options.service), options);
  } finally {
    await closeContext(context);
  }
}

function chooseOne(context: RunContext, name: string): Service {
  const [service, ...others] = chooseServices(context, [name]);
  if (service === undefined)
    throw new StateError(`service "${name}" has no replicas`, `bootlevel show ${context.run.name} lists its services`);
  if (others.length === 0) return service;
  throw new StateError(
    `service "${name}" has ${others.length + 1} replicas`,
    `say which: ${[service, ...others]
      .slice(0, 10)
      .map((one) => one.name)
      .join(", ")}`,
  );
}

async function enter(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  options: LoginOptions,
): Promise<number> {
  const access = accessOf(context, assignments, service);
  const directory = await bootDirectory(context, service);
  if (access.kind === "driver")
    throw new StateError(
      `the machine of ${service.name} has no shell: its driver runs programs itself`,
      `bootlevel logs ${context.run.name} ${service.name}`,
    );
  if (access.kind === "local") return hereShell(access, directory, context.store.env, options);
  return farShell(assignments, service, directory, options);
}

function accessOf(context: RunContext, assignments: MachineAssignments, service: Service) {
  try {
    return assignments.access(service);
  } catch (error) {
    if (!isNoMachineError(error)) throw error;
    throw new StateError(
      `${service.name} has no machine`,
      `bootlevel show ${context.run.name} lists those that there are`,
      { cause: error },
    );
  }
}

/** Below the machine's work directory; null where no boot program was staged. */
async function bootDirectory(context: RunContext, service: Service): Promise<string | null> {
  const steps = await context.store.steps(context.run, service.id);
  return steps.findLast(({ step, directory }) => step === "boot" && directory !== null)?.directory ?? null;
}

/** Goes where the boot program lies, if it is there still, and becomes the shell or command. */
function shellLine(
  directory: string | null,
  { command, terminal }: Pick<LoginOptions, "command" | "terminal">,
): string {
  const go = directory === null ? "" : `cd -- ${quote(directory)} 2>/dev/null; PATH="$PWD/.bl/bin:$PATH"; `;
  return command === null
    ? `${go}exec "\${SHELL:-/bin/sh}"${terminal === null ? "" : " -i"}`
    : `${go}exec /bin/sh -c ${quote(command)}`;
}

async function farShell(
  assignments: MachineAssignments,
  service: Service,
  directory: string | null,
  options: LoginOptions,
): Promise<number> {
  const connection = await assignments.machineLink(service).connection();
  if (connection.interact === undefined)
    throw new StateError(`${connection.label} has no shell to sit in front of`, "log in by other means");
  const place = directory === null ? null : `${connection.workDirectory}/${directory}`;
  const channel = await connection.interact(`exec /bin/sh -c ${quote(shellLine(place, options))}`, options.terminal);
  const stop = options.onResize((terminal) => {
    channel.resize(terminal);
  });
  if (options.terminal !== null) options.raw(true);
  options.input.pipe(channel.stdin);
  channel.stdout.pipe(options.output, { end: false });
  channel.stderr.pipe(options.errors, { end: false });
  try {
    const end = await channel.ended;
    if (end.kind === "lost")
      throw new StateError(`the connection to ${connection.label} was lost: ${end.reason}`, "log in again");
    return end.code ?? 255;
  } finally {
    stop();
    if (options.terminal !== null) options.raw(false);
    options.input.unpipe(channel.stdin);
  }
}

/**
 * On this computer the shell is a process like any other, with the machine's environment and mark, at the operator's
 * own terminal.
 */
async function hereShell(
  { directory, brand }: { readonly directory: string; readonly brand: string },
  place: string | null,
  env: Environment,
  options: LoginOptions,
): Promise<number> {
  const home = join(directory, "home");
  mkdirSync(home, { recursive: true });
  const line = shellLine(place === null ? null : join(directory, "work", place), options);
  const child = spawn("/bin/sh", ["-c", line], {
    cwd: home,
    env: { ...machineEnvironment(directory, brand, env), TERM: options.terminal?.type ?? env["TERM"] ?? "dumb" },
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve(code ?? (signal === null ? 255 : 128 + 15));
    });
  });
}
