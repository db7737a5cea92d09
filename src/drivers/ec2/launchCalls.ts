/**
 * The calls that launch machines, one at a time. Each is recorded right before it is made. If an answer was lost, the
 * outcome of that call is determined later.
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
import { isNoCapacity, isRefusedError, isStrange } from "./errors.js";
import type { Fleet } from "./fleet.js";
import type { Prepared } from "./prepare.js";
import { runInput } from "./runInput.js";
import { placeName, type LaunchSettings, type Place } from "./settings.js";

/** Machines of one call appear in the cloud's answers at most this long after the first of them, in milliseconds. */
const TOGETHER_MS = 30_000;

export interface LaunchParts {
  readonly api: Ec2Api;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  /** How long the cloud may hide a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  /** Whether the cloud is idempotent: it answers a call with a known token with the machines of the first call. */
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
  /** When the existing machines were listed, in milliseconds since the epoch. Null: they were not. */
  lookedAt: number | null;
  /** Whether a machine was, or may have been, launched. */
  asked: boolean;
  /** The error after which the whole call must be repeated. */
  trouble: Error | null;
}

interface FailedCall {
  readonly batch: Batch;
  readonly input: ReturnType<typeof runInput>;
  readonly round: LaunchRound;
  readonly doubt: Batch | null;
  readonly wasSent: boolean;
}

/** The machines that this process launched, by key. The cloud may still hide them. */
export class Launched extends Map<string, MachineStatus> {
  /** If a key unexpectedly has two machines, the live one is kept. */
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
  /** When machines of a call with a lost answer were first seen, by batch. */
  private readonly seenAt = new Map<string, number>();
  /** Calls with lost answers, by batch: a repetition must be byte-for-byte equal. */
  private readonly unanswered = new Map<string, ReturnType<typeof runInput>>();

  constructor(
    private readonly parts: LaunchParts,
    private readonly launched: Launched,
  ) {}

  /** Calls for some of these machines whose outcome is unknown. */
  async doubts(run: string, keys: ReadonlySet<string>): Promise<Batch[]> {
    const batches = await this.parts.fleet.book.all(run);
    return batches.filter(
      (batch) => !batch.settled && batch.members.some(({ key }, place) => keys.has(key) && batch.ids[place] === null),
    );
  }

  /**
   * Determines the outcome of earlier calls. Repeats the same call if the cloud knows its token. Otherwise waits until
   * its machines must be visible: machines that are still invisible then do not exist.
   * @throws LostReplyError while the outcome is uncertain
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
          "RunInstances: the answer to an earlier call was lost, and the cloud may not show its machines yet",
        );
      }
    }
    for (const key of [...left.keys()]) if (this.launched.has(key)) left.delete(key);
  }

  /**
   * When the machines of a call must be visible, in milliseconds since the epoch. Machines of one call appear together,
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
   * Repeats a call, if the cloud knows its token and all of its machines are still wanted. Another launcher's request
   * had another host key: the cloud refuses the repetition if the first call took effect.
   * @returns whether the outcome is certain now.
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
   * Makes a batch's call. The permit is proved, the call is recorded, and the permit is proved once more when it is sent.
   * So a launcher that freezes in between neither sends the call nor overwrites what its successor records.
   * @param doubt the same batch as recorded earlier, if the outcome of an earlier call is unknown.
   * @returns the number of machines that were launched
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
        `the cloud launched ${machines.length} machines instead of ${batch.members.length}: ` +
          "end the others with bootlevel clean",
      );
    return machines.length;
  }

  /**
   * Records what is known after a failed call.
   * @returns the error to report
   */
  private async failed(error: Error, { batch, input, round, doubt, wasSent }: FailedCall): Promise<Error> {
    const { clock, fleet } = this.parts;
    // The token is known with other parameters: an earlier launcher's call did take effect, and its machines will
    // appear.
    const known = isRefusedError(error) && error.refusal === "IdempotentParameterMismatch";
    if (known || ((isLostReplyError(error) || isStrange(error)) && wasSent)) {
      const askedAt = known && doubt !== null ? doubt.askedAt : clock.now();
      await fleet.book.change(batch, (now) => withCall(now, { ...batch, askedAt }));
      this.unanswered.set(batch.id, input);
      round.asked = true;
      return known ? new LostReplyError(error.message, { cause: error }) : error;
    }
    // The failure of this call proves nothing about an earlier one, whose machines may still appear. Only a lack of
    // capacity means that the earlier token would not help.
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
