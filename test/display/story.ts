import type { RunEvent, ServiceFailure, ServiceState } from "../../src/model/events.js";
import { createView, foldEvent, type RunView } from "../../src/display/view.js";

/** Events as they come from the engine, written by hand: their time is in seconds after the start. */
export const START = Date.UTC(2026, 10, 21, 5, 0, 0);

export function at(seconds: number): number {
  return START + seconds * 1000;
}

export function started(
  levels: readonly (readonly [name: string, services: readonly string[]])[],
  verb: "boot" | "terminate" | "status" = "boot",
): RunEvent {
  return {
    type: "run-started",
    at: at(0),
    run: "web-shop-k3f9",
    plan: "plans/web",
    verb,
    levels: levels.map(([name, services]) => ({ name, services })),
  };
}

export function levelStarted(level: string, seconds: number, index = 0): RunEvent {
  return { type: "level-started", at: at(seconds), level, index };
}

export function levelFinished(level: string, seconds: number, ms: number, failed = 0): RunEvent {
  return { type: "level-finished", at: at(seconds), level, index: 0, ms, failed };
}

export function moved(service: string, level: string, state: ServiceState, seconds: number): RunEvent {
  return { type: "service-state", at: at(seconds), service, level, state };
}

export function printed(service: string, text: string): RunEvent {
  return { type: "output", at: at(1), service, step: "boot", text };
}

export function failed(
  service: string,
  level: string,
  seconds: number,
  changes: Partial<ServiceFailure> = {},
): RunEvent {
  return { type: "service-failed", at: at(seconds), failure: failure({ service, level, ...changes }) };
}

export function failure(changes: Partial<ServiceFailure> = {}): ServiceFailure {
  return {
    service: "web-2",
    level: "web",
    step: "boot",
    message: "the program ended with exit code 1",
    exitCode: 1,
    machine: "admin@10.0.0.4:22",
    lastLines: ["npm ERR! code E404", "npm ERR! 404 Not Found"],
    log: "/home/ann/.bootlevel/runs/web-shop-k3f9/web-2/boot.log",
    cause: null,
    remedy: "Repair the program, then run: bootlevel boot --name web-shop-k3f9",
    ...changes,
  };
}

export function viewOf(...events: readonly RunEvent[]): RunView {
  const view = createView();
  for (const event of events) foldEvent(view, event);
  return view;
}

/** A level `web` of so many services, each moved to the state that `stateOf` says. */
export function crowd(count: number, stateOf: (index: number) => ServiceState): RunEvent[] {
  const names = Array.from({ length: count }, (_, index) => `web-${index + 1}`);
  const moves = names.flatMap((name, index): RunEvent[] => {
    const state = stateOf(index);
    if (state === "planned") return [];
    return state === "failed" ? [failed(name, "web", 2)] : [moved(name, "web", state, 1 + (index % 50))];
  });
  return [
    started([
      ["storage", ["db"]],
      ["web", names],
      ["edge", ["balancer"]],
    ]),
    levelFinished("storage", 2, 2100),
    levelStarted("web", 2, 1),
    ...moves,
  ];
}
