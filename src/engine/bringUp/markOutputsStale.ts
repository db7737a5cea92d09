/** Outputs of before: from the moment that a service is to boot again, nobody gets them any more. */
import type { Change } from "../../state/contract/changes.js";
import { note } from "../run/journal.js";
import type { Task } from "../tasks/agenda.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Makes the outputs of those of the services that are to boot anew those of before, ahead of their boots: a program
 * that asks for one while their machines are got and reached waits for the new value. What a boot program of an earlier
 * launcher has set is in doubt until its machine has answered what became of it: it counts if that program does.
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

/** Whether an earlier launcher has started its boot program, and it may count. */
function isLeft({ agenda, unfinished }: BringUp, service: Service): boolean {
  const { stage, resume } = agenda.of(service) as Task;
  return stage === "boot" && resume && (unfinished.get(service.id) ?? []).some(({ step }) => step === "boot");
}
