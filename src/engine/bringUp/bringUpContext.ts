/** What bringing services up has in hand. */
import type { StepRecord } from "../../state/contract/records.js";
import type { Agenda } from "../tasks/agenda.js";
import type { Dependency } from "../attributes/dependents.js";
import type { EarlyLaunches } from "../launch/earlyLaunches.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";

/** What a command that brings services up works with. */
export interface BringUp {
  readonly context: RunContext;
  readonly assignments: MachineAssignments;
  readonly agenda: Agenda;
  /** Machines that are started before their level. */
  readonly early: EarlyLaunches;
  /** Who refers to a service, by the service's name in the plan. */
  readonly dependencies: ReadonlyMap<string, readonly Dependency[]>;
  /** Programs of which nobody has seen the end: their launcher died while they ran. By service number. */
  readonly unfinished: ReadonlyMap<number, readonly StepRecord[]>;
  /** The first boot of a new run: every service boots anyway, so no changed value means more work. */
  readonly fresh: boolean;
  /** Failures in the order in which they came: the first is the likeliest to be the cause of the others. */
  readonly failed: Error[];
  /** Told when execute programs begin to run, and when booting goes on. */
  readonly enterPhase: (phase: "boot" | "execute") => void;
  /** Leave the terminate programs of replaced and removed services out. */
  readonly force: boolean;
}
