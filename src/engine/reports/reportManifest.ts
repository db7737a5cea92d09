/** The manifest of a report: which run, service and machine it comes from. */
import type { ReportManifest } from "../../state/contract/reportArchive.js";
import type { RunContext } from "../run/context.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { Service } from "../run/service.js";

/** The manifest of a service's report that is collected now, from the machine that it has now. */
export function reportManifest(context: RunContext, assignments: MachineAssignments, service: Service): ReportManifest {
  const machine = assignments.machine(assignments.owner(service));
  return {
    run: context.run.name,
    uid: context.run.uid,
    plan: context.plan.name,
    service: service.name,
    level: service.level.name,
    machine:
      machine === null
        ? null
        : {
            key: machine.key,
            generation: machine.generation,
            cloud: machine.cloud,
            id: machine.driverId,
            host: machine.host,
          },
    collectedAt: context.clock.now(),
  };
}
