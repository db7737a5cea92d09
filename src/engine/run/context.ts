/** What a command that works on a run has in hand. */
import type { LimitFunction } from "p-limit";

import type { Clock } from "../../time/clock.js";
import type { RunEvent } from "../../model/events.js";
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { Redactor } from "../../secrets/redactor.js";
import type { RunRecord, ServiceRecord } from "../../state/contract/records.js";
import type { RunWriter } from "../../state/sqlite/runWriter.js";
import type { Store } from "../../state/sqlite/store.js";
import type { AttributeRegistry } from "../attributes/attributes.js";
import type { Clouds } from "../clouds/clouds.js";
import type { MachineLinks } from "../clouds/machineLinks.js";
import type { RunAbort } from "./abort.js";
import type { Coordination } from "./coordination.js";
import type { Service, DroppedService } from "./service.js";

/**
 * A run as one revision of its plan describes it. Immutable: a context that follows a newer revision has another view.
 * A service's number stays the same in all of them; the object does too if nothing changed for the service.
 */
export interface RunView {
  /** The number of the revision, from 1. */
  readonly revision: number;
  readonly plan: LaunchPlan;
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
  /** Services of the levels and dropped ones, by name. */
  readonly byName: ReadonlyMap<string, Service>;
  /** The same by number. */
  readonly byId: ReadonlyMap<number, Service>;
  /** What the record said of each service when the view was read, by number. */
  readonly records: ReadonlyMap<number, ServiceRecord>;
}

/** How a run's view differs from the one before. */
export interface ViewChange {
  /** The revision before, and now. */
  readonly from: number;
  readonly to: number;
  /** Services that the plan did not have. */
  readonly added: readonly Service[];
  /** Services that the plan has no more: they are in `dropped` until they are taken down. */
  readonly removed: readonly Service[];
  /** The names that services have now, by those that they had, for each service that has another name now. */
  readonly renamed: ReadonlyMap<string, string>;
}

/**
 * Three parts with different lives. The run's view is replaced by `follow`; read its fields where they are needed, and
 * keep no copies. Connections and drivers come from a session, which may outlive the context. Everything else is fixed
 * for the command.
 */
export interface RunContext extends RunView {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly store: Store;
  readonly clock: Clock;
  /** Null for commands that only read. */
  readonly writer: RunWriter | null;
  /** The values that the run's references have. The same object in every view; `follow` brings it up to date. */
  readonly attributes: AttributeRegistry;
  /** Takes secrets out of what is told and written. It learns more secrets, and forgets none. */
  readonly redactor: Redactor;
  /** The drivers of the plan's clouds. */
  readonly clouds: Clouds;
  /** The links to the run's machines. */
  readonly links: MachineLinks;
  /** Every place in it is a program that runs; as many as the plan's `concurrency`. */
  readonly programSlots: LimitFunction;
  /** Aborted when the operator wants to stop: nothing new is started then, what runs is written down. */
  readonly stop: AbortSignal;
  /**
   * Aborted, with an Error that says why, when the time for tidying up is over; null where that takes as long as it
   * takes.
   */
  readonly cleanupExpired: AbortSignal | null;
  /** Of the run, by one of its programs or somebody outside. */
  readonly abort: RunAbort;
  /** Aborted when nothing new is to begin: the operator stops the command, or the run is aborted. */
  readonly halt: AbortSignal;
  /** Where programs of the run meet. */
  readonly coordination: Coordination;
  /** Tells the observer, redacted; does not record. */
  readonly emit: (event: RunEvent) => void;
  /** What the context shows now, as one value that does not change: for readers that wait between two looks. */
  readonly view: RunView;
  /**
   * The service of the same number as the run knows it now. A service that is described by an earlier plan (`former`),
   * or that is gone, stays as it is.
   */
  current(service: Service): Service;
  /**
   * Rereads the record and goes on with the newest revision of the plan. Connections, drivers of unchanged clouds and
   * programs that run are left alone. All of the view changes at once; if the record cannot be read, none of it does.
   * @throws StateError when the record cannot be read.
   */
  follow(): Promise<ViewChange>;
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
