/**
 * The critical path of a section: the chain of steps and waits that determined its duration. Its parts are contiguous,
 * so their sum is the section's duration.
 */
import type { ChainPart, LevelTiming, PartKind, ServiceTiming, StepTiming } from "../../model/analysis.js";

type Owner = Pick<ChainPart, "level" | "service">;

const NOBODY: Owner = { level: null, service: null };

/**
 * Follows, level by level, the service that finished last.
 * @param wallMs the duration that the shares refer to
 */
export function criticalPath(levels: readonly LevelTiming[], endMs: number, wallMs: number): ChainPart[] {
  const chain = new Chain(wallMs);
  for (const level of [...levels].sort((a, b) => a.endMs - b.endMs)) {
    const levelEnd = Math.min(level.endMs, endMs);
    chain.wait(NOBODY, "bootlevel", Math.min(level.startMs, levelEnd));
    const last = level.services.find((service) => service.name === level.last);
    if (last === undefined) chain.wait({ level: level.name, service: null }, "bootlevel", levelEnd);
    else followService(chain, { level: level.name, service: last.name }, last, levelEnd);
  }
  chain.wait(NOBODY, "bootlevel", endMs);
  return chain.parts;
}

/** Steps of a machine that was launched early may precede the level; `Chain` cuts off what is already covered. */
function followService(chain: Chain, owner: Owner, service: ServiceTiming, levelEnd: number): void {
  service.steps.forEach((step, index) => {
    chain.wait(owner, waitBetween(service, service.steps[index - 1], step), Math.min(step.startMs, levelEnd));
    chain.wait(owner, "place", Math.min(step.startMs + step.waitedMs, levelEnd));
    chain.step(owner, step, Math.min(step.startMs + step.ms, levelEnd));
  });
  chain.wait(owner, waitBetween(service, service.steps.at(-1), undefined), levelEnd);
}

function waitBetween(service: ServiceTiming, before: StepTiming | undefined, after: StepTiming | undefined): PartKind {
  if (before?.step === "ready" && (after?.step === "ready" || (after === undefined && service.state === "verifying")))
    return "pause";
  // A level's machines are destroyed together, which is not a step of a service.
  if (after === undefined && (service.state === "terminated" || service.state === "terminating")) return "destroy";
  return "bootlevel";
}

class Chain {
  readonly parts: ChainPart[] = [];
  private untilMs = 0;

  constructor(private readonly wallMs: number) {}

  /** Adds a wait until `untilMs`, unless that is covered already. */
  wait(owner: Owner, kind: PartKind, untilMs: number): void {
    if (untilMs > this.untilMs) this.push(owner, kind, null, untilMs);
  }

  /** Adds a step until `untilMs`, even if it took no time, unless it ended earlier. */
  step(owner: Owner, { step, attempt }: StepTiming, untilMs: number): void {
    if (untilMs >= this.untilMs) this.push(owner, step, attempt, untilMs);
  }

  private push(owner: Owner, kind: PartKind, attempt: number | null, untilMs: number): void {
    const ms = untilMs - this.untilMs;
    this.parts.push({
      ...owner,
      kind,
      attempt,
      startMs: this.untilMs,
      ms,
      share: this.wallMs === 0 ? 0 : ms / this.wallMs,
    });
    this.untilMs = untilMs;
  }
}
