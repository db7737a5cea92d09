/** Who is let go at a barrier goes at once, and leaves its FIFO to the relay: what lies about stays bounded. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { bundleOf, requestFor, startLocalHost, type LocalHost } from "../../support/localHost.js";
import { attributes } from "../../support/coordination.js";

let host: LocalHost;
beforeEach(async () => {
  host = await startLocalHost();
});
afterEach(async () => {
  await host.stop();
});

test("a program that comes to many barriers, and is refused at others, leaves few FIFOs about, and does not trip over them", async () => {
  const { handler } = attributes();
  const bundle = await bundleOf(
    host.directory,
    [
      "#!/bin/sh -e",
      'i=0; while [ $i -lt 70 ]; do i=$((i+1)); bl barrier "b$i"; done',
      "! bl barrier late --parties 2 --timeout 0.01 2>/dev/null; bl set done yes",
      'ls "$BOOTLEVEL_COORDINATION" | grep -c "^[qpv][.]" >left',
      "",
    ].join("\n"),
  );
  const request = requestFor(bundle, { coordination: handler });
  expect(await runProgram(host.link, request)).toMatchObject({ kind: "exited", code: 0 });
  expect(request.text()).toBe("");
  // Two lots of 32 were swept, and whoever was refused or asked for something else took its own away.
  expect(Number(readFileSync(join(host.directory, "steps", request.directory, "left"), "utf8"))).toBe(6);
});
