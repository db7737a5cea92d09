/**
 * Launches machines, one RunInstances for each. A call for many would be faster, but gives all of them the same tags: a machine could be lost
 * between its birth and its key. Here it has its key from the first moment, and the token of a wish does not depend on what else is asked for.
 */
import pLimit from "p-limit";

import { CloudUnreachableError, DriverError, LostReplyError, ThrottledError, type LaunchOutcome, type LaunchRequest, type MachineStatus } from "../driver.js";
import type { Ec2Api } from "./api.js";
import { isNoCapacity, type RefusedError } from "./errors.js";
import { imageId } from "./images.js";
import { keyOf, statusOf, TAG, type AddressChoice } from "./machines.js";
import { runInput } from "./runInput.js";
import { placeName, placesFor, settingsOf, type Place } from "./settings.js";

/** Calls at a time; how many a second, the limiter says. */
const CALLS_AT_A_TIME = 8;

/** One call of `launch`. */
interface Round {
  readonly signal: AbortSignal;
  /** Whether the cloud was asked for the machines that exist. */
  looked: boolean;
  /** Whether a machine was, or may have been, launched. */
  asked: boolean;
  /** Why the whole call is to be made again: nothing more is asked for in this round. */
  trouble: Error | null;
}

export class Launcher {
  /** What was launched by this process: the cloud may not show it yet. */
  private readonly launched = new Map<string, MachineStatus>();
  /** The place where a machine may be whose answer was lost: asking elsewhere could give a second one. */
  private readonly doubtful = new Map<string, number>();
  /** Resolved images: the same in every repetition, since EC2 refuses a known token with another image. */
  private readonly images = new Map<string, Promise<string>>();

  constructor(private readonly api: Ec2Api, private readonly address: AddressChoice) {}

  /** As `Driver.launch`. */
  async launch(requests: readonly LaunchRequest[], signal: AbortSignal): Promise<LaunchOutcome[]> {
    const round: Round = { signal, looked: false, asked: false, trouble: null };
    await this.lookUp(requests.map(({ key }) => key).filter((key) => !this.launched.has(key)), round);
    const limit = pLimit(CALLS_AT_A_TIME);
    const outcomes = await Promise.all(requests.map((request) => limit(() => this.outcome(request, round))));
    if (round.trouble === null || signal.aborted) return outcomes;
    // "Unreachable" would say that nothing was asked.
    throw round.asked && round.trouble instanceof CloudUnreachableError ? new LostReplyError(round.trouble.message, { cause: round.trouble }) : round.trouble;
  }

  /** A terminated machine is asked for at the cloud again, and not remembered. */
  forget(ids: ReadonlySet<string>): void {
    for (const [key, { id }] of this.launched) if (ids.has(id)) this.launched.delete(key);
  }

  /** Machines that exist for these keys, by an earlier call or another process; not every endpoint heeds tokens. */
  private async lookUp(keys: readonly string[], round: Round): Promise<void> {
    if (round.signal.aborted) return;
    const wanted = new Set(keys);
    const instances = await this.api.findByTag(TAG.key, [...wanted], round.signal).catch((error: unknown) => {
      if ((error as Error).name === "AbortError") return null;
      throw error;
    });
    if (instances === null) return;
    round.looked = true;
    const found = instances.map((machine) => statusOf(machine, this.address));
    // Should there be two against all odds, the one that lives is the one to go on with.
    for (const machine of found.sort((a, b) => Number(a.state !== "terminated") - Number(b.state !== "terminated"))) {
      if (machine.key !== null && wanted.has(machine.key)) this.launched.set(machine.key, machine);
    }
  }

  private async outcome(request: LaunchRequest, round: Round): Promise<LaunchOutcome> {
    const { key, mark } = request;
    const known = this.launched.get(key);
    if (known !== undefined) return { key, kind: "launched", machine: known };
    const failed = (error: Error): LaunchOutcome => ({ key, kind: "failed", error, leftover: this.leftover(key, error, round) });
    if (round.signal.aborted || round.trouble !== null) return failed(new DriverError("interrupted"));
    try {
      return { key, kind: "launched", machine: await this.launchOne(request, round) };
    } catch (error) {
      if ((error as Error).name === "AbortError") return failed(new DriverError("interrupted", { cause: error }));
      if (error instanceof ThrottledError || error instanceof LostReplyError || error instanceof CloudUnreachableError) round.trouble ??= error;
      if (!(error instanceof DriverError)) throw error;
      return failed(new DriverError(`no machine for ${mark.service}: ${error.message}`, { cause: error }));
    }
  }

  /** What may be there after a failed launch: "nothing" is said only of what was looked for. */
  private leftover(key: string, error: Error, { looked }: Round): string | null {
    if (!looked) return "interrupted before it was looked for: an earlier call may have made a machine";
    if (this.doubtful.has(key)) return "an answer was lost: a machine may exist";
    const { code } = (error.cause ?? {}) as Partial<RefusedError>;
    return code === "IdempotentParameterMismatch" ? "an earlier call for this machine, with other settings, may have made it" : null;
  }

  private async launchOne(request: LaunchRequest, round: Round): Promise<MachineStatus> {
    if (request.image === null) throw new DriverError("it has no image: write for example image: ami-0a1b2c3d");
    const settings = settingsOf(request);
    const places = placesFor(request, settings);
    const image = await this.image(request.image, round.signal);
    const full: string[] = [];
    for (let index = this.doubtful.get(request.key) ?? 0; ; index += 1) {
      const place = places[index] as Place;
      try {
        return await this.ask(request, index, round, () => this.api.run(runInput(request, settings, place, image), round.signal));
      } catch (error) {
        if (!isNoCapacity(error)) throw error;
        full.push(placeName(place));
        if (index + 1 >= places.length) throw new DriverError(full.length === 1 ? error.message : `none of ${full.join(", ")} is to be had: ${error.message}`, { cause: error });
        if (round.signal.aborted) throw new DriverError("interrupted", { cause: error });
      }
    }
  }

  private async ask(request: LaunchRequest, index: number, round: Round, run: () => ReturnType<Ec2Api["run"]>): Promise<MachineStatus> {
    try {
      const instance = await run();
      round.asked = true;
      const { key, mark } = request;
      const machine = { ...statusOf(instance, this.address), key: keyOf(instance) ?? key, mark };
      this.launched.set(key, machine);
      this.doubtful.delete(key);
      return machine;
    } catch (error) {
      if (error instanceof LostReplyError) {
        round.asked = true;
        this.doubtful.set(request.key, index);
      }
      throw error;
    }
  }

  private image(written: string, signal: AbortSignal): Promise<string> {
    const known = this.images.get(written);
    if (known !== undefined) return known;
    const asked = imageId(written, this.api, signal);
    this.images.set(written, asked);
    asked.catch(() => this.images.delete(written));
    return asked;
  }
}
