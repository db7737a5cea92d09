/**
 * A shell, or one command, on the machine of a service, for an operator: over the connection that the launcher's own
 * programs use, with the same keys and checks.
 */
import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";

import type { RunEvent } from "../../model/events.js";
import type { Channel, InteractiveChannel, MachineConnection, Terminal } from "../../machines/contract/connection.js";
import { openOperatorSession, type OperatorSession } from "../../machines/coordination/operatorSession.js";
import { checkLimits } from "../../machines/program/request.js";
import { quote } from "../../machines/shell/quote.js";
import type { RunRecord } from "../../state/contract/records.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { isBootlevelError } from "../../errors/bootlevelError.js";
import { programSurroundings } from "../programs/programRequest.js";
import { followAddresses } from "../health/addresses.js";
import { MachineAssignments, isNoMachineError } from "../run/machineAssignments.js";
import { type RunContext } from "../run/context.js";
import { chooseOneService } from "../run/selection.js";
import type { Service } from "../run/service.js";
import { closeContext, openContext } from "../session/openContext.js";
import { sessionBl } from "./sessionBl.js";

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

/** What a login works with, besides its options. */
type Entering = LoginOptions & { readonly store: Store; readonly run: RunRecord };

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
    await followAddresses(context, assignments);
    return await enter(context, assignments, chooseOneService(context, options.service), { ...options, store, run });
  } finally {
    await closeContext(context);
  }
}

async function enter(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  options: Entering,
): Promise<number> {
  if (!(await hasShell(context, assignments, service)))
    throw new StateError(
      `the machine of ${service.name} has no shell: its driver runs programs itself`,
      `bootlevel logs ${context.run.name} ${service.name}`,
    );
  const directory = await bootDirectory(context, service);
  const connection = await assignments.machineLink(service).connection();
  const place = directory === null ? null : `${connection.workDirectory}/${directory}`;
  const surroundings = await openSurroundings(connection, context, service, options);
  try {
    // Channels without a terminal do for a connection that has no others.
    const seated = connection.attach !== undefined || connection.interact !== undefined;
    const terminal = seated ? options.terminal : null;
    const line = shellLine(place, surroundings?.enter ?? ":", { command: options.command, terminal });
    if (connection.attach === undefined) return await farShell(connection, line, options);
    return await connection.attach(line, options.terminal?.type ?? context.store.env["TERM"] ?? "dumb");
  } finally {
    await surroundings?.close();
  }
}

/** What programs of the service find, for the session; null, and a word about it, if the machine cannot have it. */
async function openSurroundings(
  connection: MachineConnection,
  context: RunContext,
  service: Service,
  { store, run, signal, errors }: Entering,
): Promise<OperatorSession | null> {
  const say = (message: string): void => {
    errors.write(`bootlevel: ${context.redactor.redact(message)}\n`);
  };
  const { env, attributes, unknown } = programSurroundings(context, service);
  if (unknown.length > 0) say(`not set, since their values are not known yet: ${unknown.join(", ")}`);
  const work = { observe: () => undefined, signal, waitMs: 0 };
  const bl = await sessionBl(store, run, context, service, work);
  try {
    checkLimits({ args: [], env, start: { kind: "command", line: "" } });
    const directory = `${service.name}/session-${randomBytes(6).toString("hex")}`;
    const opened = await openOperatorSession(connection, {
      directory,
      env,
      attributes,
      handler: bl.handler,
      onWarning: say,
    });
    return {
      enter: opened.enter,
      close: async () => {
        await opened.close();
        bl.close();
      },
    };
  } catch (error) {
    bl.close();
    if (!isBootlevelError(error)) throw error;
    say(`this session has neither bl nor the environment of ${service.name}'s programs: ${error.message}`);
    return null;
  }
}

async function hasShell(context: RunContext, assignments: MachineAssignments, service: Service): Promise<boolean> {
  try {
    return await assignments.hasShell(service);
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
  enter: string,
  { command, terminal }: Pick<LoginOptions, "command" | "terminal">,
): string {
  const go = `${directory === null ? "" : `cd -- ${quote(directory)} 2>/dev/null; `}${enter}; `;
  return command === null
    ? `${go}exec "\${SHELL:-/bin/sh}"${terminal === null ? "" : " -i"}`
    : `${go}exec /bin/sh -c ${quote(command)}`;
}

async function farShell(connection: MachineConnection, shell: string, options: LoginOptions): Promise<number> {
  const terminal = connection.interact === undefined ? null : options.terminal;
  const line = `exec /bin/sh -c ${quote(shell)}`;
  const channel = await (connection.interact?.(line, terminal) ?? connection.open(line));
  const stop = options.onResize((size) => {
    if (isInteractive(channel)) channel.resize(size);
  });
  if (terminal !== null) options.raw(true);
  const reader = watchReader(channel, options);
  options.input.pipe(channel.stdin);
  channel.stdout.pipe(options.output, { end: false });
  channel.stderr.pipe(options.errors, { end: false });
  try {
    const end = await channel.ended;
    if (reader.gone) return READER_GONE;
    if (end.kind === "lost")
      throw new StateError(`the connection to ${connection.label} was lost: ${end.reason}`, "log in again");
    return end.code ?? 255;
  } finally {
    stop();
    reader.stop();
    if (terminal !== null) options.raw(false);
    options.input.unpipe(channel.stdin);
  }
}

/** As a shell gives it for a command that SIGPIPE ended. */
const READER_GONE = 141;

/**
 * Hangs up when nobody takes the output any more (a closed pipe, a terminal that went away): a command whose output is
 * not read would wait for ever. An input that breaks is an input that ends.
 */
function watchReader(
  channel: Channel,
  { input, output, errors }: LoginOptions,
): { readonly gone: boolean; stop(): void } {
  let gone = false;
  const hangUp = (): void => {
    gone = true;
    channel.close();
  };
  const endInput = (): void => {
    channel.stdin.end();
  };
  for (const stream of [output, errors]) stream.once("error", hangUp);
  input.once("error", endInput);
  return {
    get gone() {
      return gone;
    },
    stop() {
      for (const stream of [output, errors]) stream.off("error", hangUp);
      input.off("error", endInput);
    },
  };
}

function isInteractive(channel: Channel): channel is InteractiveChannel {
  return "resize" in channel;
}
