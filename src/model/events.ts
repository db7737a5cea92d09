/**
 * The events of a run, as data: the engine emits them, `state/` stores them (except `output`), `reporting/` shows them.
 */

export type ServiceState =
  | "planned"
  | "launching"
  | "connecting"
  | "booting"
  | "verifying"
  | "ready"
  | "executing"
  | "failed"
  | "terminating"
  | "terminated";

/** The commands that change a run or inspect it. */
export type RunVerb = "boot" | "run" | "resume" | "repair" | "rerun" | "reboot" | "reload" | "terminate" | "status";

export type RunState =
  "booting" | "repairing" | "reloading" | "ready" | "failed" | "interrupted" | "terminating" | "terminated";

/** The stage at which work on a service begins again: see `engine/up/agenda.ts`. */
export type Stage = "discard" | "replace" | "launch" | "boot" | "verify" | "execute";

/** The work that is planned for one service, and the reason. */
export interface PlannedTask {
  readonly service: string;
  readonly level: string;
  readonly stage: Stage;
  /** Whether an earlier command began the stage or left it due. It is then continued, not begun again. */
  readonly resume: boolean;
  readonly reason: string;
}

/** The steps of a service that can fail. */
export type StepName =
  | "resolve"
  | "launch"
  | "connect"
  | "prepare"
  | "setup"
  | "boot"
  | "ready"
  | "execute"
  | "report"
  | "terminate"
  | "destroy";

/** Why a service failed, in enough detail for one screen. All text is already redacted. */
export interface ServiceFailure {
  readonly service: string;
  readonly level: string;
  readonly step: StepName;
  /** One sentence: what happened. */
  readonly message: string;
  /** The program's exit code, or null if no program ended. */
  readonly exitCode: number | null;
  /** The machine on which it failed (`admin@10.0.0.4:22`, a directory), or null if there was none yet. */
  readonly machine: string | null;
  /** The last lines of the program's output, oldest first. */
  readonly lastLines: readonly string[];
  /** Absolute path of the step's complete log, or null. */
  readonly log: string | null;
  /** What the operator can do. "" if the message says it. */
  readonly remedy: string;
  /**
   * The service that this failure followed from: its program waited in vain for that service, or that service aborted
   * the run. Null if it failed by itself.
   */
  readonly cause: string | null;
}

interface At {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type RunEvent = At &
  (
    | {
        readonly type: "run-started";
        readonly run: string;
        readonly plan: string;
        readonly verb: RunVerb;
        readonly levels: readonly { readonly name: string; readonly services: readonly string[] }[];
        /** The state of each service then; without it all are planned. */ readonly states?: Readonly<
          Record<string, ServiceState>
        >;
      }
    | { readonly type: "agenda"; readonly tasks: readonly PlannedTask[] }
    | {
        readonly type: "level-started";
        readonly level: string;
        readonly index: number;
        /** How many of its services have something to do; without it, all. */ readonly services?: number;
      }
    | {
        readonly type: "level-finished";
        readonly level: string;
        readonly index: number;
        readonly ms: number;
        readonly failed: number;
        /** How many of its services were interrupted; without it, none. */ readonly interrupted?: number;
      }
    | { readonly type: "service-state"; readonly service: string; readonly level: string; readonly state: ServiceState }
    | {
        readonly type: "machine-launched";
        readonly service: string;
        readonly cloud: string;
        readonly id: string;
        readonly host: string | null;
      }
    | {
        readonly type: "machine-terminated";
        readonly service: string;
        readonly cloud: string;
        readonly id: string;
        /** It was not destroyed: it is a host of a pool, which others may use now. */ readonly givenBack?: true;
      }
    | { readonly type: "step-started"; readonly service: string; readonly step: StepName; readonly attempt: number }
    | {
        readonly type: "step-finished";
        readonly service: string;
        readonly step: StepName;
        readonly attempt: number;
        readonly ms: number;
        readonly exitCode: number | null;
        readonly outcome: string;
      }
    | { readonly type: "output"; readonly service: string; readonly step: StepName; readonly text: string }
    | { readonly type: "said"; readonly service: string; readonly step: StepName | null; readonly text: string }
    | {
        /** An output was set while programs run. A program that sets many is not told of each time. */
        readonly type: "output-set";
        readonly service: string;
        readonly name: string;
        /** The step whose program set it; null for an operator. */
        readonly step: StepName | null;
        /** The beginning of the value, for those who watch. Not recorded, and absent for what may be a secret. */
        readonly value?: string;
        /** How many before it were not told. Absent for none. */
        readonly untold?: number;
      }
    | {
        /** The connection to a machine broke under programs; the launcher connects again. */
        readonly type: "connection-lost";
        /** Its name in messages: `admin@10.0.0.4:22`. */
        readonly machine: string;
        /** The services whose programs are affected. */
        readonly services: readonly string[];
        readonly reason: string;
      }
    | {
        readonly type: "connection-restored";
        readonly machine: string;
        readonly services: readonly string[];
        /** How long there was no connection, in milliseconds. */
        readonly ms: number;
      }
    | { readonly type: "aborted"; readonly reason: string; readonly origin: string }
    | { readonly type: "abort-cancelled"; readonly reason: string }
    | { readonly type: "service-failed"; readonly failure: ServiceFailure }
    | { readonly type: "warning"; readonly service: string | null; readonly message: string }
    | { readonly type: "run-finished"; readonly run: string; readonly state: RunState; readonly ms: number }
  );

export type RunEventType = RunEvent["type"];
