/** Status reports as the engine makes them, for what shows them. */
import type { ServiceStatus, StatusReport } from "../../src/model/statusReport.js";

/** A healthy service; what is given changes it. */
export function serviceStatus(service: string, changes: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    service,
    level: "web",
    state: "ready",
    healthy: true,
    trouble: null,
    since: 1_795_240_800_000,
    ageMs: 24_597,
    machine: "running",
    host: "127.0.0.2",
    message: "",
    cause: null,
    exitCode: 0,
    ms: 40,
    lastLines: [],
    said: null,
    ...changes,
  };
}

/** One that was looked at and is not well. */
export function notReady(service: string, message = "the ready program failed: exit code 4"): ServiceStatus {
  return serviceStatus(service, {
    healthy: false,
    trouble: "not-ready",
    message,
    exitCode: 4,
    lastLines: ["last words"],
  });
}

/** One that has not come up. */
export function notUp(service: string, state: ServiceStatus["state"]): ServiceStatus {
  return serviceStatus(service, {
    state,
    healthy: false,
    trouble: state === "failed" ? "failed" : "not-up",
    machine: "none",
    host: null,
    message: state === "failed" ? "the boot program failed: exit code 4" : `was interrupted while ${state}`,
    exitCode: null,
    ms: null,
  });
}

/** The report of a ready run called shop; what is given changes it. */
export function statusReport(services: readonly ServiceStatus[], changes: Partial<StatusReport> = {}): StatusReport {
  const state = changes.state ?? "ready";
  return {
    run: "shop",
    state,
    healthy: state === "ready" && services.every(({ healthy }) => healthy),
    workedOnBy: null,
    abort: null,
    checkedAt: 1_795_240_824_597,
    ms: 412,
    cloudUnreachable: false,
    services,
    ...changes,
  };
}

export function many(
  count: number,
  make: (name: string, index: number) => ServiceStatus = (name) => serviceStatus(name),
): ServiceStatus[] {
  return Array.from({ length: count }, (_, index) => make(`web-${index + 1}`, index));
}
