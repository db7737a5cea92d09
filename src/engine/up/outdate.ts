/** Outputs of before: from the moment that a service is to boot again, nobody gets them any more. */
import type { Change } from "../../state/changes.js";
import { note } from "../run/journal.js";
import type { Service } from "../run/runContext.js";
import type { BringUp } from "./serviceStory.js";

/**
 * Makes the outputs of those of the services that are to boot anew those of before, ahead of their boots: a program that asks for one while their
 * machines are got and reached waits for the new value. What a boot program of an earlier launcher has set counts, as that program does.
 */
export function outdate(work: BringUp, services: readonly Service[]): void {
  const { context } = work;
  const outdated = services.filter((service) => bootsAnew(work, service) && context.book.outdate(service.name));
  if (outdated.length > 0) note(context, outdated.map(({ id }): Change => ({ kind: "stale-outputs", id })), []);
}

function bootsAnew({ agenda, unfinished, fresh }: BringUp, service: Service): boolean {
  const task = agenda.of(service);
  if (fresh || task === null || task.stage === "verify" || task.stage === "execute") return false;
  return !(task.stage === "boot" && task.resume && (unfinished.get(service.id) ?? []).some(({ step }) => step === "boot"));
}
