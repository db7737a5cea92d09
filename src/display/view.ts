import type { RunEvent, RunState, RunVerb, ServiceFailure, ServiceState, StepName } from "../model/events.js";
import { lastOutputLine, outputLines, stripControl } from "./terminalText.js";

/** The display state of a service. All text is stripped. */
export interface ServiceView {
  readonly name: string;
  level: LevelView;
  state: ServiceState;
  /** When it entered this state, milliseconds since the epoch. */
  since: number;
  step: StepName | null;
  attempt: number;
  /** The last line printed by its running program. */
  lastLine: string;
  failure: ServiceFailure | null;
}

export interface LevelView {
  readonly name: string;
  /** Its position in the plan, from 1. */
  readonly number: number;
  readonly services: ServiceView[];
  /** Number of services by state, updated incrementally because a level may have thousands. */
  readonly counts: Map<ServiceState, number>;
  status: "waiting" | "running" | "finished";
  /** How many of its services were interrupted when it finished. */
  interrupted: number;
  startedAt: number;
  ms: number;
}

/** The display state of a run. */
export interface RunView {
  run: string;
  plan: string;
  verb: RunVerb;
  startedAt: number;
  levels: LevelView[];
  readonly services: Map<string, ServiceView>;
  warnings: number;
  finished: { readonly state: RunState; readonly ms: number } | null;
}

export function createView(): RunView {
  return {
    run: "",
    plan: "",
    verb: "boot",
    startedAt: 0,
    levels: [],
    services: new Map(),
    warnings: 0,
    finished: null,
  };
}

/**
 * Applies an event to the view, in place: ten thousand services send too many events to copy the view each time. Events
 * about services that `run-started` did not name (an older run, another version) are shown, too.
 */
export function foldEvent(view: RunView, event: RunEvent): void {
  switch (event.type) {
    case "run-started":
      return startRun(view, event);
    case "level-started": {
      const level = findLevel(view, event.level);
      level.status = "running";
      level.startedAt = event.at;
      return;
    }
    case "level-finished": {
      const level = findLevel(view, event.level);
      level.status = "finished";
      level.ms = event.ms;
      level.interrupted = event.interrupted ?? 0;
      return;
    }
    case "service-state":
      return moveService(findService(view, event.service, event.level), event.state, event.at);
    case "step-started": {
      const service = findService(view, event.service);
      service.step = event.step;
      service.attempt = event.attempt;
      return;
    }
    case "output": {
      const line = lastOutputLine(event.text);
      if (line !== "") findService(view, event.service).lastLine = line;
      return;
    }
    case "said":
      findService(view, event.service).lastLine = `says: ${stripControl(event.text)}`;
      return;
    case "output-set":
      findService(view, event.service).lastLine = stripControl(
        event.value === undefined ? `set ${event.name}` : `set ${event.name} = ${event.value}`,
      );
      return;
    case "service-failed":
      return failService(view, event.failure, event.at);
    case "warning":
      view.warnings += 1;
      return;
    case "run-finished":
      view.finished = { state: event.state, ms: event.ms };
      return;
    case "connection-lost":
      for (const service of event.services) findService(view, service).lastLine = "its machine does not answer";
      return;
    case "connection-restored":
      for (const service of event.services) findService(view, service).lastLine = "its machine answers again";
      return;
    case "agenda":
    case "aborted":
    case "abort-cancelled":
    case "step-finished":
    case "machine-launched":
    case "machine-terminated":
      return;
  }
}

function startRun(view: RunView, event: Extract<RunEvent, { type: "run-started" }>): void {
  view.run = stripControl(event.run);
  view.plan = stripControl(event.plan);
  view.verb = event.verb;
  view.startedAt = event.at;
  for (const { name, services } of event.levels) {
    const level = findLevel(view, name);
    for (const service of services) addService(view, service, level, event.at, event.states?.[service] ?? "planned");
  }
}

function findLevel(view: RunView, name: string): LevelView {
  const clean = stripControl(name);
  const known = view.levels.find((level) => level.name === clean);
  if (known !== undefined) return known;
  const level: LevelView = {
    name: clean,
    number: view.levels.length + 1,
    services: [],
    counts: new Map(),
    status: "waiting",
    interrupted: 0,
    startedAt: 0,
    ms: 0,
  };
  view.levels.push(level);
  return level;
}

function findService(view: RunView, name: string, levelName?: string): ServiceView {
  const known = view.services.get(name);
  if (known !== undefined) return known;
  const running = view.levels.find((level) => level.status === "running")?.name;
  return addService(view, name, findLevel(view, levelName ?? running ?? "?"), view.startedAt);
}

function addService(
  view: RunView,
  name: string,
  level: LevelView,
  at: number,
  state: ServiceState = "planned",
): ServiceView {
  const service: ServiceView = {
    name: stripControl(name),
    level,
    state,
    since: at,
    step: null,
    attempt: 1,
    lastLine: "",
    failure: null,
  };
  view.services.set(name, service);
  level.services.push(service);
  count(level, state, 1);
  return service;
}

function moveService(service: ServiceView, state: ServiceState, at: number): void {
  if (service.state === state) return;
  count(service.level, service.state, -1);
  count(service.level, state, 1);
  service.state = state;
  service.since = at;
  // A new state starts a new program, so the last line of the previous one is dropped.
  service.lastLine = "";
  if (state !== "failed") service.failure = null;
}

function failService(view: RunView, failure: ServiceFailure, at: number): void {
  const service = findService(view, failure.service, failure.level);
  moveService(service, "failed", at);
  service.failure = {
    ...failure,
    message: stripControl(failure.message),
    lastLines: failure.lastLines.flatMap(outputLines).filter((line) => line !== ""),
  };
}

function count(level: LevelView, state: ServiceState, change: 1 | -1): void {
  level.counts.set(state, (level.counts.get(state) ?? 0) + change);
}
