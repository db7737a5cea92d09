import type { Coordination } from "./coordination.js";
import type { LimitFunction } from "p-limit";

import type { Clock } from "../../time/clock.js";
import type { RunEvent } from "../../model/events.js";
import { type LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { Redactor } from "../../secrets/redactor.js";
import type { RunRecord, ServiceRecord } from "../../state/contract/records.js";
import type { RunWriter } from "../../state/contract/writer.js";
import type { Store } from "../../state/contract/store.js";
import { AttributeRegistry } from "../attributes/attributes.js";
import { Clouds } from "../clouds/clouds.js";
import { MachineLinks } from "../clouds/machineLinks.js";
import { RunAbort } from "./abort.js";
import type { RunRequests } from "./requests.js";
import type { Service, DroppedService } from "./service.js";

export interface RunContext {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly plan: LaunchPlan;
  readonly store: Store;
  readonly clock: Clock;
  /** Null for commands that only read. */
  readonly writer: RunWriter | null;
  readonly attributes: AttributeRegistry;
  readonly redactor: Redactor;
  readonly clouds: Clouds;
  readonly links: MachineLinks;
  /** Every place in it is a program that runs. */
  readonly programSlots: LimitFunction;
  /** Aborted when the operator wants to stop: nothing new is started then, what runs is written down. */
  readonly stop: AbortSignal;
  /** Makes the command stop, for somebody who has asked for the run. */
  readonly standAside: () => void;
  /**
   * Aborted, with an Error that says why, when the time for tidying up is over; null where that takes as long as it
   * takes.
   */
  readonly cleanupExpired: AbortSignal | null;
  /** Of the run, by one of its programs or somebody outside. */
  readonly abort: RunAbort;
  /** What is asked of this command while it has the run in hand. */
  readonly requests: RunRequests;
  /** Aborted when nothing new is to begin: the operator stops the command, or the run is aborted. */
  readonly halt: AbortSignal;
  /** Where programs of the run meet. */
  readonly coordination: Coordination;
  /** Tells the observer, redacted; does not record. */
  readonly emit: (event: RunEvent) => void;
  /** Services of each level, in the plan's order. */
  readonly levels: readonly (readonly Service[])[];
  /** Services that the plan has no more, and that are not taken down yet; the last level first. */
  readonly dropped: readonly DroppedService[];
  /**
   * Services whose machines are to be replaced, as the earlier plan describes them that their machines were started by;
   * by number.
   */
  readonly former: ReadonlyMap<number, Service>;
  /** Replicas of the services of the plan, by the service's name in it. */
  readonly bySpec: ReadonlyMap<string, readonly Service[]>;
  /** All of them, by name. */
  readonly byName: ReadonlyMap<string, Service>;
  /** What the record said of each service when the command began, by number. */
  readonly records: ReadonlyMap<number, ServiceRecord>;
}

/** The levels with their services' names, as the event of a run's start tells them. */
export function levelNames(context: RunContext): { name: string; services: string[] }[] {
  return context.levels.map((services, index) => ({
    name: levelName(context, index),
    services: services.map((service) => service.name),
  }));
}

export function levelName(context: RunContext, index: number): string {
  return context.plan.levels[index]?.name ?? "";
}
