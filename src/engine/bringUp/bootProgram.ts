/**
 * The boot program of a service: run once on a machine, or waited for when an earlier launcher has started it; then its
 * outputs.
 */
import { endUnfinished } from "../programs/unfinished.js";
import { note, passState } from "../run/journal.js";
import type { Task } from "../tasks/agenda.js";
import { runOutputProgram } from "./outputProgram.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Runs the service's boot program, if it has one, and publishes what it has set.
 * @param booting whether the service is in state "booting" already.
 * @returns whether the service is in state "verifying" now, which is written together with the end of its boot program.
 * @throws ServiceError
 */
export async function bootOnMachine(work: BringUp, service: Service, task: Task, booting: boolean): Promise<boolean> {
  const { context, assignments } = work;
  const program = service.spec.boot;
  if (program === null) return false;
  const machineKey = assignments.machine(service)?.key ?? null;
  const begun = [{ kind: "due", id: service.id, due: null }] as const;
  if (booting) note(context, begun, []);
  else passState(context, service, "booting", begun);
  const steps = (work.unfinished.get(service.id) ?? []).filter(
    (step) => step.step !== "setup" && (step.machineKey === machineKey || step.machineKey === null),
  );
  const before = task.resume ? steps.findLast((step) => step.step === "boot") : undefined;
  await endUnfinished(
    context,
    assignments,
    service,
    steps.filter((step) => step !== before),
  );
  await runOutputProgram(work, service, {
    step: "boot",
    program,
    before,
    next: "verifying",
    begin: () => {
      if (context.attributes.outdate(service.name)) note(context, [{ kind: "stale-outputs", id: service.id }], []);
    },
    also: ({ id }, set) => [{ kind: "forget-outputs", id, except: set }],
  });
  return true;
}
