/** Barriers: each program waits until all parties have arrived, then all are released in the same instant. */
import type { AnsweredRequest } from "../../state/contract/changes.js";
import type { BlReply } from "../../machines/coordination/blRequest.js";
import { BL_EXIT, done, refusal } from "./replies.js";
import type { Edge } from "./waitCycles.js";
import type { Progress } from "./progress.js";
import type { WaitQueue } from "./waitQueue.js";

export interface Arrival {
  /** The replica whose program arrives. */
  readonly service: string;
  /** The barrier's name, as given by the program. */
  readonly name: string;
  /** Who meets: the replicas of a service, of which `expected` can arrive, or a number of programs of the run. */
  readonly meeting:
    | { readonly kind: "replicas"; readonly spec: string; readonly expected: readonly string[] }
    | { readonly kind: "parties"; readonly count: number };
  readonly timeoutMs: number | null;
  readonly ignoreAbort: boolean;
  readonly gone: AbortSignal;
  /** The request, as it is recorded when the barrier opens. */
  readonly answered: AnsweredRequest;
}

interface Barrier {
  /** All have arrived, and that is recorded: a launcher that dies now leaves nobody behind. Or why it cannot be. */
  open: boolean | { readonly problem: string };
  readonly parties: number;
  /** Who waits. A replica appears twice if two of its programs have arrived. */
  readonly arrived: Set<Arrival>;
  /** How many programs waited here and left early. */
  gaveUp: number;
  /** Every replica that has arrived, including those that left. */
  readonly everArrived: Set<string>;
}

export class Barriers {
  private readonly barriers = new Map<string, Barrier>();

  constructor(
    private readonly waits: WaitQueue,
    private readonly progress: Pick<Progress, "endReason" | "ranBefore">,
    private readonly record: (requests: readonly AnsweredRequest[]) => Promise<void>,
  ) {}

  /** Waits until all have arrived. A barrier is reusable: later arrivals meet at a new one of the same name. */
  async meet(arrival: Arrival): Promise<BlReply> {
    const { meeting, name } = arrival;
    const key = meeting.kind === "replicas" ? `${meeting.spec}/${name}` : `/${name}`;
    const parties = meeting.kind === "replicas" ? meeting.expected.length : meeting.count;
    const barrier = this.barriers.get(key) ?? {
      open: false,
      parties,
      arrived: new Set<Arrival>(),
      gaveUp: 0,
      everArrived: new Set<string>(),
    };
    if (meeting.kind === "parties" && barrier.parties !== parties)
      return refusal(
        BL_EXIT.usage,
        `barrier "${name}" expects ${barrier.parties} parties, ${barrier.arrived.size} of which have arrived; ` +
          `this program says --parties ${parties}`,
      );
    this.barriers.set(key, barrier);
    barrier.arrived.add(arrival);
    barrier.everArrived.add(arrival.service);
    const whole = this.isComplete(barrier, arrival);
    const reply = this.waits.add({
      ...arrival,
      what: `barrier "${name}"`,
      keys: [barrierKey(key)],
      check: () => (this.barriers.get(key) === barrier ? this.cannotComplete(barrier, arrival) : openReply(barrier)),
      dependencies: () => this.missing(barrier, arrival).map((to): Edge => ({ to, why: `${to} at barrier "${name}"` })),
      timeoutDetail: () => this.timeoutDetail(barrier, arrival),
    });
    if (whole) void this.open(key, barrier);
    const ended = await reply;
    this.leave(key, barrier, arrival);
    return ended;
  }

  /** Releases barriers that no longer have to wait for somebody. */
  recheck(): void {
    for (const [key, barrier] of [...this.barriers]) {
      const [arrival] = barrier.arrived;
      if (arrival === undefined || !this.isComplete(barrier, arrival)) continue;
      void this.open(key, barrier);
    }
  }

  /** Later arrivals meet at a new barrier. Never rejects. */
  private async open(key: string, barrier: Barrier): Promise<void> {
    this.barriers.delete(key);
    try {
      await this.record([...barrier.arrived].map(({ answered }) => answered));
      barrier.open = true;
    } catch (error) {
      barrier.open = { problem: (error as Error).message };
    }
    this.waits.wake(barrierKey(key));
  }

  /** Replicas count once, however many of their programs arrive. Parties count per program. */
  private isComplete(barrier: Barrier, arrival: Arrival): boolean {
    return arrival.meeting.kind === "parties"
      ? barrier.arrived.size >= barrier.parties
      : this.missing(barrier, arrival).length === 0;
  }

  /** Who arrived under an earlier launcher is unknown, so a replica whose program ended then is not waited for. */
  private missing({ arrived }: Barrier, { meeting }: Arrival): string[] {
    if (meeting.kind === "parties") return [];
    const here = new Set([...arrived].map(({ service }) => service));
    return meeting.expected.filter((name) => !here.has(name) && !this.progress.ranBefore(name));
  }

  /** Refuses the wait if an expected replica cannot arrive any more. */
  private cannotComplete(barrier: Barrier, arrival: Arrival): BlReply | null {
    for (const name of this.missing(barrier, arrival)) {
      const over = this.progress.endReason(name);
      if (over !== null)
        return refusal(BL_EXIT.notSet, `${over}, so the wait for barrier "${arrival.name}" cannot succeed`);
    }
    return null;
  }

  /** Who has arrived and who never did. Programs that time out in the same moment must not be reported as missing. */
  private timeoutDetail(barrier: Barrier, arrival: Arrival): string {
    const { arrived, parties, gaveUp, everArrived } = barrier;
    const missing = this.missing(barrier, arrival).filter((name) => !everArrived.has(name));
    const still = gaveUp === 0 ? "" : `, ${gaveUp} more gave up`;
    return [
      `${arrived.size} of ${parties} waiting${still}: ${listed([...arrived].map(({ service }) => service))}`,
      missing.length === 0 ? [] : `missing: ${listed(missing)}`,
    ]
      .flat()
      .join("; ");
  }

  /** A program that stops waiting, for whatever reason, no longer counts for the others. */
  private leave(key: string, barrier: Barrier, arrival: Arrival): void {
    if (this.barriers.get(key) !== barrier) return;
    barrier.arrived.delete(arrival);
    barrier.gaveUp += 1;
    if (barrier.arrived.size === 0) this.barriers.delete(key);
  }
}

/** The reply at a barrier where all have arrived; null while that is being recorded. */
function openReply({ open }: Barrier): BlReply | null {
  if (typeof open === "object") return refusal(BL_EXIT.noLauncher, `the launcher could not record it: ${open.problem}`);
  return open ? done() : null;
}

function barrierKey(key: string): string {
  return `barrier ${key}`;
}

/** How many services are named at most. */
const MOST_NAMED = 10;

function listed(services: readonly string[]): string {
  const names = [...new Set(services)].sort();
  return names.length > MOST_NAMED
    ? `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`
    : names.join(", ");
}
