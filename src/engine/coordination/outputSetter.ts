/** Sets outputs while programs run: for programs (`bl set`) and for operators. */
import { suggest } from "../../text/suggest.js";
import { textOfBytes } from "../../text/surrogateEscape.js";
import type { RunEvent, StepName } from "../../model/events.js";
import type { BlReply } from "../../machines/coordination/blRequest.js";
import type { Change } from "../../state/contract/changes.js";
import type { AttributeValue } from "../../state/contract/records.js";
import { outputsTooLarge } from "../attributes/outputLimits.js";
import type { RunContext } from "../run/context.js";
import type { Publisher } from "../run/coordination.js";
import { change } from "../run/journal.js";
import { withSecrecy } from "../run/secrecy.js";
import type { Service } from "../run/service.js";
import { RateLimit } from "./rateLimit.js";
import { BL_EXIT, done, refusal } from "./replies.js";

const LONGEST_VALUE = 16 * 1024 * 1024;
/** How often those who watch are told, for each service. */
const TOLD = { perSecond: 2, burst: 20 };
/** How much of a value they are shown, in characters. */
const LONGEST_SHOWN = 80;

/** An output to set. */
export interface NewOutput {
  readonly name: string;
  readonly value: Buffer;
  /** The step whose program sets it; null for an operator. */
  readonly step: StepName | null;
}

export class OutputSetter {
  private publisher: Publisher;
  private readonly paces = new Map<number, { readonly limit: RateLimit; untold: number }>();

  constructor(private readonly context: RunContext) {
    this.publisher = async (service, attribute, also) => {
      await this.write(service, attribute, also);
    };
  }

  /** Sets how values are published from now on. */
  publishBy(publisher: Publisher): void {
    this.publisher = publisher;
  }

  /**
   * Sets an output. When the reply is 0, it is on disk.
   * @param also recorded in the same write.
   */
  async set(service: Service, { name, value, step }: NewOutput, also: readonly Change[]): Promise<BlReply> {
    const { context } = this;
    const output = service.spec.outputs.find((one) => one.name === name);
    if (output === undefined) return notAnOutput(service, name);
    if (value.length > LONGEST_VALUE)
      return refusal(BL_EXIT.usage, `the value is ${value.length} bytes long; the limit is ${LONGEST_VALUE} bytes`);
    if (context.writer === null) return refusal(BL_EXIT.noLauncher, "this command is read-only: it cannot set values");
    const text = textOfBytes(value);
    const own = context.attributes.of(service.name);
    const problem = outputsTooLarge(service.spec, own, new Map([[name, text]]));
    if (problem !== null) return refusal(BL_EXIT.usage, problem);
    const { secret } = output;
    const attribute: AttributeValue = { serviceId: service.id, name, kind: "output", secret, value: text, step };
    const before = own.get(name);
    const event = before?.value === text && before.stale !== true ? null : this.news(service, attribute);
    await this.publisher(service, attribute, [
      ...also,
      ...(event === null ? [] : [{ kind: "event" as const, event: context.redactor.redactData(event) }]),
    ]);
    if (event !== null) context.emit({ ...event, ...this.shown(service, attribute) });
    return done();
  }

  /** The event that tells of the output, or null if it is too soon for one. */
  private news({ id, name: service }: Service, { name, step = null }: AttributeValue): RunEvent | null {
    const pace = this.paces.get(id) ?? { limit: new RateLimit(TOLD.perSecond, TOLD.burst), untold: 0 };
    this.paces.set(id, pace);
    if (!pace.limit.tryTurn()) {
      pace.untold += 1;
      return null;
    }
    const { untold } = pace;
    pace.untold = 0;
    return {
      at: this.context.clock.now(),
      type: "output-set",
      service,
      name,
      step,
      ...(untold === 0 ? {} : { untold }),
    };
  }

  /** What may be shown of the value. While a secret of the service is not known, it may stand in every value. */
  private shown(service: Service, { name, value }: AttributeValue): { readonly value?: string } {
    const own = this.context.attributes.of(this.context.current(service).name);
    const known = service.spec.outputs.every((output) => !output.secret || isSet(own.get(output.name)));
    if (!known || own.get(name)?.secret !== false || this.context.redactor.isIn(value)) return {};
    const line = value.replace(/[\p{Cc}\p{Cf}\p{Cs}\s]+/gu, " ").trim();
    return { value: line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line };
  }

  private async write(service: Service, value: AttributeValue, also: readonly Change[]): Promise<void> {
    const { context } = this;
    const [attribute = value] = withSecrecy(context, [value]);
    await change(context, [{ kind: "attribute", attribute }, ...also], []);
    context.attributes.set(context.current(service).name, attribute.name, attribute);
  }
}

function isSet(value: { readonly stale?: boolean } | undefined): boolean {
  return value !== undefined && value.stale !== true;
}

/** The reply for an output that the plan does not declare. */
export function notAnOutput(service: Service, name: string): BlReply {
  const names = service.spec.outputs.map((output) => output.name);
  const near = suggest(name, names);
  const hint =
    near !== null ? `, did you mean "${near}"?` : names.length === 0 ? "; it has none" : `; it has ${names.join(", ")}`;
  return refusal(
    BL_EXIT.unknown,
    `service "${service.spec.name}" has no output "${name}"${hint}. Declare it under the service's outputs in the plan`,
  );
}
