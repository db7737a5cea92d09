/** Places where programs meet: each waits until all have come, and then all go on in the same instant. */
import type { BlReply } from "../../machines/coordination/blRequest.js";
import { BL_EXIT, done, refusal } from "./answers.js";
import type { Edge } from "./waitCycles.js";
import type { Progress } from "./progress.js";
import type { WaitQueue } from "./waits.js";

export interface Arrival {
  /** The replica whose program comes. */
  readonly service: string;
  /** The barrier's name, as the program says it. */
  readonly name: string;
  /** The service whose replicas meet, and those of them that can come; or how many programs of the run meet. */
  readonly meeting:
    | { readonly kind: "replicas"; readonly spec: string; readonly expected: readonly string[] }
    | { readonly kind: "parties"; readonly count: number };
  readonly timeoutMs: number | null;
  readonly ignoreAbort: boolean;
  readonly gone: AbortSignal;
}

interface Barrier {
  readonly parties: number;
  /** Who waits; a replica of which two programs come is there twice. */
  readonly arrived: Set<Arrival>;
  /** How many waited here and gave up. */
  gaveUp: number;
  /** Every replica that came, also those that gave up. */
  readonly came: Set<string>;
}

export class Barriers {
  private readonly barriers = new Map<string, Barrier>();

  constructor(
    private readonly waits: WaitQueue,
    private readonly progress: Pick<Progress, "over" | "ranBefore">,
  ) {}

  /** Waits until all have come. A barrier can be used again: who comes after that meets at the next one of its name. */
  async meet(arrival: Arrival): Promise<BlReply> {
    const { meeting, name } = arrival;
    const key = meeting.kind === "replicas" ? `${meeting.spec}/${name}` : `/${name}`;
    const parties = meeting.kind === "replicas" ? meeting.expected.length : meeting.count;
    const barrier = this.barriers.get(key) ?? {
      parties,
      arrived: new Set<Arrival>(),
      gaveUp: 0,
      came: new Set<string>(),
    };
    if (meeting.kind === "parties" && barrier.parties !== parties)
      return refusal(
        BL_EXIT.usage,
        `barrier "${name}" is one of ${barrier.parties} parties, ${barrier.arrived.size} of which are here; this program says ${parties}`,
      );
    this.barriers.set(key, barrier);
    barrier.arrived.add(arrival);
    barrier.came.add(arrival.service);
    const whole = this.isWhole(barrier, arrival);
    if (whole) this.barriers.delete(key);
    const reply = this.waits.add({
      ...arrival,
      what: `barrier "${name}"`,
      keys: [barrierKey(key)],
      look: () => (this.barriers.get(key) === barrier ? this.neverWhole(barrier, arrival) : done()),
      on: () => this.missing(barrier, arrival).map((to): Edge => ({ to, why: `${to} at barrier "${name}"` })),
      late: () => this.late(barrier, arrival),
    });
    if (whole) this.waits.wake(barrierKey(key));
    const ended = await reply;
    this.leave(key, barrier, arrival);
    return ended;
  }

  /** Somebody does not have to come any more: whoever waited only for that goes on. */
  lookAgain(): void {
    for (const [key, barrier] of [...this.barriers]) {
      const [arrival] = barrier.arrived;
      if (arrival === undefined || !this.isWhole(barrier, arrival)) continue;
      this.barriers.delete(key);
      this.waits.wake(barrierKey(key));
    }
  }

  /** Of replicas each counts once, however many of its programs come; of parties every program does. */
  private isWhole(barrier: Barrier, arrival: Arrival): boolean {
    return arrival.meeting.kind === "parties"
      ? barrier.arrived.size >= barrier.parties
      : this.missing(barrier, arrival).length === 0;
  }

  /**
   * Who came when an earlier launcher served is not known: a replica whose program has ended then is not waited for.
   */
  private missing({ arrived }: Barrier, { meeting }: Arrival): string[] {
    if (meeting.kind === "parties") return [];
    const here = new Set([...arrived].map(({ service }) => service));
    return meeting.expected.filter((name) => !here.has(name) && !this.progress.ranBefore(name));
  }

  /** Somebody who has to come cannot any more. */
  private neverWhole(barrier: Barrier, arrival: Arrival): BlReply | null {
    for (const name of this.missing(barrier, arrival)) {
      const over = this.progress.over(name);
      if (over !== null) return refusal(BL_EXIT.notSet, `${over}, so barrier "${arrival.name}" does not come any more`);
    }
    return null;
  }

  /** Who was there, and who never was: many who give up in one moment must not be taken for those who were missing. */
  private late(barrier: Barrier, arrival: Arrival): string {
    const { arrived, parties, gaveUp, came } = barrier;
    const missing = this.missing(barrier, arrival).filter((name) => !came.has(name));
    const still = gaveUp === 0 ? "" : ` still, and ${gaveUp} had given up`;
    return [
      `${arrived.size} of ${parties} were there${still}: ${listed([...arrived].map(({ service }) => service))}`,
      missing.length === 0 ? [] : `missing: ${listed(missing)}`,
    ]
      .flat()
      .join("; ");
  }

  /** One that waits no more, for whatever reason, does not count for the others. */
  private leave(key: string, barrier: Barrier, arrival: Arrival): void {
    if (this.barriers.get(key) !== barrier) return;
    barrier.arrived.delete(arrival);
    barrier.gaveUp += 1;
    if (barrier.arrived.size === 0) this.barriers.delete(key);
  }
}

function barrierKey(key: string): string {
  return `barrier ${key}`;
}

/** How many are named. */
const MOST_NAMED = 10;

function listed(services: readonly string[]): string {
  const names = [...new Set(services)].sort();
  return names.length > MOST_NAMED
    ? `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`
    : names.join(", ");
}
