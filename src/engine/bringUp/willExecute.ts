/** Which services of a level run their execute programs. */
import type { Service } from "../run/service.js";
import type { Task } from "../tasks/agenda.js";
import type { BringUp } from "./bringUpContext.js";

/** Whether the service executes once its level is ready: it boots now, or an earlier command did not get to it. */
export function willExecute({ context }: BringUp, service: Service, { stage }: Task): boolean {
  if (!service.spec.execute) return false;
  return (
    stage !== "verify" ||
    context.records.get(service.id)?.due?.stage === "execute" ||
    context.records.get(service.id)?.state !== "ready"
  );
}
