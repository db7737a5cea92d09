/** Rehearsals of the sample plans: they come up without faults, and the docs show what a rehearsal prints. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";

const project = fileURLToPath(new URL("../..", import.meta.url));

test("the docs show what a rehearsal of a sample prints", async () => {
  const docs = readFileSync(`${project}/docs/commands.md`, "utf8");
  const [, words = "", shown] = /\n\$ bootlevel (rehearse [^\n]+)\n([^]*?)```/.exec(docs) ?? [];
  const { stdout } = await installation().call(words.split(" "), { cwd: project });
  expect(stdout).toBe(shown);
});

test.each(["hello", "web", "sim", "ssh", "netbench", "apache-test", "ec2-web"])(
  "%s comes up in every rehearsal without faults",
  async (name) => {
    const { code, document } = await installation().json(["rehearse", `${project}/plans/${name}`, "--runs", "20"]);
    expect([code, document.ready, document.causes]).toEqual([0, [20, 20, 20, 20], []]);
  },
);
