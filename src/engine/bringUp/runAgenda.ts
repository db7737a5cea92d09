/**
 * Carries out an agenda on an existing run. The agenda is recorded first: after a crash, the next command knows what
 * was decided.
 */
import type { RunEvent, RunState, RunVerb } from "../../model/events.js";
import type { Change } from "../../state/contract/changes.js";
import { dueStage, plannedTasks, type Agenda, type Task } from "../tasks/agenda.js";
import { bringUp, type BringUpEnd } from "./bringUp.js";
import { change, enterRunState } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import { levelNames, type RunContext } from "../run/context.js";
import type { BringUp } from "./bringUpContext.js";

export interface RunAgendaOptions {
  readonly verb: RunVerb;
  /** The run's state while the agenda is carried out. */
  readonly state: RunState;
  readonly startedAt: number;
  /** Skip terminate programs. */
  readonly force: boolean;
  /** Called when execute programs start, and when booting continues. */
  readonly enterPhase?: BringUp["enterPhase"];
  /** Called with the failure of each service, redacted. */
  readonly onFailure?: BringUp["onFailure"];
}

/** Carries out the agenda and moves the run to the resulting state. */
export async function runAgenda(
  context: RunContext,
  assignments: MachineAssignments,
  agenda: Agenda,
  options: RunAgendaOptions,
): Promise<BringUpEnd> {
  await begin(context, agenda, options);
  return finish(context, options.startedAt, await bringUp(context, assignments, agenda, options));
}

/** Records an agenda and emits its events. */
export async function begin(
  context: RunContext,
  agenda: Agenda,
  { verb, state, startedAt }: RunAgendaOptions,
): Promise<void> {
  const services = context.levels.flat();
  const dues = agenda.among(services).flatMap((service): Change[] => {
    const task = agenda.of(service) as Task;
    const stage = dueStage(task);
    return stage === null
      ? []
      : [{ kind: "due", id: service.id, due: { stage, reason: context.redactor.redact(task.reason) } }];
  });
  const states = Object.fromEntries(
    services.map((service) => [service.name, context.records.get(service.id)?.state ?? "planned"]),
  );
  const started: RunEvent = {
    at: startedAt,
    type: "run-started",
    run: context.run.name,
    plan: context.plan.name,
    verb,
    levels: levelNames(context),
    states,
  };
  const planned: RunEvent = { at: context.clock.now(), type: "agenda", tasks: plannedTasks(context, agenda) };
  await change(context, [{ kind: "run", state, goal: "up" }, ...dues], [started, planned]);
}

export async function finish(context: RunContext, startedAt: number, end: BringUpEnd): Promise<BringUpEnd> {
  await enterRunState(context, end.state, startedAt);
  return end;
}
