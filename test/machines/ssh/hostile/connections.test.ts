/** Hosts that exchange their keys often, and networks that deliver in bursts. */
import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { fetchFiles } from "../../../../src/machines/files/fetchFiles.js";
import { writeBundle } from "../../../support/bundles.js";
import { temporaryDirectory } from "../../../support/temporaryDirectory.js";
import { command, hostile, linkTo, program, reach, untilTheEnd } from "./harness.js";
import { coalescing } from "./proxies.js";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("RekeyLimit 1M", () => {
  test.each(["directly", "through a jump host that does the same"])(
    "uploads and downloads beyond it arrive whole, %s",
    async (how) => {
      const host = await hostile({ config: "RekeyLimit 1M" });
      const gate = how === "directly" ? null : await hostile({ config: "RekeyLimit 1M" });
      if (gate !== null) {
        // One key for both, and both known.
        copyFileSync(join(host.directory, "authorized_keys"), join(gate.directory, "authorized_keys"));
        const both = [host, gate].map((one) => readFileSync(one.settings().knownHosts, "utf8")).join("");
        writeFileSync(host.settings().knownHosts, both);
      }
      const jump = gate === null ? null : { host: gate.address, port: gate.port, user: gate.user };
      const connection = await reach(host.settings({ jump }));
      const content = randomBytes(8 * 1_048_576);
      const up = await command(connection, "sha256sum", content);
      expect(up.out.toString().split(" ")[0]).toBe(sha256(content));
      const both = await command(connection, "cat", content);
      expect(sha256(both.out)).toBe(sha256(content));
      expect(both.code).toBe(0);
    },
  );

  test("a program with a large file runs, and its files come home", async () => {
    const host = await hostile({ config: "RekeyLimit 1M" });
    const folder = temporaryDirectory();
    const content = randomBytes(6 * 1_048_576);
    writeFileSync(join(folder, "large"), content);
    writeFileSync(join(folder, "run.sh"), "sha256sum large; cp large ~/copy");
    const bundle = await writeBundle(
      { program: { kind: "file", path: join(folder, "run.sh") }, files: [join(folder, "large")] },
      join(folder, "bundles"),
    );
    const link = linkTo(host.settings());
    const { result, text } = await program(link, "", { bundle });
    expect(result).toMatchObject({ kind: "exited", code: 0 });
    expect(text.split(" ")[0]).toBe(sha256(content));
    const chunks: Buffer[] = [];
    await fetchFiles(
      await link.connection(),
      { report: null, patterns: ["copy"], base: [], sudo: false },
      {
        signal: new AbortController().signal,
        onMember: async (_origin, _header, bytes) => {
          for await (const chunk of bytes) chunks.push(chunk);
        },
      },
    );
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(content));
  });
});

describe("a network that delivers in bursts", () => {
  test("loses no exit code and no word, whichever packets come together", async () => {
    const host = await hostile();
    const connection = await reach(
      host.through(untilTheEnd(await coalescing(host.address, host.port, 60)), { connectTimeoutMs: 20_000 }),
    );
    const ends = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((code) => command(connection, `echo out; echo err >&2; exit ${code}`)),
    );
    expect(ends.map(({ code }) => code)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { out, err } of ends) expect([String(out), String(err)]).toEqual(["out\n", "err\n"]);
  });

  test("a program's end and its outputs arrive", async () => {
    const host = await hostile();
    const proxy = untilTheEnd(await coalescing(host.address, host.port, 60));
    const link = linkTo(host.through(proxy, { connectTimeoutMs: 20_000 }));
    const { result, text } = await program(link, 'echo hello; echo port=80 >>"$BOOTLEVEL_OUTPUT"; exit 3');
    expect(result).toEqual({ kind: "exited", code: 3, outputs: new Map([["port", "80"]]) });
    expect(text).toBe("hello\n");
  });
});
