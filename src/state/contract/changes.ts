/** What can be changed in a run's record, as data: a write is a list of these, applied together or not at all. */
import type { RunEvent, RunState, ServiceFailure, ServiceState } from "../../model/events.js";
import type { AuthorizedKey, ContactStage, RunSshKey } from "./contacts.js";
import type { Abort, AttributeValue, Due, RunRecord } from "./records.js";
import type { RequestAnswer } from "./requests.js";

/** What a driver told of a machine, as the record keeps it. */
export interface LaunchedMachine {
  readonly driverId: string;
  readonly host: string | null;
  readonly privateHost: string | null;
  readonly hostname: string | null;
  readonly access: string | null;
}

export type Change =
  | { readonly kind: "run"; readonly state: RunState; readonly goal?: RunRecord["goal"] }
  /** Moves a service to a state; a failure stays with it until it is in another state than "failed". */
  | { readonly kind: "service"; readonly id: number; readonly state: ServiceState; readonly failure?: ServiceFailure }
  /** What is to be done again for a service; null: it was done. */
  | { readonly kind: "due"; readonly id: number; readonly due: Due | null }
  /** Nothing of what an earlier plan described is left of it: the present one describes it. */
  | { readonly kind: "described"; readonly id: number }
  /** Its machine is gone, and so is the service: a plan that it followed has dropped it. */
  | { readonly kind: "removed"; readonly id: number }
  /** What is about to be asked of a driver, before it is asked; asked for once more, it is as young as that. */
  | {
      readonly kind: "launch-intent";
      readonly serviceId: number;
      readonly cloud: string;
      readonly key: string;
      readonly generation: number;
    }
  /** A driver is asked again for a machine that it has not told of. */
  | { readonly kind: "launch-repeated"; readonly key: string }
  /** The driver has answered with a machine: written before anything waits for it. */
  | { readonly kind: "launched"; readonly key: string; readonly machine: LaunchedMachine }
  /** The machine does not exist any more, or never came to be. */
  | { readonly kind: "ended"; readonly key: string; readonly reason: string }
  /** Its terminate program has something to do from now on, whoever gets to it. */
  | { readonly kind: "booted"; readonly id: number }
  /** The service's programs have left nothing: the machine they ran on is gone. */
  | { readonly kind: "unbooted"; readonly id: number }
  /** Secret attributes are encrypted. */
  | { readonly kind: "attribute"; readonly attribute: AttributeValue }
  /** A service is about to boot again: nobody who waits for its outputs is to get those of before. */
  | { readonly kind: "stale-outputs"; readonly id: number }
  /** The outputs of an earlier boot that this one has not set again. */
  | { readonly kind: "forget-outputs"; readonly id: number; readonly except: readonly string[] }
  /** Its programs have said something; null: what they said is over. */
  | { readonly kind: "said"; readonly id: number; readonly text: string | null }
  /** By the holder itself, which needs no answer. The first reason stays. */
  | { readonly kind: "abort"; readonly abort: Abort }
  /** What the holder answers to a request, the first time that it does. */
  | { readonly kind: "request-answered"; readonly id: number; readonly answer: RequestAnswer }
  | { readonly kind: "step-ended"; readonly id: number; readonly outcome: string; readonly exitCode: number | null }
  | { readonly kind: "event"; readonly event: RunEvent }
  | { readonly kind: "host-key"; readonly scope: string; readonly address: string; readonly key: string }
  /** The first contact with a machine has come so far; `machine` as its driver names it. */
  | { readonly kind: "contact"; readonly machine: string; readonly stage: ContactStage }
  /** Whom a machine is told to let in, before it is asked for. */
  | { readonly kind: "authorized"; readonly key: string; readonly keys: readonly AuthorizedKey[] }
  /** A key for the machines of this run, unless it has one. It goes when the run is terminated. */
  | { readonly kind: "run-key"; readonly pair: RunSshKey };
