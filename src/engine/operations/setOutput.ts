/**
 * Sets an output for an operator. A launcher that works on the run does it, so that its waiting programs get the value;
 * without one, this call does.
 */
import type { RunRecord } from "../../state/contract/records.js";
import type { NewRequest, RequestAnswer } from "../../state/contract/requests.js";
import type { Store } from "../../state/contract/store.js";
import { RunBusyError, StateError, isRunBusyError } from "../../state/contract/errors.js";
import { dependencies } from "../attributes/dependents.js";
import { publish } from "../bringUp/publish.js";
import type { RunContext } from "../run/context.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { Agenda } from "../tasks/agenda.js";
import { chooseOneService } from "../run/selection.js";
import { askHolder } from "../session/askHolder.js";
import { inRecord, namedAttribute } from "./outputs.js";

export interface SetOutputResult {
  readonly run: string;
  readonly service: string;
  readonly output: string;
  readonly secret: boolean;
  /** The command of the launcher that works on the run and has set it; null if this call has. */
  readonly workedOnBy: string | null;
  /** Services that are due to boot or to be verified again, since they refer to it. A launcher sees to its own. */
  readonly due: readonly string[];
}

/** An output that can be set. */
export type SettableOutput = Pick<SetOutputResult, "run" | "service" | "output" | "secret">;

/**
 * Finds an output that the plan declares.
 * @param name `SERVICE.NAME`
 * @throws StateError for a run that is terminated, and for a service or output that it does not have.
 */
export async function findOutput(store: Store, run: RunRecord, name: string): Promise<SettableOutput> {
  if (run.state === "terminated")
    throw new StateError(`run "${run.name}" is terminated`, "nothing can be set any more");
  return inRecord(store, run, (context) => settable(context, name));
}

/**
 * Sets an output.
 * @param name `SERVICE.NAME`
 * @throws StateError as in `findOutput`, and for a value that is too large; RunBusyError when the launcher that works
 *   on the run does not answer.
 */
export async function setOutput(
  store: Store,
  run: RunRecord,
  { name, value, ...options }: WorkOptions & { readonly name: string; readonly value: Buffer },
): Promise<SetOutputResult> {
  const found = await findOutput(store, run, name);
  const request: NewRequest = {
    kind: "set-output",
    data: { service: found.service, output: found.output },
    payload: value,
    origin: "operator",
    at: store.clock.now(),
  };
  return askOrDo(store, run, request, options, {
    asked: (workedOnBy) => ({ ...found, workedOnBy, due: [] }),
    here: (context) => setHere(context, name, value),
  });
}

/**
 * Shows a message of a service, as its programs do with `bl say`.
 * @throws StateError for a terminated run; RunBusyError when the launcher that works on the run does not answer.
 */
export async function sayInRun(
  store: Store,
  run: RunRecord,
  { service, text, ...options }: WorkOptions & { readonly service: string; readonly text: Buffer },
): Promise<void> {
  const request: NewRequest = {
    kind: "say",
    data: { service },
    payload: text,
    origin: "operator",
    at: store.clock.now(),
  };
  await askOrDo(store, run, request, options, {
    asked: () => undefined,
    here: (context) => context.coordination.sayFor(chooseOneService(context, service), text),
  });
}

/** Lets the launcher that works on the run carry out a request; without one, does it under the lease. */
async function askOrDo<T>(
  store: Store,
  run: RunRecord,
  request: NewRequest,
  options: WorkOptions,
  how: { readonly asked: (command: string) => T; readonly here: (context: RunContext) => Promise<T> },
): Promise<T> {
  for (;;) {
    const asked = await askHolder(store, run, request, options.signal);
    if (asked !== null) {
      checkAnswer(run, asked.answer);
      return how.asked(asked.command);
    }
    try {
      return await workOnRun(store, run, "set", options, how.here);
    } catch (error) {
      if (!isRunBusyError(error)) throw error;
    }
  }
}

/** @throws StateError, RunBusyError if the holder did not do it. */
function checkAnswer({ name }: Pick<RunRecord, "name">, { status, message, remedy }: RequestAnswer): void {
  if (status === "accepted") return;
  if (status === "refused") throw new StateError(message, remedy);
  throw new RunBusyError(
    `run "${name}" is busy, and its launcher did not do it: ${message}`,
    "try again when it has ended",
  );
}

async function setHere(context: RunContext, name: string, value: Buffer): Promise<SetOutputResult> {
  const agenda = new Agenda();
  const assignments = await MachineAssignments.read(context);
  context.coordination.publishBy((service, attribute, also) =>
    publish(
      {
        context,
        assignments,
        agenda,
        dependencies: dependencies(context.plan),
        fresh: false,
        early: { settled: () => undefined },
      },
      service,
      [attribute],
      also,
    ),
  );
  const { service, name: output } = namedAttribute(context, name, "output");
  const { code, message = "" } = await context.coordination.setOutput(service, output, value);
  if (code !== 0) throw new StateError(message);
  const due = agenda.among(context.levels.flat()).map((one) => one.name);
  return { ...settable(context, name), workedOnBy: null, due };
}

function settable(context: RunContext, name: string): SettableOutput {
  const { service, name: output } = namedAttribute(context, name, "output");
  const secret =
    service.spec.outputs.some((one) => one.name === output && one.secret) ||
    context.attributes.of(service.name).get(output)?.secret === true;
  return { run: context.run.name, service: service.name, output, secret };
}
