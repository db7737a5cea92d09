/**
 * Durations of a rehearsal that nobody set. They are invented, so they must not break a time limit that the plan did
 * set: a rehearsal without faults would fail for a reason that is not the plan's.
 */
import type { LaunchPlan, ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import { isRecord } from "../../plan/yaml/located.js";
import { durationMs } from "../../time/duration.js";

/** Keys of a simulated cloud. */
export type SimOptions = Readonly<Record<string, unknown>>;

/** The durations of a rehearsal where its faults set none. */
export const REALISTIC = {
  launch: { latency: { p50: "40s", p95: "90s" } },
  programs: { boot: { duration: { p50: "30s", p95: "2m" } }, ready: { duration: "1s" }, terminate: { duration: "1s" } },
};

/** The part of a time limit that an invented duration may take at most. */
const SHARE = 0.8;

/**
 * The options of a simulated cloud, with shorter boot durations for services with short time limits. Durations that the
 * options set stay as they are.
 */
export function withFittingDurations(options: SimOptions, plan: LaunchPlan): SimOptions {
  const programs = options["programs"];
  const boot = isRecord(programs) ? programs["boot"] : null;
  if (!isRecord(boot) || boot["duration"] !== REALISTIC.programs.boot.duration) return options;
  const own = isRecord(options["services"]) ? options["services"] : {};
  const services = plan.levels
    .flatMap((level) => level.services)
    .flatMap((service) => {
      const duration = fittingDuration(service);
      return duration === null ? [] : [[service.name, overlay(own[service.name], duration)] as const];
    });
  return services.length === 0 ? options : { ...options, services: { ...own, ...Object.fromEntries(services) } };
}

/** Programs of a service that take as long as a boot program, since no key of a simulated cloud says otherwise. */
function fittingDuration({ boot, execute, setup }: ServiceSpec): Record<string, string> | null {
  const limits = [boot, execute, ...setup.map(({ program }) => program)].flatMap((program) =>
    program === null ? [] : [program.timeoutMs],
  );
  const max = Math.floor(SHARE * Math.min(...limits));
  if (limits.length === 0) return null;
  const { p50, p95 } = REALISTIC.programs.boot.duration;
  const [half, most] = [p50, p95].map((written) => durationMs(written)) as [number, number];
  // The same shape, as far as the limit allows it.
  const scale = Math.min(1, max / most);
  const at = (ms: number) => `${Math.max(1, Math.round(ms * scale))}ms`;
  return { p50: at(half), p95: at(most), max: `${Math.max(1, max)}ms` };
}

function overlay(own: unknown, duration: Record<string, string>): Record<string, unknown> {
  const service = isRecord(own) ? own : {};
  const programs = isRecord(service["programs"]) ? service["programs"] : {};
  const boot = isRecord(programs["boot"]) ? programs["boot"] : {};
  return { ...service, programs: { ...programs, boot: { duration, ...boot } } };
}
