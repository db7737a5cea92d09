/**
 * Coordinates the programs of a run while they run: values, barriers, messages, abort. All state that must survive the
 * launcher is in the record. If the launcher dies, waiting `bl` processes notice it themselves.
 */
import type { StepName } from "../../model/events.js";
import type { BlHandler, BlReply, BlRequest } from "../../machines/coordination/blRequest.js";
import type { AnsweredRequest, Change } from "../../state/contract/changes.js";
import { isStateError } from "../../state/contract/errors.js";
import { change, warn } from "../run/journal.js";
import type { RunContext } from "../run/context.js";
import type { Coordination, Publisher } from "../run/coordination.js";
import { BL_EXIT, done, refusal } from "./replies.js";
import { Barriers } from "./barriers.js";
import { abortWords } from "../run/abort.js";
import { isForFailure } from "../run/selfAbort.js";
import { Blame } from "./blame.js";
import { Deadlocks } from "./deadlocks.js";
import { resolveName, sourceNamed } from "./resolveName.js";
import { OutputSetter } from "./outputSetter.js";
import { RateLimit } from "./rateLimit.js";
import { Progress } from "./progress.js";
import { getWait, keyOf } from "./valueWait.js";
import { tidy } from "./tidy.js";
import { WaitQueue } from "./waitQueue.js";
import type { Service } from "../run/service.js";

/** Rate limits per program for requests, and per service for messages. */
const REQUESTS = { perSecond: 500, burst: 1_000 };
const SAYINGS = { perSecond: 10, burst: 20 };

/** How a request is asked. */
interface Asking {
  readonly gone: AbortSignal;
  readonly onWait: () => void;
  /** Recorded when it is handled. */
  readonly answered: AnsweredRequest;
}

export class CoordinationHub implements Coordination {
  readonly progress = new Progress();
  private readonly waits: WaitQueue;
  private readonly barriers: Barriers;
  private readonly deadlocks: Deadlocks;
  private readonly blame = new Blame(this.progress);
  /** By service; how many messages of each program had to wait, by the directory of its step. */
  private readonly sayings = new Map<number, { readonly limit: RateLimit; readonly heldBack: Map<string, number> }>();
  private readonly outputs: OutputSetter;

  constructor(private readonly context: RunContext) {
    this.waits = new WaitQueue(
      () => context.abort.current,
      (wait) => this.deadlocks.explain(wait),
      (wait, reply) => {
        this.blame.waitEnded(wait, reply);
      },
    );
    this.barriers = new Barriers(this.waits, this.progress, async (requests) =>
      context.writer?.write({ kind: "answered", requests }),
    );
    this.deadlocks = new Deadlocks(this.waits, this.progress, (message) => {
      this.warn(message);
    });
    this.outputs = new OutputSetter(context);
    context.attributes.listen((service, name) => {
      this.waits.wake(keyOf(sourceNamed(context, service, name)));
    });
    context.abort.signal.addEventListener(
      "abort",
      () => {
        this.waits.abort();
      },
      { once: true },
    );
  }

  /** The context has a new view of the run: services may be renamed, and values may have been set. */
  follow(renamed: ReadonlyMap<string, string>): void {
    this.progress.rename(renamed);
    this.blame.rename(renamed);
    this.waits.endWhere((wait) => wait.check());
  }

  /** Sets how values are published from now on. */
  publishBy(publisher: Publisher): void {
    this.outputs.publishBy(publisher);
  }

  /** The program of a service's step ran under an earlier launcher and will not run again. */
  ranBefore(service: Service): void {
    this.progress.setRanBefore(service);
    this.barriers.recheck();
  }

  /** @inheritdoc */
  causeOf(service: Service): string | null {
    const { name } = this.context.current(service);
    const cause = this.blame.causeOf(name);
    if (cause !== null) return cause;
    const abort = this.context.abort.current;
    if (abort === null) return null;
    const origin = isForFailure(abort) ? this.progress.firstFailed : abort.origin;
    return origin !== null && origin !== name && this.context.byName.has(origin) ? origin : null;
  }

  /** Notifies waiting programs that a service has ended, or waits for its level. */
  ended(service: Service): void {
    if (this.waits.any) this.deadlocks.scheduleSearch();
    const over = this.progress.endReason(service.name);
    if (over === null) return;
    this.waits.endWhere((wait) => {
      if (!wait.dependencies().some(({ to }) => to === service.name)) return null;
      return refusal(
        BL_EXIT.notSet,
        [`${over}, so the wait for ${wait.what} cannot succeed`, this.deadlocks.explainBroken(wait) ?? []]
          .flat()
          .join("; "),
      );
    });
  }

  /**
   * Handles requests from the programs of one step of a service.
   * @param program the directory of the step.
   * @param onWait called when a program begins to wait; it uses no launcher resources meanwhile.
   */
  handler(service: Service, step: StepName, program: string, onWait: () => void): BlHandler {
    const pace = new RateLimit(REQUESTS.perSecond, REQUESTS.burst);
    return async (request, gone, { id, again }) => {
      try {
        await pace.turn(gone);
        const answered = { program, request: id };
        // An earlier launcher may have handled it, and died before its answer arrived.
        if (again && request.verb !== "get" && (await this.context.store.wasAnswered(this.context.run, answered)))
          return done();
        return await this.answer(service, step, request, { gone, onWait, answered });
      } catch (error) {
        if ((error as Error).name === "AbortError") return refusal(BL_EXIT.noLauncher, "nobody waits for this answer");
        if (isStateError(error))
          return refusal(BL_EXIT.noLauncher, `the launcher could not record it: ${error.message}`);
        throw error;
      }
    };
  }

