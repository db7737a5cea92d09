/**
 * The calls that launch machines, one at a time: each is recorded from right before it is made, and of one whose answer
 * was lost it is found out what became of it.
 */
import type { Instance } from "@aws-sdk/client-ec2";

import type { Clock } from "../../time/clock.js";
import {
  DriverError,
  LostReplyError,
  isLostReplyError,
  type LaunchRequest,
  type MachineStatus,
} from "../contract/driver.js";
import type { Ec2Api } from "./api.js";
import type { Batch } from "./batches.js";
import { isNoCapacity, isRefusedError } from "./errors.js";
import type { Fleet } from "./fleet.js";
import type { Prepared } from "./prepare.js";
import { runInput } from "./runInput.js";
import { placeName, type LaunchSettings, type Place } from "./settings.js";

/** How much later than the first one the cloud may show the last machine of a call, in milliseconds. */
const TOGETHER_MS = 30_000;

export interface LaunchParts {
  readonly api: Ec2Api;
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** How long the cloud may not show a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  /** Whether the cloud answers a call whose token it knows with the machines of the first one. */
  readonly heedsTokens: () => boolean;
  readonly prepare: (
    settings: LaunchSettings,
    place: Place,
    request: LaunchRequest,
    signal: AbortSignal,
  ) => Promise<Prepared>;
}

/** One call of `launch`. */
export interface LaunchRound {
  readonly signal: AbortSignal;
  readonly failures: Map<string, Error>;
  /** When the cloud was asked for the machines that exist, in milliseconds since the epoch; null: it was not. */
  lookedAt: number | null;
  /** Whether a machine was, or may have been, launched. */
  asked: boolean;
  /** Why the whole call is to be made again. */
  trouble: Error | null;
}

interface FailedCall {
  readonly batch: Batch;
  readonly input: ReturnType<typeof runInput>;
  readonly round: LaunchRound;
  readonly doubt: Batch | null;
  readonly wasSent: boolean;
}

/** What was launched by this process, by key: the cloud may not show it yet. */
export class Launched extends Map<string, MachineStatus> {
  /** Should there be two for a key against all odds, the one that lives is the one to go on with. */
  learn(machines: readonly MachineStatus[], wanted: ReadonlySet<string>): void {
    for (const machine of [...machines].sort(
      (a, b) => Number(a.state !== "terminated") - Number(b.state !== "terminated"),
    )) {
      if (machine.key !== null && wanted.has(machine.key)) this.set(machine.key, machine);
    }
  }

  forget(ids: ReadonlySet<string>): void {
    for (const [key, { id }] of this) if (ids.has(id)) this.delete(key);
  }
}

export class LaunchCalls {
  /** When machines of a call whose answer was lost were seen first, by batch. */
  private readonly seenAt = new Map<string, number>();
  /** Calls whose answers were lost, by batch: a repetition must be the same to the letter. */
  private readonly unanswered = new Map<string, ReturnType<typeof runInput>>();

  constructor(
    private readonly parts: LaunchParts,
    private readonly launched: Launched,
  ) {}

  /** Calls for some of these machines of which nobody knows what became. */
  async doubts(run: string, keys: ReadonlySet<string>): Promise<Batch[]> {
    const batches = await this.parts.fleet.book.all(run);
    return batches.filter(
      (batch) => !batch.settled && batch.members.some(({ key }, place) => keys.has(key) && batch.ids[place] === null),
    );
  }

  /**
   * Finds out what became of earlier calls: by the same call again where the cloud knows its token, else by waiting
   * until what they made must be seen: what is not seen then does not exist. @throws LostReplyError while that is not
   * certain
   */
  async clearDoubts(
    left: Map<string, LaunchRequest>,
    settings: LaunchSettings,
    places: readonly Place[],
    round: LaunchRound,
  ): Promise<void> {
    const { fleet } = this.parts;
    const run = (left.values().next().value as LaunchRequest).mark.run;
    for (const batch of await this.doubts(run, new Set(left.keys()))) {
      if (round.signal.aborted) return;
      if (round.lookedAt !== null && round.lookedAt >= this.certainAt(batch)) {
        await fleet.book.change(batch, (now) => ({ ...now, settled: true }));
      } else if (!(await this.repeat(batch, left, settings, places, round))) {
        round.asked = true;
        throw new LostReplyError(
          "RunInstances: the answer to an earlier call is not known, and the cloud may not show its machines yet",
        );
      }
    }
    for (const key of [...left.keys()]) if (this.launched.has(key)) left.delete(key);
  }

