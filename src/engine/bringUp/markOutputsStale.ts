/** Marks outputs as stale as soon as their service is to boot again: no program may read them any more. */
import type { Change } from "../../state/contract/changes.js";
import { note } from "../run/journal.js";
import type { Task } from "../tasks/agenda.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Marks the outputs of services that boot again as stale before their machines start. A program that asks for one waits
 * for the new value. Outputs set by a boot program of an earlier launcher are in doubt until the machine reports what
 * happened to the program: they are valid if it still runs or has succeeded.
 */
export function markOutputsStale(work: BringUp, services: readonly Service[]): void {
  const { context } = work;
  const outdated: Service[] = [];
  for (const service of services.filter((one) => boots(work, one))) {
    if (isLeft(work, service)) context.attributes.doubt(service.name);
    else if (context.attributes.outdate(service.name)) outdated.push(service);
  }
  if (outdated.length > 0)
    note(
      context,
      outdated.map(({ id }): Change => ({ kind: "stale-outputs", id })),
      [],
    );
}

function boots({ agenda, fresh }: BringUp, service: Service): boolean {
  const task = agenda.of(service);
  return !fresh && task !== null && task.stage !== "verify" && task.stage !== "execute";
}

/** Whether an earlier launcher started its boot program, which may still be valid. */
function isLeft({ agenda, unfinished }: BringUp, service: Service): boolean {
  const { stage, resume } = agenda.of(service) as Task;
  return stage === "boot" && resume && (unfinished.get(service.id) ?? []).some(({ step }) => step === "boot");
}
