/** Marks outputs as stale as soon as the program that sets them is to run again: no program may read them any more. */
import type { Change } from "../../state/contract/changes.js";
import type { OutputStep } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import { note } from "../run/journal.js";
import type { Task } from "../tasks/agenda.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";
import { willExecute } from "./willExecute.js";

/**
 * Marks the outputs of services that boot again as stale before their machines start, and those of execute programs
 * that run again. A program that asks for one waits for the new value. Outputs set by a program of an earlier launcher
 * are in doubt until the machine reports what happened to the program: they are valid if it still runs or has
 * succeeded.
 */
export function markOutputsStale(work: BringUp, services: readonly Service[]): void {
  if (work.fresh) return;
  for (const step of ["boot", "execute"] as const) {
    const again = services.filter((service) => stepToRun(work, service) === step);
    for (const service of again) if (isLeft(work, service, step)) work.context.attributes.doubt(service.name, step);
    markStale(
      work.context,
      again.filter((service) => !isLeft(work, service, step)),
      step,
    );
  }
}

/** Marks the outputs of a step that runs again: those of a boot program with all others of its service. */
export function markStale(context: RunContext, services: readonly Service[], by: OutputStep): void {
  const outdated = services.filter(({ name }) => context.attributes.outdate(name, by));
  if (outdated.length === 0) return;
  const step = by === "boot" ? null : by;
  note(
    context,
    outdated.map(({ id }): Change => ({ kind: "stale-outputs", id, step })),
    [],
  );
}

/** The first of a service's programs to run that sets outputs, or null. */
function stepToRun(work: BringUp, service: Service): OutputStep | null {
  const task = work.agenda.of(service);
  if (task === null) return null;
  if (task.stage !== "verify" && task.stage !== "execute") return "boot";
  return willExecute(work, service, task) ? "execute" : null;
}

/** Whether an earlier launcher started its program, which may still be valid. */
function isLeft({ agenda, unfinished }: BringUp, service: Service, by: OutputStep): boolean {
  const { stage, resume } = agenda.of(service) as Task;
  const started = (unfinished.get(service.id) ?? []).some(({ step }) => step === by);
  return started && (by === "execute" || (stage === "boot" && resume));
}
