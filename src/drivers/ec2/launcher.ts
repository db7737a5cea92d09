/**
 * Launches machines: like requests are one call, which gives as many machines as there is capacity for; the rest is asked for again, then in the
 * next place. Before each call it is written down what it asks for. A call of which nobody knows what became is never followed by another one for
 * the same machines until the cloud must have shown what it made.
 */
import type { Instance } from "@aws-sdk/client-ec2";
import pLimit from "p-limit";

import type { Clock } from "../../time/clock.js";
import { CloudUnreachableError, DriverError, LostReplyError, ThrottledError, type LaunchOutcome, type LaunchRequest, type MachineStatus } from "../driver.js";
import { alike } from "./alike.js";
import { newBatch, type Batch } from "./batches.js";
import type { Ec2Api } from "./api.js";
import { isHiddenGroup, isNoCapacity, RefusedError } from "./errors.js";
import type { Fleet } from "./fleet.js";
import type { Prepared } from "./prepare.js";
import { runInput } from "./runInput.js";
import { placeName, placesFor, settingsOf, type LaunchSettings, type Place } from "./settings.js";

/** Groups of like requests that are asked for at a time; how many calls a second, the limiter says. */
const GROUPS_AT_A_TIME = 8;
/** Machines in one call. */
const MOST_MACHINES = 500;
/** How much later than the first one the cloud may show the last machine of a call, in milliseconds. */
const TOGETHER_MS = 30_000;
/** How long the cloud may not know a security group yet that was just made, and how often it is tried; in milliseconds. */
const HIDDEN_GROUP_MS = 60_000;
const GROUP_PAUSE_MS = 2_000;
/** Machines in one call when the account's rate has run out: fewer would need more calls than their own rate gives. */
const FEWEST_MACHINES = 20;

export interface LauncherParts {
  readonly api: Ec2Api;
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** How long the cloud may not show a machine that it has launched, in milliseconds. */
  readonly visibilityMs: number;
  /** Whether the cloud answers a call whose token it knows with the machines of the first one. */
  readonly heedsTokens: () => boolean;
  readonly prepare: (settings: LaunchSettings, place: Place, request: LaunchRequest, signal: AbortSignal) => Promise<Prepared>;
}

/** One call of `launch`. */
interface Round {
  readonly signal: AbortSignal;
  readonly failures: Map<string, Error>;
  /** When the cloud was asked for the machines that exist, in milliseconds since the epoch; null: it was not. */
  lookedAt: number | null;
  /** Whether a machine was, or may have been, launched. */
  asked: boolean;
  /** Why the whole call is to be made again. */
  trouble: Error | null;
}

export class Launcher {
  /** What was launched by this process: the cloud may not show it yet. */
  private readonly launched = new Map<string, MachineStatus>();
  /** When machines of a call whose answer was lost were seen first, by batch. */
  private readonly seenAt = new Map<string, number>();
  /** Calls whose answers were lost, by batch: a repetition must be the same to the letter. */
  private readonly unanswered = new Map<string, ReturnType<typeof runInput>>();

  constructor(private readonly parts: LauncherParts) {}

