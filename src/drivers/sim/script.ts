/** The script of a simulated cloud: exact faults, each at a defined point. */
import { DriverError } from "../contract/driver.js";
import type { Distribution } from "./chance.js";
import { readDistribution, readDuration, readNumber, type WrittenDistribution } from "./values.js";

export type Verb = "launch" | "describe" | "terminate" | "list";
export type Step = "boot" | "ready" | "terminate";
/** Faults of a whole call, and faults of one machine in a launch. */
export type CallFault = "throttle" | "lost-reply" | "unreachable";
export type LaunchFault = "refuse" | "die" | "invisible";

interface Entry {
  /** The name of the entry's counter. */
  readonly id: string;
  /** A service, all replicas of a service, or null for every service. */
  readonly service: string | null;
  /** The match at which it happens, counted from 1 within a run. */
  readonly nth: number | "every";
}

export interface CallEntry extends Entry {
  readonly kind: "call";
  readonly verb: Verb;
  readonly fault: CallFault;
}

export interface LaunchEntry extends Entry {
  readonly kind: "launch";
  readonly fault: LaunchFault;
  /** The fault's duration, in milliseconds. */
  readonly forMs: number;
}

export interface ProgramEntry extends Entry {
  readonly kind: "program";
  readonly step: Step;
  readonly exit: number | null;
  readonly hang: boolean;
  readonly duration: Distribution | null;
  readonly output: string | null;
}

export interface MomentEntry extends Entry {
  readonly kind: "moment";
  /** The time after the machine's launch, and the fault's duration; in milliseconds. */
  readonly atMs: number;
  readonly fault: "die" | "unreachable";
  readonly forMs: number;
}

export type ScriptEntry = CallEntry | LaunchEntry | ProgramEntry | MomentEntry;

/** An entry as written. The schema defines which keys can be combined. */
export interface WrittenEntry {
  readonly call?: Verb;
  readonly program?: Step;
  readonly at?: string;
  readonly service?: string;
  readonly nth?: number | "every";
  readonly fault?: CallFault | LaunchFault;
  readonly for?: string;
  readonly exit?: number | string;
  readonly hang?: boolean;
  readonly duration?: WrittenDistribution;
  readonly output?: string;
}

/** @throws DriverError for an invalid value from a reference, which the schema could not check. */
export function readScript(written: readonly WrittenEntry[]): ScriptEntry[] {
  return written.map((entry, index) =>
    readEntry(entry, `item ${index + 1} of script`, `${index} ${JSON.stringify(entry)}`),
  );
}

/**
 * Whether a name in the script or in `services` matches this service: its own name, or the name of all its replicas.
 */
export function isMeant(name: string | null, service: string): boolean {
  return name === null || name === service || name === allReplicas(service);
}

/** The common name of a service's replicas: "web" for "web-2". */
export function allReplicas(service: string): string {
  return service.replace(/-\d+$/, "");
}

function readEntry(written: WrittenEntry, key: string, id: string): ScriptEntry {
  const nth: Entry["nth"] =
    written.nth === "every" ? "every" : readNumber(`${key}, nth`, written.nth, 1, [1, Number.MAX_SAFE_INTEGER]);
  const entry = { id, service: written.service ?? null, nth };
  const forMs = written.for === undefined ? 0 : readDuration(`${key}, for`, written.for);
  if (written.call !== undefined) return readCall(written.call, written.fault, { ...entry, forMs });
  if (written.program !== undefined) return readProgram(written, written.program, key, entry);
  if (written.fault !== "die" && written.fault !== "unreachable")
    throw new DriverError(`${key}: at a moment a machine can die or be unreachable`);
  return { ...entry, kind: "moment", atMs: readDuration(`${key}, at`, written.at), fault: written.fault, forMs };
}

function readCall(
  verb: Verb,
  fault: WrittenEntry["fault"],
  { forMs, ...entry }: Entry & { readonly forMs: number },
): ScriptEntry {
  switch (fault) {
    case "refuse":
    case "die":
    case "invisible":
      return { ...entry, kind: "launch", fault, forMs };
    case "throttle":
    case "lost-reply":
    case "unreachable":
      return { ...entry, kind: "call", verb, fault };
    case undefined:
      throw new DriverError(`a fault of the call ${verb} must say which fault`);
  }
}

function readProgram(written: WrittenEntry, step: Step, key: string, entry: Entry): ProgramEntry {
  return {
    ...entry,
    kind: "program",
    step,
    exit: written.exit === undefined ? null : readNumber(`${key}, exit`, written.exit, 0, [0, 255]),
    hang: written.hang === true,
    duration: written.duration === undefined ? null : readDistribution(`${key}, duration`, written.duration),
    output: written.output ?? null,
  };
}
