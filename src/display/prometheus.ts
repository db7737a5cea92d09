/**
 * A status report as metrics in Prometheus' text format (version 0.0.4), for the textfile collector of node_exporter.
 * Pure: report in, text out. Names and units follow https://prometheus.io/docs/practices/naming/.
 */
import type { RunState, ServiceState } from "../model/events.js";
import type { ServiceStatus, StatusReport } from "../model/statusReport.js";

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** All metrics with their help text. Collectors require the same text in all files. */
const HELP = {
  check_success: "Whether the last check could be made (1) or not (0).",
  check_timestamp_seconds: "When the last check began, in seconds since 1970.",
  check_duration_seconds: "How long the last check took.",
  check_cloud_unreachable: "Whether a cloud of the run gave no answer to the last check (1) or all did (0).",
  run_ready: "Whether the run is ready and every service of it is healthy (1) or not (0).",
  run_state: "1 for the state that the run is in, 0 for the others.",
  run_worked_on: "Whether a living launcher works on the run (1) or not (0).",
  services: "Services of the run by the state that is recorded of them.",
  machines:
    "Machines of the run by what their cloud says; unknown: " +
    "it was not asked, gave no answer or does not know the machine.",
  service_healthy: "Whether the service is healthy by the last check (1) or not (0).",
  service_check_duration_seconds: "How long the service's ready program took in the last check.",
  service_age_seconds: "How long the service had been in its recorded state when the last check was made.",
} as const;

type Metric = keyof typeof HELP;

const RUN_STATES = Object.keys({
  booting: 0,
  repairing: 0,
  reloading: 0,
  ready: 0,
  failed: 0,
  interrupted: 0,
  terminating: 0,
  terminated: 0,
} satisfies Record<RunState, 0>) as RunState[];
const SERVICE_STATES = Object.keys({
  planned: 0,
  launching: 0,
  connecting: 0,
  booting: 0,
  verifying: 0,
  ready: 0,
  executing: 0,
  failed: 0,
  terminating: 0,
  terminated: 0,
} satisfies Record<ServiceState, 0>) as ServiceState[];
const MACHINE_STATES = Object.keys({
  pending: 0,
  running: 0,
  stopped: 0,
  terminated: 0,
  unknown: 0,
} satisfies Record<Exclude<ServiceStatus["machine"], "host" | "none">, 0>) as ServiceStatus["machine"][];

/** The metrics of a checked run. */
export function prometheusText(report: StatusReport): string {
  const { run, services } = report;
  const one = (value: number): Sample[] => [{ labels: { run }, value }];
  const byState = <State extends string>(states: readonly State[], count: (state: State) => number): Sample[] =>
    states.map((state) => ({ labels: { run, state }, value: count(state) }));
  const byService = (value: (service: ServiceStatus) => number | null): Sample[] =>
    services.flatMap((service) => {
      const found = value(service);
      return found === null ? [] : [{ labels: { run, level: service.level, service: service.service }, value: found }];
    });
  return exposition([
    ...checkMetrics(run, true, report.checkedAt),
    ["check_duration_seconds", one(seconds(report.ms))],
    ["check_cloud_unreachable", one(flag(report.cloudUnreachable))],
    ["run_ready", one(flag(report.healthy))],
    ["run_state", byState(RUN_STATES, (state) => flag(report.state === state))],
    ["run_worked_on", one(flag(report.workedOnBy !== null))],
    ["services", byState(SERVICE_STATES, (state) => services.filter((service) => service.state === state).length)],
    ["machines", byState(MACHINE_STATES, (state) => services.filter((service) => service.machine === state).length)],
    ["service_healthy", byService(({ healthy }) => flag(healthy))],
    ["service_check_duration_seconds", byService(({ ms }) => (ms === null ? null : seconds(ms)))],
    ["service_age_seconds", byService(({ ageMs }) => seconds(ageMs))],
  ]);
}

/** The metrics of a failed check: nothing of an earlier check stays. */
export function prometheusFailure(run: string, checkedAt: number): string {
  return exposition(checkMetrics(run, false, checkedAt));
}

function checkMetrics(run: string, success: boolean, checkedAt: number): [Metric, Sample[]][] {
  return [
    ["check_success", [{ labels: { run }, value: flag(success) }]],
    ["check_timestamp_seconds", [{ labels: { run }, value: checkedAt / 1000 }]],
  ];
}

function exposition(metrics: readonly (readonly [Metric, readonly Sample[]])[]): string {
  return metrics
    .filter(([, samples]) => samples.length > 0)
    .map(([metric, samples]) => family(metric, samples))
    .join("");
}

function family(metric: Metric, samples: readonly Sample[]): string {
  const name = `bootlevel_${metric}`;
  const lines = samples.map(({ labels, value }) => `${name}{${labelText(labels)}} ${value}\n`);
  return `# HELP ${name} ${HELP[metric]}\n# TYPE ${name} gauge\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(",");
}

/** The format requires UTF-8, so lone surrogates are replaced. */
function escapeLabel(value: string): string {
  return value
    .replace(/\p{Cs}/gu, "\ufffd")
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** Never negative, even if the clock was set back. */
function seconds(ms: number): number {
  return Math.max(0, ms) / 1000;
}
