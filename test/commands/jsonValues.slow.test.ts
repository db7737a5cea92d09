/** Values as JSON: lists of replicas whose values contain commas, in the plan, in inputs and by `bl get --json`. */
import { expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { levels } from "../support/liveRun.js";

const VALUES = ['{"port":1,"tags":["a","b"]}', `two, "quoted" \\ and\nlines`];

test("values with commas, quotes and lines arrive whole in a JSON list, wherever the plan or a program asks for one", async () => {
  const own = installation();
  const folder = own.plan(
    levels("lists", [
      `
    web: { replicas: 2, outputs: [info], boot: { program: web.sh, files: [v1, v2] } }
    beside: { inputs: { infos: web.*.info|json, one: "web-1.info | json" }, boot: { command: "{ bl get infos; bl get one; bl get 'web-*:info' --json; bl get web-2:info --json; bl get one --json; } > '${own.facts}/beside'" } }
    none: { replicas: 0, outputs: [x], boot: { command: "true" } }
    single: { replicas: 1, outputs: [x], boot: { command: "bl set x 1,2" } }
  `,
      `
    later: { attributes: { infos: "\${web.*.info|json}", config: '{"run":\${run.name|json},"first":\${web-1.info | json},"none":\${none.*.x|json},"single":\${single.*.x|json}}' }, boot: { command: "printf '%s\\\\n' \${web.*.info|json} '\${self.infos | json}' > '${own.facts}/later'; cat $BOOTLEVEL_ATTRIBUTES > '${own.facts}/attributes'" } }
  `,
    ]),
    {
      "web.sh": "#!/bin/sh\nbl set info <v$BOOTLEVEL_REPLICA\n",
      v1: VALUES[0] as string,
      v2: VALUES[1] as string,
    },
  );
  expect(await own.call(["boot", folder, "--name", "lists"])).toMatchObject({ code: 0 });
  const lines = (own.fact("beside") ?? "").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([VALUES, VALUES[0], VALUES, VALUES[1], VALUES[0]]);
  const later = (own.fact("later") ?? "").trimEnd().split("\n");
  expect(later.map((line) => JSON.parse(line) as unknown)).toEqual([VALUES, JSON.stringify(VALUES)]);
  const attributes = JSON.parse(own.fact("attributes") ?? "") as { infos: string; config: string };
  expect(JSON.parse(attributes.infos)).toEqual(VALUES);
  expect(JSON.parse(attributes.config)).toEqual({ run: "lists", first: VALUES[0], none: [], single: ["1,2"] });
}, 60_000);

test("a form that does not exist is a mistake of the plan, and a list of secrets is a secret", async () => {
  const own = installation();
  const wrong = own.plan(
    levels("wrong", [
      `a: {}`,
      `b: { attributes: { x: "\${a.host|yaml}" }, boot: { command: "true", args: ["\${a.hots|json}"] } }`,
    ]),
  );
  const ended = await own.call(["validate", wrong]);
  expect(ended.code).toBe(2);
  expect(ended.stdout + ended.stderr).toContain("${a.host|yaml} is not a reference");
  expect(ended.stdout + ended.stderr).toContain('did you mean "host"?');
  const folder = own.plan(
    levels("kept", [
      `a: { replicas: 2, outputs: [{ name: key, secret: true }], boot: { command: "printf 'key,\\"%s\\"-s3cret' $BOOTLEVEL_REPLICA | bl set key" } }`,
      `b: { attributes: { keys: "\${a.*.key|json}" }, boot: { command: "echo $KEYS; cat $BOOTLEVEL_ATTRIBUTES", env: { KEYS: "\${a.*.key|json}" } } }`,
    ]),
    {},
    "kept",
  );
  expect(await own.call(["boot", folder, "--name", "kept"])).toMatchObject({ code: 0 });
  expect((await own.call(["logs", "kept"])).stdout).not.toContain("s3cret");
  expect(await own.call(["output", "kept", "b.keys"])).toMatchObject({ code: 2 });
  const keys = (await own.call(["output", "kept", "b.keys", "--reveal"])).stdout;
  expect(JSON.parse(keys)).toEqual(['key,"1"-s3cret', 'key,"2"-s3cret']);
}, 60_000);
