/** The engine's interface to the coordination of programs. `engine/coordination/` implements it. */
import type { BlHandler, BlReply } from "../../machines/coordination/blRequest.js";
import type { StepName } from "../../model/events.js";
import type { Change } from "../../state/contract/changes.js";
import type { AttributeValue } from "../../state/contract/records.js";
import type { Service } from "./service.js";

/** Publishes an output that a program set. `also` is recorded in the same write. */
export type Publisher = (service: Service, attribute: AttributeValue, also: readonly Change[]) => Promise<void>;

/** Receives the progress of each service, for programs that wait for a service. */
export interface ProgressReport {
  /** The services that the command will bring up. */
  expect(services: readonly Service[]): void;
  begin(services: readonly Service[]): void;
  settled(service: Service, state: "ready" | "to execute"): void;
  failed(service: Service, reason: string): void;
  levelEnded(level: string): void;
}

export interface Coordination {
  readonly progress: ProgressReport;
  /** The context has a new view of the run. @param renamed new names of services, by their earlier names */
  follow(renamed: ReadonlyMap<string, string>): void;
  /** Sets the function that publishes outputs. */
  publishBy(publisher: Publisher): void;
  /** The service's program ran under an earlier launcher, and does not run again. */
  ranBefore(service: Service): void;
  /**
   * The service that another one's failure follows from: its programs waited for it in vain, or it aborted the run. Null
   * if there is none.
   */
  causeOf(service: Service): string | null;
  /** The service has finished, or waits for its level: programs that wait for it get an answer. */
  ended(service: Service): void;
  /** Sets an output for an operator, as its programs do. When the reply is 0, it is on disk. */
  setOutput(service: Service, name: string, value: Buffer): Promise<BlReply>;
  /** Shows a message of an operator as one of the service. */
  sayFor(service: Service, text: Buffer): Promise<void>;
  /**
   * Returns the handler of `bl` requests from one step's program.
   * @param program the directory of the program's step, which names it to a later launcher too.
   * @param onWait called when the program starts to wait: meanwhile it uses no program slot.
   */
  handler(service: Service, step: StepName, program: string, onWait: () => void): BlHandler;
}