  private async answer(
    asker: Service,
    step: StepName,
    request: BlRequest,
    { gone, onWait, answered }: Asking,
  ): Promise<BlReply> {
    const service = this.named(asker);
    switch (request.verb) {
      case "get":
        return this.get(service, request, gone, onWait);
      case "set":
        return this.outputs.set(service, { name: request.name, value: request.value, step }, [
          { kind: "answered", requests: [answered] },
        ]);
      case "barrier":
        return this.barrier(service, request, { gone, onWait, answered });
      case "say":
        return this.say(service, step, request, { gone, answered });
      case "abort":
        return this.abort(service, request);
    }
  }

  private async get(service: Service, request: BlRequest, gone: AbortSignal, onWait: () => void): Promise<BlReply> {
    const meaning = resolveName(this.context, service, request.name);
    if (meaning.kind === "unknown") return meaning.reply;
    const wait = getWait({
      context: this.context,
      progress: this.progress,
      service: service.name,
      meaning,
      request,
      gone,
    });
    const now = request.wait ? this.waits.immediateReply(wait) : wait.check();
    if (now !== null) return now;
    if (!request.wait) return refusal(BL_EXIT.notSet, `${wait.what} is not set`);
    return this.wait(() => this.waits.add(wait), onWait);
  }

  private async barrier(
    service: Service,
    { name, parties, timeoutMs, ignoreAbort }: BlRequest,
    { gone, onWait, answered }: Asking,
  ): Promise<BlReply> {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name))
      return refusal(
        BL_EXIT.usage,
        "a barrier's name has 1 to 100 letters, digits, _, - and ., and starts with a letter or digit",
      );
    if (parties !== null && (parties < 1 || parties > 9999))
      return refusal(BL_EXIT.usage, "--parties takes a whole number from 1 to 9999");
    // Replicas that this command does not touch will not arrive. A failed one was expected to.
    const replicas = this.context.bySpec.get(this.context.current(service).spec.name) ?? [service];
    const expected = replicas
      .map((replica) => replica.name)
      .filter((replica) => replica === service.name || this.progress.isExpected(replica));
    const meeting =
      parties === null
        ? { kind: "replicas" as const, spec: service.spec.name, expected }
        : { kind: "parties" as const, count: parties };
    return this.wait(
      () => this.barriers.meet({ service: service.name, name, meeting, timeoutMs, ignoreAbort, gone, answered }),
      onWait,
    );
  }

  private async wait(begin: () => Promise<BlReply>, onWait: () => void): Promise<BlReply> {
    onWait();
    const reply = begin();
    this.deadlocks.scheduleSearch();
    return reply;
  }

  private async say(
    service: Service,
    step: StepName,
    { value }: BlRequest,
    { gone, answered }: Omit<Asking, "onWait">,
  ): Promise<BlReply> {
    const pace = this.sayings.get(service.id) ?? {
      limit: new RateLimit(SAYINGS.perSecond, SAYINGS.burst),
      heldBack: new Map<string, number>(),
    };
    this.sayings.set(service.id, pace);
    const waited = await pace.limit.turn(gone);
    const heldBack = (pace.heldBack.get(answered.program) ?? 0) + (waited ? 1 : 0);
    pace.heldBack.set(answered.program, heldBack);
    await this.show(service, step, value, [{ kind: "answered", requests: [answered] }]);
    return waited && /^10*$/.test(String(heldBack)) ? { ...done(), message: heldBackWords(heldBack) } : done();
  }

  /** Shows a message of a service, and records it where the command writes. */
  private async show(service: Service, step: StepName | null, value: Buffer, also: readonly Change[]): Promise<void> {
    const { context } = this;
    const text = context.redactor.redact(tidy(value));
    const event = { at: context.clock.now(), type: "said", service: service.name, step, text } as const;
    if (context.writer === null) context.emit(event);
    else await change(context, [{ kind: "said", id: service.id, text }, ...also], [event]);
  }

  private async abort(service: Service, { value }: BlRequest): Promise<BlReply> {
    const { context } = this;
    if (context.writer === null)
      return refusal(BL_EXIT.noLauncher, "this command is read-only: it cannot abort the run");
    const earlier = context.abort.current;
    if (earlier !== null) return { ...done(), message: `${abortWords(earlier)}. The first reason is kept` };
    await context.abort.begin({
      reason: context.redactor.redact(tidy(value)) || "no reason was given",
      origin: service.name,
      at: context.clock.now(),
    });
    return done();
  }

  /** @inheritdoc */
  setOutput(service: Service, name: string, value: Buffer): Promise<BlReply> {
    return this.outputs.set(service, { name, value, step: null }, []);
  }

  /** @inheritdoc */
  sayFor(service: Service, text: Buffer): Promise<void> {
    return this.show(service, null, text, []);
  }

  /** The program goes by the plan that it was started by, under the name that its service has now. */
  private named(asker: Service): Service {
    const { name } = this.context.current(asker);
    return name === asker.name ? asker : { ...asker, name };
  }

  private warn(message: string): void {
    const { context } = this;
    if (context.writer === null) context.emit({ at: context.clock.now(), type: "warning", service: null, message });
    else context.writer.expect(warn(context, null, message));
  }
}

/** For the program's standard error: with the first message that waits, the tenth, the hundredth, … */
function heldBackWords(count: number): string {
  const { burst, perSecond } = SAYINGS;
  const which = count === 1 ? "this message was held back" : `${count} messages of this program were held back so far`;
  return `${which}: a service may say ${burst} at once, then ${perSecond} a second. None is lost`;
}
