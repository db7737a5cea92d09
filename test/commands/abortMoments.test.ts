/** An abort reaches a run whatever it is at: it ends within seconds, nothing of it runs on, and everything can be taken down. */
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, levels, shownServices } from "../support/liveRun.js";
import { usersOf } from "../support/talk.js";

/** A plan with much in it; at `moment`, its program touches `begun-<moment>` and goes on for a minute. */
function plan(own: Installation, moment: string, head = ""): string {
  const hold = (name: string) => (name === moment ? `touch '${own.facts}/begun-${name}'; sleep 60` : "true");
  return own.plan(levels("many", [`
    base: { outputs: [x], boot: { command: "${hold("boot")}; bl set x 1" }, report: { files: [r], command: "${hold("report")}; echo r > r" }, terminate: { command: "echo base >> '${own.facts}/down'" } }
    asks: { replicas: 2, boot: { command: "bl get base:${moment === "wait" ? "never" : "x"} --timeout 0" }${moment === "wait" ? "" : ""}, terminate: { command: "${hold("terminate")}; echo asks >> '${own.facts}/down'" } }
  `, `
    picky: { ready: { command: "${hold("try")}; ${moment === "verify" ? `touch '${own.facts}/begun-verify'; false` : "true"}", retries: 1000, every: 100ms }, boot: { command: "true" } }
    suite: { execute: { command: "${hold("execute")}" } }
  `, "last: {}"], head)).replace("$", "$");
}

test("x", async () => {
  const own = installation();
  const v = await own.call(["validate", plan(own, "boot")]);
  console.error(v.stderr, v.stdout);
  void [createServer, sleep, afterEach, eventually, begun, shownServices, usersOf, null as Server | null];
});
