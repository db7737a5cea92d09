/**
 * Carries an agenda out on a run that is there already: written down first, so that whatever dies, the next command
 * knows what was decided.
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
  /** The run's state meanwhile. */
  readonly state: RunState;
  readonly startedAt: number;
  /** Leave terminate programs out. */
  readonly force: boolean;
  /** Told when execute programs begin to run, and when booting goes on. */
  readonly enterPhase?: BringUp["enterPhase"];
}

/** Does what is on the agenda and moves the run to the state that comes of it. */
export async function runAgenda(
  context: RunContext,
  assignments: MachineAssignments,
  agenda: Agenda,
  options: RunAgendaOptions,
): Promise<BringUpEnd> {
  await begin(context, agenda, options);
  return finish(context, options.startedAt, await bringUp(context, assignments, agenda, options));
}

/** Writes an agenda down, and tells it. */
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
  const told: RunEvent = { at: context.clock.now(), type: "agenda", tasks: plannedTasks(context, agenda) };
  await change(context, [{ kind: "run", state, goal: "up" }, ...dues], [started, told]);
}

export async function finish(context: RunContext, startedAt: number, end: BringUpEnd): Promise<BringUpEnd> {
  await enterRunState(context, end.state, startedAt);
  return end;
}
