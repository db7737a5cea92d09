/** Simulates the path to the cloud: latency, throttling, lost replies. */
import { createHash } from "node:crypto";

import type { Clock } from "../../time/clock.js";
import { CloudUnreachableError, LostReplyError, ThrottledError } from "../contract/driver.js";
import { drawMs, happens } from "./chance.js";
import type { CloudFile } from "./cloudFile.js";
import { isMeant, type CallEntry, type CallFault, type Verb } from "./script.js";
import type { Settings } from "./settings.js";

/** The machines that a call concerns. */
export interface Subject {
  readonly run: string;
  readonly service: string;
}

interface Luck {
  readonly latencyMs: number;
  readonly fault: CallFault | null;
}

export class Calls {
  private readonly script: readonly CallEntry[];

  constructor(
    private readonly cloud: string,
    private readonly settings: Settings,
    private readonly clock: Clock,
    private readonly file: () => CloudFile,
  ) {
    this.script = settings.script.filter((entry) => entry.kind === "call");
  }

  /**
   * Makes one call. `work` is its atomic effect in the cloud, after the call's latency.
   * @throws ThrottledError or CloudUnreachableError before `work`, LostReplyError after it, AbortError while waiting.
   */
  async make<T>(verb: Verb, subjects: () => readonly Subject[], work: () => T, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const { latencyMs, fault } = this.luck(verb, subjects);
    if (latencyMs > 0) await this.clock.sleep(latencyMs, signal);
    if (fault === "unreachable") throw new CloudUnreachableError(this.cloud, "the simulated cloud does not answer");
    const { limit } = this.settings.calls;
    if (fault === "throttle" || (limit < Infinity && !this.file().takeToken(limit, this.clock.now())))
      throw new ThrottledError(`RequestLimitExceeded: ${verb} was called too often`);
    const result = work();
    if (fault === "lost-reply") throw new LostReplyError(`the reply to ${verb} was lost`);
    return result;
  }

  private luck(verb: Verb, subjects: () => readonly Subject[]): Luck {
    const { latency, throttle, lostReply } = this.settings.calls;
    const random = throttle > 0 || lostReply > 0 || latency.kind !== "fixed";
    const script = this.script.filter((entry) => entry.verb === verb);
    const constant = latency.kind === "fixed" ? latency.ms : 0;
    if (!random && script.length === 0) return { latencyMs: constant, fault: null };
    return this.file().transaction(() => {
      const about = subjects();
      const scope = scopeOf(about);
      const scripted = this.scripted(script, scope, about);
      if (!random) return { latencyMs: constant, fault: scripted };
      const services = about
        .map(({ service }) => service)
        .sort()
        .join(" ");
      const content = `${verb} ${createHash("sha256").update(services).digest("base64url")}`;
      const words = [this.settings.seed ?? scope, content, this.file().count(scope, content)] as const;
      const drawn = happens(throttle, ...words, "throttle")
        ? "throttle"
        : happens(lostReply, ...words, "lost-reply")
          ? "lost-reply"
          : null;
      return { latencyMs: drawMs(latency, ...words, "latency"), fault: scripted ?? drawn };
    });
  }

  /** Every entry that matches this call counts it. The first entry that reaches its number takes effect. */
  private scripted(script: readonly CallEntry[], scope: string, about: readonly Subject[]): CallFault | null {
    const due = script
      .filter(({ service }) => service === null || about.some((subject) => isMeant(service, subject.service)))
      .filter(({ id, nth }) => isDue(nth, this.file().count(scope, id)));
    return due[0]?.fault ?? null;
  }
}

/** Whether an entry of the script takes effect at its `count`th match. */
export function isDue(nth: number | "every", count: number): boolean {
  return nth === "every" || nth === count;
}

/**
 * Counters and random draws belong to a run, so that the same plan meets the same faults each time. "" for calls that
 * concern several runs.
 */
function scopeOf(subjects: readonly Subject[]): string {
  const runs = new Set(subjects.map(({ run }) => run));
  const [only] = runs;
  return runs.size === 1 && only !== undefined ? only : "";
}
