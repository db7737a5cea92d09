import { answer, figure, isGuard } from "./support/answer.js";
import { overNothing } from "./support/commandTime.js";
import { temporaryFolder } from "./support/simulated.js";
import { loadPlan } from "../src/library/plans.js";
import { boot } from "../src/library/runs.js";

const PAIRS = isGuard ? 7 : 15;
const home = temporaryFolder();

const run = await boot(await loadPlan("plans/sim"), { home, name: "bench" });
if (run.state !== "ready") throw new Error(`the run is ${run.state}`);
const figures = [["list"], ["show", "bench"], ["status", "--help"], ["--version"]].map((words) => {
  overNothing(words, home, 1); // warms the file cache
  return figure(`bootlevel ${words.join(" ")}, over node -e 0`, overNothing(words, home, PAIRS), {
    limit: 3,
    margin: 1.3,
  });
});
answer({ title: "Command start", figures });