  /** As `Driver.launch`. */
  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const round: Round = { signal, failures: new Map(), lookedAt: null, asked: false, trouble: null };
    await this.lookUp(requests.filter(({ key }) => !this.launched.has(key)), round);
    const limit = pLimit(GROUPS_AT_A_TIME);
    const groups = alike(requests.filter(({ key }) => !this.launched.has(key)));
    // All are waited for: a call that is under way may give machines.
    const ends = await Promise.allSettled(groups.map((group) => limit(() => this.launchGroup(group, round))));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    const outcomes = requests.map((request) => this.outcome(request, round));
    if (round.trouble === null || signal.aborted) return outcomes;
    // "Unreachable" would say that nothing was asked.
    throw round.asked && round.trouble instanceof CloudUnreachableError ? new LostReplyError(round.trouble.message, { cause: round.trouble }) : round.trouble;
  }

  /** A terminated machine is asked for at the cloud again, and not remembered. */
  forget(ids: ReadonlySet<string>): void {
    for (const [key, { id }] of this.launched) if (ids.has(id)) this.launched.delete(key);
  }

  /** Machines that exist for these requests, by an earlier call or another process; not every endpoint heeds tokens. */
  private async lookUp(requests: readonly LaunchRequest[], round: Round): Promise<void> {
    if (round.signal.aborted || requests.length === 0) return;
    const wanted = new Set(requests.map(({ key }) => key));
    const runs = [...new Set(requests.map(({ mark }) => mark.run))];
    const now = this.parts.clock.now();
    try {
      for (const run of runs) this.learn(await this.parts.fleet.ofRun(run, round.signal), wanted);
      round.lookedAt = now;
    } catch (error) {
      if ((error as Error).name !== "AbortError") throw error;
    }
  }

  /** Should there be two for a key against all odds, the one that lives is the one to go on with. */
  private learn(machines: readonly MachineStatus[], wanted: ReadonlySet<string>): void {
    for (const machine of [...machines].sort((a, b) => Number(a.state !== "terminated") - Number(b.state !== "terminated"))) {
      if (machine.key !== null && wanted.has(machine.key)) this.launched.set(machine.key, machine);
    }
  }

  private outcome({ key, mark }: LaunchRequest, round: Round): LaunchOutcome {
    const machine = this.launched.get(key);
    if (machine !== undefined) return { key, kind: "launched", machine };
    const reason = round.failures.get(key);
    const error = reason === undefined ? new DriverError("interrupted") : new DriverError(`no machine for ${mark.service}: ${reason.message}`, { cause: reason });
    return { key, kind: "failed", error, leftover: this.leftover(mark.run, key, round) };
  }

  /** What may be there after a failed launch: "nothing" is said only of what was looked for. */
  private leftover(run: string, key: string, { lookedAt }: Round): string | null {
    if (lookedAt === null) return "interrupted before it was looked for: an earlier call may have made a machine";
    return this.doubts(run, new Set([key])).length > 0 ? "an answer was lost: a machine may exist" : null;
  }

  private async launchGroup(requests: readonly LaunchRequest[], round: Round): Promise<void> {
    const left = new Map(requests.map((request) => [request.key, request]));
    try {
      const settings = settingsOf(requests[0] as LaunchRequest);
      const places = placesFor(requests[0] as LaunchRequest, settings);
      await this.clearDoubts(left, settings, places, round);
      await this.fill(left, settings, places, round);
    } catch (error) {
      if (!(error instanceof DriverError) && (error as Error).name !== "AbortError") throw error;
      if (error instanceof ThrottledError || error instanceof LostReplyError || error instanceof CloudUnreachableError) round.trouble ??= error;
      else if (error instanceof DriverError) for (const key of left.keys()) if (!this.launched.has(key)) round.failures.set(key, error);
    }
  }

  /** Calls for some of these machines of which nobody knows what became. */
  private doubts(run: string, keys: ReadonlySet<string>): Batch[] {
    return this.parts.fleet.book.all(run).filter((batch) => !batch.settled && batch.members.some(({ key }, place) => keys.has(key) && batch.ids[place] === null));
  }

  /**
   * Finds out what became of earlier calls: by the same call again where the cloud knows its token, else by waiting until what they made must be
   * seen: what is not seen then does not exist. @throws LostReplyError while that is not certain
   */
  private async clearDoubts(left: Map<string, LaunchRequest>, settings: LaunchSettings, places: readonly Place[], round: Round): Promise<void> {
    const { fleet } = this.parts;
    const run = (left.values().next().value as LaunchRequest).mark.run;
    for (const batch of this.doubts(run, new Set(left.keys()))) {
      if (round.signal.aborted) return;
      if (round.lookedAt !== null && round.lookedAt >= this.certainAt(batch)) {
        fleet.book.write({ ...batch, settled: true });
      } else if (!(await this.repeat(batch, left, settings, places, round))) {
        round.asked = true;
        throw new LostReplyError("RunInstances: the answer to an earlier call is not known, and the cloud may not show its machines yet");
      }
    }
    for (const key of [...left.keys()]) if (this.launched.has(key)) left.delete(key);
  }

  /** When what a call has made must be seen, in milliseconds since the epoch. Machines of one call are shown together, or nearly so. */
  private certainAt({ id, askedAt, ids }: Batch): number {
    const now = this.parts.clock.now();
    if (ids.every((one) => one === null)) return Math.min(askedAt, now) + this.parts.visibilityMs;
    const seenAt = this.seenAt.get(id) ?? now;
    this.seenAt.set(id, seenAt);
    return seenAt + Math.min(this.parts.visibilityMs, TOGETHER_MS);
  }

  /**
   * Makes a call again, if the cloud knows its token and nothing is asked for that nobody wants any more. What another launcher has asked for is
   * asked for with another host key: the cloud refuses that if the first call took effect.
   * @returns whether it is certain now what became of it.
   */
  private async repeat(batch: Batch, left: ReadonlyMap<string, LaunchRequest>, settings: LaunchSettings, places: readonly Place[], round: Round): Promise<boolean> {
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
    await this.ask(again, input, round, batch).catch((error: unknown) => { if (!isNoCapacity(error)) throw error; });
    return true;
  }

  /** Asks for machines in one place after the other until there is one for each request. */
  private async fill(left: Map<string, LaunchRequest>, settings: LaunchSettings, places: readonly Place[], round: Round): Promise<void> {
    const full: string[] = [];
    const youngUntil = this.parts.clock.now() + HIDDEN_GROUP_MS;
    for (let [index, all] = [0, false]; left.size > 0;) {
      if (round.signal.aborted || round.trouble instanceof CloudUnreachableError) return;
      const place = places[index] as Place;
      try {
        const given = await this.askFor([...left.values()], settings, place, all, round);
        for (const key of [...left.keys()]) if (this.launched.has(key)) left.delete(key);
        // Some clouds take the least number for the number that is wanted: they are asked for all the rest or nothing, once.
        all = given === 1 && !all;
      } catch (error) {
        if (all && error instanceof RefusedError) {
          all = false;
          continue;
        }
        if (isHiddenGroup(error) && settings.security_groups === undefined && this.parts.clock.now() < youngUntil) {
          await this.parts.clock.sleep(GROUP_PAUSE_MS, round.signal);
          continue;
        }
        if (!isNoCapacity(error)) throw error;
        full.push(placeName(place));
        index += 1;
        if (index >= places.length) throw new DriverError(`${full.length === 1 ? "" : `none of ${full.join(", ")} is to be had: `}${error.message} (name more to try: size: [a, b], launch: { zone: [a, b] } or subnet: [a, b]; or try again later)`, { cause: error });
      }
    }
  }

  /** One call for as many of these as may be asked for now. @returns how many machines it gave */
  private async askFor(requests: readonly LaunchRequest[], settings: LaunchSettings, place: Place, all: boolean, round: Round): Promise<number> {
    const { api, clock, fleet, prepare } = this.parts;
    const [first] = requests as [LaunchRequest];
    const prepared = await prepare(settings, place, first, round.signal);
    const some = requests.slice(0, Math.min(MOST_MACHINES, Math.max(FEWEST_MACHINES, await api.launchable())));
    const earlier = fleet.book.all(first.mark.run).filter(({ members }) => members[0]?.key === first.key).length;
    const parts = { least: all ? some.length : 1, hostKeys: prepared.hostKey === null ? [] : [prepared.hostKey], askedAt: clock.now(), named: settings.tags?.["Name"] !== undefined };
    const batch = newBatch(some, placeName(place), earlier, parts);
    return this.ask(batch, runInput({ batch, settings, place, ...prepared }), round, null);
  }

  /**
   * Makes a batch's call, which is on file from right before it.
   * @param doubt the same batch as it was before, if it is not known what became of an earlier call of it.
   * @returns how many machines it gave
   */
  private async ask(batch: Batch, input: ReturnType<typeof runInput>, round: Round, doubt: Batch | null): Promise<number> {
    const { api, clock, fleet } = this.parts;
    let sent: Batch | null = null;
    let machines: Instance[];
    try {
      machines = await api.run(input, round.signal, () => { fleet.book.write((sent = { ...batch, askedAt: clock.now() })); });
    } catch (error) {
      throw this.failed(error as Error, { batch, input, round, doubt, wasSent: sent !== null });
    }
    round.asked = true;
    this.unanswered.delete(batch.id);
    const told = fleet.launched(sent ?? batch, machines);
    this.learn(told, new Set(batch.members.map(({ key }) => key)));
    if (told.some(({ key }) => key === null)) throw new DriverError(`the cloud gave ${machines.length} machines where ${batch.members.length} were asked for: see to them with bootlevel clean`);
    return machines.length;
  }

  /** Notes what is known after a call that failed. @returns the error to tell */
  private failed(error: Error, { batch, input, round, doubt, wasSent }: FailedCall): Error {
    const { clock, fleet } = this.parts;
    // A token that is known with other machines: an earlier launcher's call has made them after all, and they will be seen.
    const known = error instanceof RefusedError && error.code === "IdempotentParameterMismatch";
    if (known || error instanceof LostReplyError) {
      fleet.book.write({ ...batch, askedAt: known && doubt !== null ? doubt.askedAt : clock.now() });
      this.unanswered.set(batch.id, input);
      round.asked = true;
      return known ? new LostReplyError(error.message, { cause: error }) : error;
    }
    // That this call did nothing says nothing of an earlier one, whose machines may still come: only for want of room would its token not help.
    if (doubt !== null && !isNoCapacity(error)) {
      if (wasSent) fleet.book.write({ ...batch, askedAt: doubt.askedAt });
      return error;
    }
    this.unanswered.delete(batch.id);
    if (wasSent) fleet.book.write({ ...batch, settled: true });
    return error;
  }
}

interface FailedCall {
  readonly batch: Batch;
  readonly input: ReturnType<typeof runInput>;
  readonly round: Round;
  readonly doubt: Batch | null;
  readonly wasSent: boolean;
}
