/** What a command leaves behind when it ends without a result: at once, or by an error. */
import type { RunEvent } from "../library/index.js";

export class LeftMachines {
  private run: string | null = null;
  private readonly running = new Set<string>();
  private readonly launching = new Set<string>();

  /** Follows the events of the command. */
  note(event: RunEvent): void {
    if (event.type === "run-started") this.run = event.run;
    if (event.type === "machine-launched") this.running.add(`${event.cloud} ${event.id}`);
    if (event.type === "machine-terminated") this.running.delete(`${event.cloud} ${event.id}`);
    if (event.type !== "service-state") return;
    if (event.state === "launching") this.launching.add(event.service);
    else this.launching.delete(event.service);
  }

  /** What is left and the commands for it; null if the command had not begun to work on a run. */
  sentence(): string | null {
    if (this.run === null) return null;
    const { run } = this;
    const count = Math.max(this.running.size, this.launching.size === 0 ? 0 : 1);
    // Machines of earlier commands are known to the record only.
    const machines =
      count === 0 ? "Machines that it has" : `${count === 1 ? "At least 1 machine" : `At least ${count} machines`}`;
    return (
      `run ${run} is left as it is. ${machines} and the programs there may still run. ` +
      `What is left: bootlevel show ${run}   Terminate it: bootlevel terminate ${run}`
    );
  }
}
