/** The driver of contactCloud.ts as a module file that a plan can name, and plans with it. */
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { join } from "node:path";

import { driverModule } from "./driverModule.js";

/**
 * The head of a plan whose machines this driver makes, all at one address of its own; `more` are keys of the cloud,
 * `ssh` of all services.
 */
export async function contactHead(more = "", ssh = ""): Promise<{ head: string; address: string }> {
  const file = await driverModule("contactCloud");
  const [a, b, c] = [250, 250, 250].map((most) => 1 + Math.floor(Math.random() * most));
  const address = `127.${String(a)}.${String(b)}.${String(c)}`;
  return {
    address,
    head: `clouds: { c: { driver: "${file}", address: ${address}, port: 2222${more} } }\ndefaults: { cloud: c, ssh: { known_hosts: /nonexistent, connect_timeout: 10s${ssh} } }\n`,
  };
}

const stateOf = (home: string): string => join(home, "drivers", "contact-cloud");

/** The directories of the machines that the cloud has. */
export function contactMachines(home: string): string[] {
  const machines = join(stateOf(home), "machines");
  return existsSync(machines) ? readdirSync(machines).map((id) => join(machines, id)) : [];
}

/** What the cloud was asked to give to machines, in order. */
export function contactRequests(home: string): { authorizedKeys: string[]; hostKey: boolean }[] {
  return readFileSync(join(stateOf(home), "requests"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { authorizedKeys: string[]; hostKey: boolean });
}

/** Files of bootlevel's own state that hold a private key as it is. */
export function clearKeys(home: string): string[] {
  const names = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return names.filter(
    (name) =>
      !name.startsWith(stateOf(home)) &&
      /PRIVATE KEY|openssh-key-v1|b3BlbnNzaC1rZXkt/.test(readFileSync(name, "latin1")),
  );
}