  /**
   * When what a call has made must be seen, in milliseconds since the epoch. Machines of one call are shown together,
   * or nearly so.
   */
  private certainAt({ id, askedAt, ids }: Batch): number {
    const now = this.parts.clock.now();
    if (ids.every((one) => one === null)) return Math.min(askedAt, now) + this.parts.visibilityMs;
    const seenAt = this.seenAt.get(id) ?? now;
    this.seenAt.set(id, seenAt);
    return seenAt + Math.min(this.parts.visibilityMs, TOGETHER_MS);
  }

  /**
   * Makes a call again, if the cloud knows its token and nothing is asked for that nobody wants any more. What another
   * launcher has asked for is asked for with another host key: the cloud refuses that if the first call took effect.
   * @returns whether it is certain now what became of it.
   */
  private async repeat(
    batch: Batch,
    left: ReadonlyMap<string, LaunchRequest>,
    settings: LaunchSettings,
    places: readonly Place[],
    round: LaunchRound,
  ): Promise<boolean> {
    const { heedsTokens, prepare } = this.parts;
    const place = places.find((one) => placeName(one) === batch.place);
    const wanted = batch.members.every(({ key }, index) => batch.ids[index] !== null || left.has(key));
    if (!heedsTokens() || !wanted || place === undefined) return false;
    let [again, input] = [batch, this.unanswered.get(batch.id)];
    if (input === undefined) {
      const prepared = await prepare(settings, place, left.values().next().value as LaunchRequest, round.signal);
      again = { ...batch, hostKeys: [...batch.hostKeys, ...(prepared.hostKey === null ? [] : [prepared.hostKey])] };
      input = runInput({ batch: again, settings, place, ...prepared });
    }
    await this.ask(again, input, round, batch).catch((error: unknown) => {
      if (!isNoCapacity(error)) throw error;
    });
    return true;
  }

  /**
   * Makes a batch's call, which is recorded from right before it: proved to be permitted, recorded, and proved once more
   * when it is sent. A launcher that freezes in between neither sends it nor writes over what its successor records.
   * @param doubt the same batch as it was before, if it is not known what became of an earlier call of it.
   * @returns how many machines it gave
   */
  async ask(
    batch: Batch,
    input: ReturnType<typeof runInput>,
    round: LaunchRound,
    doubt: Batch | null,
  ): Promise<number> {
    const { api, clock, fleet } = this.parts;
    let sent: Batch | null = null;
    let machines: Instance[];
    try {
      machines = await api.run(input, round.signal, async () => {
        const asked = { ...batch, askedAt: clock.now() };
        const isNew = sent === null && doubt === null;
        sent = isNew ? await fleet.book.add(asked) : await fleet.book.change(asked, (now) => withCall(now, asked));
      });
    } catch (error) {
      throw await this.failed(error as Error, { batch, input, round, doubt, wasSent: sent !== null });
    }
    round.asked = true;
    this.unanswered.delete(batch.id);
    const told = await fleet.launched(sent ?? batch, machines);
    this.launched.learn(told, new Set(batch.members.map(({ key }) => key)));
    if (told.some(({ key }) => key === null))
      throw new DriverError(
        `the cloud gave ${machines.length} machines where ${batch.members.length} were asked for: see to them with bootlevel clean`,
      );
    return machines.length;
  }

  /** Notes what is known after a call that failed. @returns the error to tell */
  private async failed(error: Error, { batch, input, round, doubt, wasSent }: FailedCall): Promise<Error> {
    const { clock, fleet } = this.parts;
    // A token that is known with other machines: an earlier launcher's call has made them after all, and they will be
    // seen.
    const known = isRefusedError(error) && error.refusal === "IdempotentParameterMismatch";
    if (known || (isLostReplyError(error) && wasSent)) {
      const askedAt = known && doubt !== null ? doubt.askedAt : clock.now();
      await fleet.book.change(batch, (now) => withCall(now, { ...batch, askedAt }));
      this.unanswered.set(batch.id, input);
      round.asked = true;
      return known ? new LostReplyError(error.message, { cause: error }) : error;
    }
    // That this call did nothing says nothing of an earlier one, whose machines may still come: only for want of room
    // would its token not help.
    if (doubt !== null && !isNoCapacity(error)) {
      if (wasSent) await fleet.book.change(batch, (now) => withCall(now, { ...batch, askedAt: doubt.askedAt }));
      return error;
    }
    this.unanswered.delete(batch.id);
    if (wasSent) await fleet.book.change(batch, (now) => ({ ...now, settled: true }));
    return error;
  }
}

/** A batch as it is recorded, with what its latest call has that earlier ones had not. */
function withCall(now: Batch, { hostKeys, askedAt }: Batch): Batch {
  return { ...now, hostKeys, askedAt };
}
