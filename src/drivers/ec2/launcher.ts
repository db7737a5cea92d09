/**
 * Launches machines. Equal requests share a call, which launches as many machines as there is capacity for. The rest is
 * requested again, then in the next place. After a call with an unknown outcome, no other call requests the same
 * machines until the first call's machines must be visible.
 */
import pLimit from "p-limit";

import {
  isCloudUnreachableError,
  DriverError,
  isDriverError,
  LostReplyError,
  isLostReplyError,
  isThrottledError,
  type LaunchOutcome,
  type LaunchRequest,
} from "../contract/driver.js";
import { groupRequests } from "./groupRequests.js";
import { newBatch } from "./batches.js";
import { isHiddenGroup, isNoCapacity, isNoSpot, isRefusedError } from "./errors.js";
import { LaunchCalls, Launched, type LaunchParts, type LaunchRound } from "./launchCalls.js";
import { runInput } from "./runInput.js";
import { placeName, placesFor, settingsOf, type LaunchSettings, type Place } from "./settings.js";

/** Groups of equal requests that are launched concurrently. The rate limiter bounds the calls per second. */
const GROUPS_AT_A_TIME = 8;
/** Most machines in one call. */
const MOST_MACHINES = 500;
/** How long the cloud may hide a new security group, and the interval of retries; in milliseconds. */
const HIDDEN_GROUP_MS = 60_000;
const GROUP_PAUSE_MS = 2_000;
/**
 * Fewest machines in one call when the account's rate is used up. With fewer, the calls themselves would exceed their
 * rate.
 */
const FEWEST_MACHINES = 20;

export class Launcher {
  private readonly launched = new Launched();
  private readonly calls: LaunchCalls;

  constructor(private readonly parts: LaunchParts) {
    this.calls = new LaunchCalls(parts, this.launched);
  }

