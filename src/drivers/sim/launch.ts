/** Launches one simulated machine: its whole life is drawn at the launch. */
import { DriverError, type LaunchRequest } from "../contract/driver.js";
import { isDue } from "./calls.js";
import { drawMs, happens, uniform } from "./chance.js";
import type { CloudFile, MachineRow } from "./cloudFile.js";
import { isMeant, type LaunchEntry, type MomentEntry } from "./script.js";
import type { Settings } from "./settings.js";

/** One launch call. `alive` counts the existing machines and grows during the call. */
export interface Launcher {
  readonly settings: Settings;
  readonly file: CloudFile;
  readonly now: number;
  alive: number;
}

/** After this many occupied addresses in a row, something else is wrong. */
const ADDRESS_TRIES = 1_000;

/**
 * Creates a machine for a key that the cloud does not know. Must run in a transaction.
 * @throws DriverError if the cloud refuses.
 */
export function launchMachine(launcher: Launcher, { key, mark, launch }: LaunchRequest, id: string): MachineRow {
  const { settings, file, now } = launcher;
  const service = settings.service(mark.service, launch);
  const words = [
    settings.seed ?? mark.run,
    mark.service,
    "launch",
    file.count(mark.run, `launch ${mark.service}`),
  ] as const;
  const due = settings.script
    .filter((entry) => entry.kind === "launch" || entry.kind === "moment")
    .filter((entry) => isMeant(entry.service, mark.service) && isDue(entry.nth, file.count(mark.run, entry.id)));
  if (launcher.alive >= settings.capacity)
    throw new DriverError(
      `InsufficientInstanceCapacity: the cloud has a capacity of ${settings.capacity} machines, and all of it is used`,
    );
  if (due.some(({ fault }) => fault === "refuse") || happens(service.refuse, ...words, "refuse"))
    throw new DriverError("Server.InternalError: the simulated cloud refused the launch");
  const runningAt = now + drawMs(service.latency, ...words, "latency");
  const { probability, withinMs } = service.die;
  const drawnDeath = happens(probability, ...words, "die")
    ? [now + Math.round(uniform(...words, "death") * withinMs)]
    : [];
  const deaths = [...drawnDeath, ...due.flatMap((entry) => scriptedDeath(entry, now, runningAt))];
  const machine: MachineRow = {
    id,
    key,
    mark,
    launch,
    address: freeAddress(file, words),
    launchedAt: now,
    visibleAt:
      now + Math.max(settings.visibilityMs, ...due.map((entry) => (entry.fault === "invisible" ? entry.forMs : 0))),
    runningAt,
    diesAt: deaths.length === 0 ? null : Math.min(...deaths),
    terminatedAt: null,
    outages: due.flatMap((entry) =>
      entry.kind === "moment" && entry.fault === "unreachable"
        ? [[now + entry.atMs, now + entry.atMs + entry.forMs] as const]
        : [],
    ),
  };
  file.addMachine(machine);
  launcher.alive += 1;
  return machine;
}

/** A machine whose launch has the fault "die" never reaches the state "running". */
function scriptedDeath(entry: LaunchEntry | MomentEntry, now: number, runningAt: number): number[] {
  if (entry.fault !== "die") return [];
  return [entry.kind === "moment" ? now + entry.atMs : Math.floor((now + runningAt) / 2)];
}

/** An address in 10.0.0.0/8. It is never contacted. */
function freeAddress(file: CloudFile, words: readonly (string | number)[]): string {
  for (let attempt = 0; attempt < ADDRESS_TRIES; attempt += 1) {
    const number = Math.floor(uniform(...words, "address", attempt) * 2 ** 24);
    const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
    if (file.isFree(address)) return address;
  }
  throw new DriverError(`InsufficientFreeAddresses: no free address after ${ADDRESS_TRIES} tries`);
}
