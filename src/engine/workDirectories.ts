/** Takes away what bootlevel staged on hosts that outlive the run. Machines that are destroyed need no sweeping. */
import { buffer } from "node:stream/consumers";

import { warn } from "./journal.js";
import type { Placements } from "./placements.js";
import { programsOf } from "./bundles.js";
import { hasMachine } from "./programs.js";
import type { RunContext, Service } from "./runContext.js";

/** Removes the staged programs of these services from hosts reached over SSH. A host that does not answer is told as a warning. */
export async function removeWorkDirectories(context: RunContext, placements: Placements, services: readonly Service[]): Promise<void> {
  const onHosts = services.filter((service) => hasMachine(placements, service) && placements.access(service).kind === "ssh" && programsOf(service.spec).some(({ program }) => program.where === "machine"));
  await Promise.all(onHosts.map(async (service) => {
    try {
      await sweep(context, placements, service);
    } catch (error) {
      await warn(context, service, `its staged programs may still lie on the host: ${(error as Error).message}`);
    }
  }));
}

async function sweep(context: RunContext, placements: Placements, service: Service): Promise<void> {
  const connection = await context.links.to(placements.access(service), service.spec.ssh).connection();
  // Both names are made of letters, digits, - and _ only, so that they need no quotes in any shell. The run's folder goes when it is empty.
  const work = connection.workDirectory;
  const channel = await connection.open(`exec /bin/sh -c 'cd && rm -rf ${work}/${service.name} && { rmdir ${work} 2>/dev/null || :; }'`);
  channel.stdin.end();
  channel.stdout.resume();
  const words = (await buffer(channel.stderr)).toString("utf8").trim();
  const ended = await channel.ended;
  if (ended.kind === "lost") throw new Error(ended.reason);
  if (ended.code !== 0) throw new Error(words || `exit code ${ended.code}`);
}
