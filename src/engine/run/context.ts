/** The context of a command that works on a run. */
import type { LimitFunction } from "p-limit";

import type { Clock } from "../../time/clock.js";
import type { RunEvent } from "../../model/events.js";
import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import type { Redactor } from "../../secrets/redactor.js";
import type { RunRecord, ServiceRecord } from "../../state/contract/records.js";
import type { RunWriter } from "../../state/contract/writer.js";
import type { Store } from "../../state/contract/store.js";
import type { AttributeRegistry } from "../attributes/attributes.js";
import type { Clouds } from "../clouds/clouds.js";
import type { MachineLinks } from "../clouds/machineLinks.js";
import type { RunAbort } from "./abort.js";
import type { Outages } from "./outages.js";
import type { RunRequests } from "./requests.js";
import type { Coordination } from "./coordination.js";
import type { Service, DroppedService } from "./service.js";

/**
 * A run as described by one revision of its plan. Immutable: following a newer revision gives a new view. A service
 * keeps its number in all views; it keeps its object if nothing changed for it.
 */
export interface RunView {
  /** The number of the revision, from 1. */
  readonly revision: number;
  readonly plan: LaunchPlan;
  /** Services of each level, in the plan's order. */
  readonly levels: readonly (readonly Service[])[];
  /** Services that are no longer in the plan and not taken down yet; the last level first. */
  readonly dropped: readonly DroppedService[];
  /** Services whose machines are to be replaced, as described by the plan that started those machines; by number. */
  readonly former: ReadonlyMap<number, Service>;
  /** The replicas of each service, by the service's name in the plan. */
  readonly bySpec: ReadonlyMap<string, readonly Service[]>;
  /** Services of the levels and dropped ones, by name. */
  readonly byName: ReadonlyMap<string, Service>;
  /** Services of the levels and dropped ones, by number. */
  readonly byId: ReadonlyMap<number, Service>;
  /** The record of each service at the time of the view, by number. */
  readonly records: ReadonlyMap<number, ServiceRecord>;
}

/** The difference between a run's view and the one before. */
export interface ViewChange {
  /** The revisions before and after. */
  readonly from: number;
  readonly to: number;
  /** Services that are new in the plan. */
  readonly added: readonly Service[];
  /** Services that are no longer in the plan: they are in `dropped` until they are taken down. */
  readonly removed: readonly Service[];
  /** New names of renamed services, by their earlier names. */
  readonly renamed: ReadonlyMap<string, string>;
}

/**
 * Three parts with different lifetimes. The view is replaced by `follow`: read its fields where they are needed and
 * keep no copies. Connections and drivers come from a session, which may outlive the context. Everything else is fixed
 * for the command.
 */
export interface RunContext extends RunView {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly store: Store;
  readonly clock: Clock;
  /** Null for read-only commands. */
  readonly writer: RunWriter | null;
  /** The values of the run's references. The same object in every view; `follow` updates it. */
  readonly attributes: AttributeRegistry;
  /** Removes secrets from everything that is emitted or recorded. It learns more secrets, and forgets none. */
  readonly redactor: Redactor;
  /** The drivers of the plan's clouds. */
  readonly clouds: Clouds;
  /** The links to the run's machines. */
  readonly links: MachineLinks;
  /** Machines whose connection broke under a program. */
  readonly outages: Outages;
  /** The slots for running programs; as many as the plan's `concurrency`. */
  readonly programSlots: LimitFunction;
  /** Aborted when the operator stops the command: nothing new starts, and running work is recorded. */
  readonly stop: AbortSignal;
  /** Aborted, with an Error that says why, when the time for cleanup is over; null without such a limit. */
  readonly cleanupExpired: AbortSignal | null;
  /** The run's abort, by one of its programs or from outside. */
  readonly abort: RunAbort;
  /** Requests to this command while it holds the run. */
  readonly requests: RunRequests;
  /** Aborted when nothing new may start: the operator stops the command, or the run is aborted. */
  readonly halt: AbortSignal;
  /** Coordination between the run's programs (`bl`). */
  readonly coordination: Coordination;
  /** Passes an event to the observer, redacted; does not record it. */
  readonly emit: (event: RunEvent) => void;
  /** The current view as one immutable value, for readers that wait between two reads. */
  readonly view: RunView;
  /**
   * The current description of a service, by its number. A service that an earlier plan describes (`former`), or that
   * is gone, is returned unchanged.
   */
  current(service: Service): Service;
  /**
   * Rereads the record and continues with the newest revision of the plan. Connections, drivers of unchanged clouds and
   * running programs are not affected. The view changes as a whole; if the record cannot be read, nothing changes.
   * @throws StateError when the record cannot be read.
   */
  follow(): Promise<ViewChange>;
}

/** The levels with their services' names, as in the event of a run's start. */
export function levelNames(context: RunContext): { name: string; services: string[] }[] {
  return context.levels.map((services, index) => ({
    name: levelName(context, index),
    services: services.map((service) => service.name),
  }));
}

export function levelName(context: RunContext, index: number): string {
  return context.plan.levels[index]?.name ?? "";
}
