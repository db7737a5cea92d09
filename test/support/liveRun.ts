/** What tests of commands on a run that is there already look at, and how they break it. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { eventually } from "./eventually.js";
import type { Document, Installation } from "./installation.js";

/** A plan of levels, each given as its services. `head` stands before the levels. */
export function levels(name: string, services: readonly string[], head = ""): string {
  const level = (text: string, index: number) =>
    `  - name: l${index + 1}\n    services:\n${text
      .trim()
      .split("\n")
      .map((line) => `      ${line.trim()}`)
      .join("\n")}\n`;
  return `plan: ${name}\n${head}levels:\n${services.map(level).join("")}`;
}

/** A command that tells a word. */
export const tell = (own: Installation, word: string): string => `echo ${word} >> '${own.facts}/ran'`;

/** A command that waits for the file `go-<name>`, and tells that it does by `begun-<name>`. */
export const waitFor = (own: Installation, name: string): string =>
  `touch '${own.facts}/begun-${name}'; until test -f '${own.facts}/go-${name}'; do sleep 0.05; done`;

export async function begun(own: Installation, name: string): Promise<void> {
  await eventually(`${name} has begun`, () => own.fact(`begun-${name}`) !== null);
}

export function letGo(own: Installation, ...names: readonly string[]): void {
  own.plan("", Object.fromEntries(names.map((name) => [`go-${name}`, ""])), "facts");
}

/** The words that programs told since the last time, in order. */
export function told(own: Installation): string[] {
  const words = (own.fact("ran") ?? "")
    .split("\n")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  rmSync(join(own.facts, "ran"), { force: true });
  return words;
}

export async function shownServices(own: Installation, run: string): Promise<Record<string, Document>> {
  const { document } = await own.json(["show", run]);
  return Object.fromEntries(
    document.levels.flatMap((level: Document) => level.services.map((service: Document) => [service.name, service])),
  );
}

const machinesFolder = (own: Installation) => join(own.home, "drivers", "local", "machines");

/** The directories of local machines, without the run's unique id: `web.1`. */
export function localMachines(own: Installation): string[] {
  return readdirSync(machinesFolder(own))
    .map((name) => name.slice(name.indexOf(".") + 1))
    .sort();
}

/** Somebody removes the directory of a service's machine. */
export function loseMachine(own: Installation, service: string): void {
  const lost = readdirSync(machinesFolder(own)).filter((name) => name.split(".")[1] === service);
  if (lost.length !== 1) throw new Error(`${service} has ${lost.length} machines`);
  rmSync(join(machinesFolder(own), lost[0] as string), { recursive: true });
}

/** Boots and forgets what programs told; fails with the boot's words. */
export async function boot(own: Installation, folder: string, run: string): Promise<void> {
  const ended = await own.call(["boot", folder, "--name", run]);
  if (ended.code !== 0) throw new Error(`boot ended with ${ended.code}: ${ended.stderr}${ended.stdout}`);
  told(own);
}
