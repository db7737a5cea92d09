/** What the rest of the engine says to the place where programs of a run meet. `engine/coordination/` is behind it. */
import type { BlHandler } from "../../machines/coordination/blRequest.js";
import type { StepName } from "../../model/events.js";
import type { AttributeRecord } from "../../state/contract/records.js";
import type { Service } from "./service.js";

/** Publishes an output that a program has set. */
export type Publisher = (service: Service, attribute: AttributeRecord) => Promise<void>;

/** How far each service has come, as far as a program that waits for one must know. */
export interface ProgressReport {
  /** The services that the command is going to bring up. */
  expect(services: readonly Service[]): void;
  begin(services: readonly Service[]): void;
  settled(service: Service, state: "ready" | "to execute"): void;
  failed(service: Service, reason: string): void;
  levelEnded(level: string): void;
}

export interface Coordination {
  readonly progress: ProgressReport;
  /** The context has another view of the run. @param renamed the names that services have now, by those that they had */
  follow(renamed: ReadonlyMap<string, string>): void;
  /** Outputs are published by this from now on. */
  publishBy(publisher: Publisher): void;
  /** The program of the service's step ran under an earlier launcher, and does not run again. */
  ranBefore(service: Service): void;
  /** The service has ended, or waits for its level: programs that wait for it are told. */
  ended(service: Service): void;
  /**
   * Answers the requests of one step's program.
   * @param onWait called when the program begins to wait: it uses no slot of the launcher meanwhile.
   */
  handler(service: Service, step: StepName, onWait: () => void): BlHandler;
}
