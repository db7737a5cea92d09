/** Hosts that existed before the run and serve one installation at a time. */
import { hostname } from "node:os";

import { runQuery } from "../../machines/shell/query.js";
import { takeHost, type HostUser } from "../../machines/shell/hostMarker.js";
import { failure } from "../../machines/shell/scriptFailures.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/** How long the marking of a host may take, in milliseconds. */
const LIMIT_MS = 30_000;

/** Whether the service's machine is a host of a pool. @throws NoMachineError */
export function isPoolHost(assignments: MachineAssignments, service: Service): boolean {
  const access = assignments.access(service);
  return access.kind === "ssh" && access.exclusive === true;
}

/** What the marker of the service's host says; undefined where its machine is none that others may use. */
export async function hostUser(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
): Promise<HostUser | undefined> {
  if (!isPoolHost(assignments, service)) return undefined;
  const { env } = context.store;
  return {
    installation: await context.store.installation(),
    run: context.run.uid,
    runName: context.run.name,
    service: assignments.owner(service).name,
    launcher: `${env["USER"] ?? env["LOGNAME"] ?? "?"}@${hostname()}`,
    since: new Date(context.clock.now()).toISOString(),
  };
}

/**
 * Marks the host of a service that runs no program there; programs mark it themselves.
 * @throws HostTakenError when another installation uses it; ConnectionError
 */
export async function markHost(context: RunContext, assignments: MachineAssignments, service: Service): Promise<void> {
  const user = await hostUser(context, assignments, service);
  if (user === undefined) return;
  const connection = await assignments.machineLink(service).connection();
  const script = (say: string): string =>
    `${say}\nbl_say() { say "$1 $2"; exit 0; }\numask 077; mkdir -p "$HOME/.bootlevel" || exit 0\n${takeHost(user)}`;
  const { said } = await runQuery(connection, script, { limitMs: LIMIT_MS, signal: context.abort.signal });
  const why = said.find((line) => line.startsWith("fail "))?.slice("fail ".length);
  if (why !== undefined) throw failure(connection.label, why, "");
}
