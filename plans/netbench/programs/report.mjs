/**
 * Writes the page from all results, and prints a summary in one line. Fails if clients and servers counted different
 * numbers of bytes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { bl, list, unpack } from "./bl.mjs";
import { page } from "./page.mjs";
import { program } from "./program.mjs";
import { summarize, summaryLine } from "./summary.mjs";

const { BOOTLEVEL_RUN, PLAN_DIR, PAGE } = process.env;

await program(async () => {
  const clients = (await list("results")).map((word, index, { length }) => ({
    service: length === 1 ? "client" : `client-${index + 1}`,
    ...unpack(word),
  }));
  if (clients.length === 0) throw new Error("there are no clients, so nothing was measured");
  const servers = (await list("counted")).map((word) => ({ counted: unpack(word) }));
  const scenarios = summarize(clients, servers);
  const line = summaryLine(scenarios);
  const html = page({ run: BOOTLEVEL_RUN, line, scenarios, servers: await list("servers"), at: new Date() });
  // In the current directory for the run's report, and where the operator wants it.
  for (const file of ["netbench.html", ...(PAGE === "" ? [] : [resolve(PLAN_DIR, PAGE)])]) {
    mkdirSync(dirname(resolve(file)), { recursive: true });
    writeFileSync(file, html);
    console.log(`the page: ${resolve(file)}`);
  }
  console.log(line);
  await bl(["set", "summary", line]);
  await bl(["say", line]);
  const wrong = scenarios.filter(({ agrees }) => !agrees).map(({ name }) => name);
  if (wrong.length > 0) throw new Error(`servers counted other numbers of bytes than clients: ${wrong.join(", ")}`);
});
