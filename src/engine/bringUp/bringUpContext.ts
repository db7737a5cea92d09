/** The shared data of a command that brings services up. */
import type { ServiceFailure } from "../../model/events.js";
import type { StepRecord } from "../../state/contract/records.js";
import type { Agenda } from "../tasks/agenda.js";
import type { Dependency } from "../attributes/dependents.js";
import type { EarlyLaunches } from "../launch/earlyLaunches.js";
import type { MachineLaunches } from "../launch/machineLaunches.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";

export interface BringUp {
  readonly context: RunContext;
  readonly assignments: MachineAssignments;
  readonly agenda: Agenda;
  /** The launches of the command. */
  readonly machines: MachineLaunches;
  /** Machines that start before their level begins. */
  readonly early: EarlyLaunches;
  /** References to each service, by its name in the plan. */
  readonly dependencies: ReadonlyMap<string, readonly Dependency[]>;
  /** Programs whose end is unknown because their launcher died. By service number. */
  readonly unfinished: ReadonlyMap<number, readonly StepRecord[]>;
  /** The first boot of a new run. Every service boots anyway, so a changed value adds no tasks. */
  readonly fresh: boolean;
  /** Failures in order of occurrence: the first one probably caused the others. */
  readonly failed: Error[];
  /** Called when execute programs start, and when booting continues. */
  readonly enterPhase: (phase: "boot" | "execute") => void;
  /** Skip the terminate programs of replaced and removed services. */
  readonly force: boolean;
  /** Called with the failure of each service, redacted. */
  readonly onFailure: (failure: ServiceFailure) => void;
}
