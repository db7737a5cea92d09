/** Changes to a run's record, as data. A write is a list of changes that are applied atomically. */
import type { RunEvent, RunState, ServiceFailure, ServiceState } from "../../model/events.js";
import type { AuthorizedKey, ContactStage, RunSshKey } from "./contacts.js";
import type { Abort, AttributeValue, Due, RunRecord } from "./records.js";
import type { RequestAnswer } from "./requests.js";

/** A machine as its driver reported it, in the form in which it is recorded. */
export interface LaunchedMachine {
  readonly driverId: string;
  readonly host: string | null;
  readonly privateHost: string | null;
  readonly hostname: string | null;
  readonly access: string | null;
}

/** A request of a program. */
export interface AnsweredRequest {
  /** The directory of the program's step. */
  readonly program: string;
  /** The request's id, unique among the requests of the program. */
  readonly request: string;
}

export type Change =
  | { readonly kind: "run"; readonly state: RunState; readonly goal?: RunRecord["goal"] }
  /** Moves a service to a state. A failure stays recorded until the service is in another state than "failed". */
  | { readonly kind: "service"; readonly id: number; readonly state: ServiceState; readonly failure?: ServiceFailure }
  /** Sets the work that is due for a service. Null: it was done. */
  | { readonly kind: "due"; readonly id: number; readonly due: Due | null }
  /** The service is now entirely described by the present plan. */
  | { readonly kind: "described"; readonly id: number }
  /** The service was dropped by a changed plan, and its machine is gone. */
  | { readonly kind: "removed"; readonly id: number }
  /** A launch request, recorded before the driver is called. A repeated request gets the new time. */
  | {
      readonly kind: "launch-intent";
      readonly serviceId: number;
      readonly cloud: string;
      readonly key: string;
      readonly generation: number;
    }
  /** A launch request is sent again for a machine that the driver has not reported. */
  | { readonly kind: "launch-repeated"; readonly key: string }
  /** The driver has returned a machine. Recorded before anything waits for the machine. */
  | { readonly kind: "launched"; readonly key: string; readonly machine: LaunchedMachine }
  /** A launcher is connected to the machine for the first time. */
  | { readonly kind: "met"; readonly key: string }
  /** The machine does not exist any more, or never did. */
  | { readonly kind: "ended"; readonly key: string; readonly reason: string }
  /** From now on the terminate program has work to do, in any launcher. */
  | { readonly kind: "booted"; readonly id: number }
  /** Nothing is left of the service's programs: the machine that they ran on is gone. */
  | { readonly kind: "unbooted"; readonly id: number }
  /** Secret attributes are encrypted. */
  | { readonly kind: "attribute"; readonly attribute: AttributeValue }
  /**
   * A service is about to boot or execute again. Programs that wait for its outputs must not get the old ones. With a
   * step, these are the outputs that this step has set.
   */
  | { readonly kind: "stale-outputs"; readonly id: number; readonly step: "execute" | null }
  /** Deletes stale outputs that the program has not set again. */
  | { readonly kind: "forget-outputs"; readonly id: number; readonly except: readonly string[] }
  /** Sets the latest message of its programs. Null: clears it. */
  | { readonly kind: "said"; readonly id: number; readonly text: string | null }
  /** Requests of programs (`bl`) are handled: a launcher that gets them again must not handle them again. */
  | { readonly kind: "answered"; readonly requests: readonly AnsweredRequest[] }
  /** An abort by the holder itself, which needs no answer. The first reason stays. */
  | { readonly kind: "abort"; readonly abort: Abort }
  /** The holder's first answer to a request. */
  | { readonly kind: "request-answered"; readonly id: number; readonly answer: RequestAnswer }
  | { readonly kind: "step-ended"; readonly id: number; readonly outcome: string; readonly exitCode: number | null }
  | { readonly kind: "event"; readonly event: RunEvent }
  | { readonly kind: "host-key"; readonly scope: string; readonly address: string; readonly key: string }
  /** The first connection to a machine has reached a stage. `machine` is the driver's name for it. */
  | { readonly kind: "contact"; readonly machine: string; readonly stage: ContactStage }
  /** The keys that a machine will authorize. Recorded before the launch request. */
  | { readonly kind: "authorized"; readonly key: string; readonly keys: readonly AuthorizedKey[] }
  /** A key pair for the machines of this run, unless the run has one. It is deleted when the run is terminated. */
  | { readonly kind: "run-key"; readonly pair: RunSshKey };
