/**
 * Runs a service's boot program once per machine, or waits for it if an earlier launcher started it. Then publishes its
 * outputs.
 */
import { endUnfinished } from "../programs/unfinished.js";
import { note, passState } from "../run/journal.js";
import { markStale } from "./markOutputsStale.js";
import type { Task } from "../tasks/agenda.js";
import { runOutputProgram } from "./outputProgram.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Runs the service's boot program, if it has one, and publishes its outputs.
 * @param booting whether the service is already in state "booting".
 * @returns whether the service is now in state "verifying". That state is recorded together with the program's end.
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
      markStale(context, [service], "boot");
    },
    also: ({ id }, set) => [{ kind: "forget-outputs", id, except: set }],
  });
  return true;
}