  /** As `Driver.launch`. */
  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const round: LaunchRound = { signal, failures: new Map(), lookedAt: null, asked: false, trouble: null };
    await this.lookUp(
      requests.filter(({ key }) => !this.launched.has(key)),
      round,
    );
    const limit = pLimit(GROUPS_AT_A_TIME);
    const groups = groupRequests(requests.filter(({ key }) => !this.launched.has(key)));
    // Wait for all of them: a call in progress may launch machines.
    const ends = await Promise.allSettled(groups.map((group) => limit(() => this.launchGroup(group, round))));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    const outcomes = await Promise.all(requests.map((request) => this.outcome(request, round)));
    if (round.trouble === null || signal.aborted) return outcomes;
    // "Unreachable" would mean that no request was made.
    throw round.asked && isCloudUnreachableError(round.trouble)
      ? new LostReplyError(round.trouble.message, { cause: round.trouble })
      : round.trouble;
  }

  /** A terminated machine must be looked up in the cloud, not in this cache. */
  forget(ids: ReadonlySet<string>): void {
    this.launched.forget(ids);
  }

  /**
   * Finds machines that exist for these requests, from an earlier call or another process. Not every endpoint is
   * idempotent.
   */
  private async lookUp(requests: readonly LaunchRequest[], round: LaunchRound): Promise<void> {
    if (round.signal.aborted || requests.length === 0) return;
    const wanted = new Set(requests.map(({ key }) => key));
    const runs = [...new Set(requests.map(({ mark }) => mark.run))];
    const now = this.parts.clock.now();
    try {
      for (const run of runs) this.launched.learn(await this.parts.fleet.ofRun(run, round.signal), wanted);
      round.lookedAt = now;
    } catch (error) {
      if ((error as Error).name !== "AbortError") throw error;
    }
  }

  private async outcome({ key, mark }: LaunchRequest, round: LaunchRound): Promise<LaunchOutcome> {
    const machine = this.launched.get(key);
    if (machine !== undefined) return { key, kind: "launched", machine };
    const reason = round.failures.get(key);
    const error =
      reason === undefined
        ? new DriverError("interrupted")
        : new DriverError(`no machine for ${mark.service}: ${reason.message}`, { cause: reason });
    return { key, kind: "failed", error, leftover: await this.leftover(mark.run, key, round) };
  }

  /**
   * What may exist after a failed launch. A call is recorded before it is made: without a lookup, only recorded calls
   * can have launched something.
   */
  private async leftover(run: string, key: string, { lookedAt }: LaunchRound): Promise<string | null> {
    if (lookedAt === null && (await this.parts.fleet.book.mayHave(run, key)))
      return "interrupted before the lookup: an earlier call may have launched a machine";
    const doubts = await this.calls.doubts(run, new Set([key]));
    return doubts.length > 0 ? "an answer was lost: a machine may exist" : null;
  }

  private async launchGroup(requests: readonly LaunchRequest[], round: LaunchRound): Promise<void> {
    const left = new Map(requests.map((request) => [request.key, request]));
    try {
      const settings = settingsOf(requests[0] as LaunchRequest);
      const places = placesFor(requests[0] as LaunchRequest, settings);
      await this.calls.clearDoubts(left, settings, places, round);
      await this.fill(left, settings, places, round);
    } catch (error) {
      if (!isDriverError(error) && (error as Error).name !== "AbortError") throw error;
      if (isThrottledError(error) || isLostReplyError(error) || isCloudUnreachableError(error)) round.trouble ??= error;
      else if (isDriverError(error))
        for (const key of left.keys()) if (!this.launched.has(key)) round.failures.set(key, error);
    }
  }

  /** Requests machines in one place after the other until each request has one. */
  private async fill(
    left: Map<string, LaunchRequest>,
    settings: LaunchSettings,
    places: readonly Place[],
    round: LaunchRound,
  ): Promise<void> {
    const full: string[] = [];
    const youngUntil = this.parts.clock.now() + HIDDEN_GROUP_MS;
    for (let [index, all] = [0, false]; left.size > 0;) {
      if (round.signal.aborted || isCloudUnreachableError(round.trouble)) return;
      const place = places[index] as Place;
      try {
        const given = await this.askFor([...left.values()], settings, place, all, round);
        const launched = [...left.values()].filter(({ key }) => this.launched.has(key));
        for (const { key } of launched) left.delete(key);
        if (full.length > 0) this.parts.warn(fallback(launched, place, full));
        // Some clouds treat the minimum as the exact number. They are asked once for all remaining machines or none.
        all = given === 1 && !all;
      } catch (error) {
        if (all && isRefusedError(error)) {
          all = false;
          continue;
        }
        if (isHiddenGroup(error) && settings.security_groups === undefined && this.parts.clock.now() < youngUntil) {
          await this.parts.clock.sleep(GROUP_PAUSE_MS, round.signal);
          continue;
        }
        if (!isNoCapacity(error) && !(place.spot && isNoSpot(error))) throw error;
        full.push(placeName(place));
        index += 1;
        if (index >= places.length)
          throw new DriverError(
            `${full.length === 1 ? "" : `no capacity for any of ${full.join(", ")}: `}${error.message} ` +
              "(name more to try: size: [a, b], launch: { zone: [a, b] } or subnet: [a, b]; or try again later)",
            { cause: error },
          );
      }
    }
  }

  /**
   * One call for as many machines as may be requested now.
   * @returns the number of machines that were launched
   */
  private async askFor(
    requests: readonly LaunchRequest[],
    settings: LaunchSettings,
    place: Place,
    all: boolean,
    round: LaunchRound,
  ): Promise<number> {
    const { api, clock, fleet, prepare } = this.parts;
    const [first] = requests as [LaunchRequest];
    const prepared = await prepare(settings, place, first, round.signal);
    const some = requests.slice(0, Math.min(MOST_MACHINES, Math.max(FEWEST_MACHINES, await api.launchable())));
    const batches = await fleet.book.all(first.mark.run);
    const earlier = batches.filter(({ members }) => members[0]?.key === first.key).length;
    const parts = {
      least: all ? some.length : 1,
      hostKeys: prepared.hostKey === null ? [] : [prepared.hostKey],
      askedAt: clock.now(),
      named: settings.tags?.["Name"] !== undefined,
    };
    const batch = newBatch(some, placeName(place), earlier, parts);
    return this.calls.ask(batch, runInput({ batch, settings, place, ...prepared }), round, null);
  }
}

function fallback(requests: readonly LaunchRequest[], place: Place, full: readonly string[]): string {
  const [first, ...others] = requests.map(({ mark }) => mark.service);
  const names = others.length === 0 ? (first ?? "") : `${first ?? ""} and ${others.length} more`;
  return `${names}: launched as ${placeName(place)}, since there was no capacity for ${full.join(", ")}`;
}
