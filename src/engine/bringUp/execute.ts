/** Execute programs. They run once all services of their level are ready. */
import { InterruptedError } from "../run/failure.js";
import { passState } from "../run/journal.js";
import { markStale } from "./markOutputsStale.js";
import { runOutputProgram } from "./outputProgram.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Runs a service's execute program, or waits for it if an earlier launcher started it. The service is ready before, and
 * ready again on success. The program's end and "nothing left to execute" are recorded in one write.
 * @throws ServiceError when it fails; InterruptedError when nothing new may start.
 */
export async function execute(work: BringUp, service: Service): Promise<void> {
  const { context, assignments } = work;
  const program = service.spec.execute;
  if (program === null) return;
  if (context.halt.aborted) throw new InterruptedError();
  const machineKey = assignments.machine(service)?.key ?? null;
  passState(context, service, "executing");
  const before = (work.unfinished.get(service.id) ?? []).findLast(
    (step) => step.step === "execute" && step.machineKey === machineKey,
  );
  await runOutputProgram(work, service, {
    step: "execute",
    program,
    before,
    next: "ready",
    begin: () => {
      markStale(context, [service], "execute");
    },
    also: ({ id }, set) => [
      { kind: "due", id, due: null },
      { kind: "forget-outputs", id, except: set },
    ],
  });
}
