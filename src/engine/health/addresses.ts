/**
 * Follows machines whose address has changed: they were stopped and started, or got another public address. Only
 * machines that are recognised at every address are followed: their host keys are pinned to the machine.
 */
import type { MachineAccess, MachineStatus } from "../../drivers/contract/driver.js";
import type { Change } from "../../state/contract/changes.js";
import { isReachable, launchedChange } from "../run/launchedMachine.js";
import type { RunContext } from "../run/context.js";
import { change, warning } from "../run/journal.js";
import { groupBy } from "../run/lists.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { Service } from "../run/service.js";
import type { Agenda } from "../tasks/agenda.js";

/** How long a cloud may take to tell addresses, in milliseconds. After that, the recorded ones are used. */
const ANSWER_MS = 20_000;

/**
 * Takes over changed addresses; records them unless the command is read-only.
 * @param statuses what the cloud says of the services' machines.
 * @returns what has changed, for people, by service.
 */
export async function followMachines(
  context: RunContext,
  assignments: MachineAssignments,
  statuses: ReadonlyMap<Service, MachineStatus>,
): Promise<Map<Service, string>> {
  const moved = new Map<Service, string>();
  const changes: Change[] = [];
  for (const [service, status] of statuses) {
    const machine = assignments.machine(service);
    if (machine === null || !isKnownAnywhere(machine.access) || !isReachable(status)) continue;
    const recorded = launchedChange(assignments, service, status);
    if (
      recorded === null ||
      machine.host === null ||
      (machine.host === status.host && machine.privateHost === status.privateHost)
    )
      continue;
    const [before, after] =
      machine.host === status.host ? [machine.privateHost, status.privateHost] : [machine.host, status.host];
    moved.set(service, `its machine ${status.id} has the address ${after ?? "none"} now, before ${before ?? "none"}`);
    changes.push(recorded);
    assignments.launched(service, status);
  }
  if (context.writer !== null && moved.size > 0)
    await change(
      context,
      changes,
      [...moved].map(([service, message]) => warning(context, service, message)),
    );
  return moved;
}

/**
 * Asks each cloud once for the addresses of the run's machines, and takes over changed ones.
 * @param agenda gets a task for each such service, whose attributes change with its address; null: none does.
 */
export async function followAddresses(
  context: RunContext,
  assignments: MachineAssignments,
  agenda: Agenda | null = null,
): Promise<void> {
  const known = [...context.byId.values()].flatMap((service) => {
    const machine = assignments.machine(service);
    return machine === null || machine.driverId === null || !isKnownAnywhere(machine.access)
      ? []
      : [{ service, cloud: machine.cloud, id: machine.driverId }];
  });
  const statuses = new Map<Service, MachineStatus>();
  await Promise.all(
    [...groupBy(known, ({ cloud }) => cloud)].map(async ([cloud, own]) => {
      try {
        const driver = await context.clouds.driver(cloud);
        const signal = AbortSignal.any([context.stop, AbortSignal.timeout(ANSWER_MS)]);
        const told = await driver.describe(
          own.map(({ id }) => id),
          signal,
        );
        own.forEach(({ service }, place) => {
          const status = told[place];
          if (status !== undefined) statuses.set(service, status);
        });
      } catch (error) {
        if (context.stop.aborted) return;
        const message = `cloud "${cloud}" does not tell whether addresses have changed: ${(error as Error).message}`;
        context.emit(warning(context, null, context.redactor.redact(message)));
      }
    }),
  );
  for (const [service, message] of await followMachines(context, assignments, statuses))
    if (context.levels.flat().includes(service))
      agenda?.add(service, { stage: "verify", reason: message, resume: false });
}

function isKnownAnywhere(access: string | null): boolean {
  if (access === null) return false;
  const known = JSON.parse(access) as MachineAccess;
  return known.kind === "ssh" && known.firstContact !== undefined;
}
