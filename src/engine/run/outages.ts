/** Connections that broke under running programs: one report for all services on a machine, and one when it answers. */
import type { RunEvent } from "../../model/events.js";

interface Outage {
  readonly since: number;
  readonly reason: string;
  /** Services that wait for the machine. */
  readonly services: Set<string>;
}

export class Outages {
  private readonly outages = new Map<string, Outage>();

  /**
   * @param now milliseconds since the epoch
   * @param report records and emits an event
   */
  constructor(
    private readonly now: () => number,
    private readonly report: (event: RunEvent) => void,
  ) {}

  /** The connection to `machine` (its name in messages) broke under a program of `service`. */
  lost(machine: string, service: string, reason: string): void {
    const known = this.outages.get(machine);
    if (known !== undefined) {
      known.services.add(service);
      return;
    }
    const outage: Outage = { since: this.now(), reason, services: new Set([service]) };
    this.outages.set(machine, outage);
    // All programs on the connection notice in this turn of the event loop.
    setImmediate(() => {
      if (this.outages.get(machine) !== outage) return;
      const services = [...outage.services];
      this.report({ at: outage.since, type: "connection-lost", machine, services, reason });
    });
  }

  /** The machine answers again. */
  restored(machine: string): void {
    const outage = this.outages.get(machine);
    if (outage === undefined) return;
    this.outages.delete(machine);
    const at = this.now();
    this.report({ at, type: "connection-restored", machine, services: [...outage.services], ms: at - outage.since });
  }

  /** A program of `service` waits no more: it failed, or is left to the next launcher. */
  gaveUp(machine: string, service: string): void {
    const outage = this.outages.get(machine);
    if (outage?.services.delete(service) === true && outage.services.size === 0) this.outages.delete(machine);
  }
}
