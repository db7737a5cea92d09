/** Soak: the memory and handles of one process must not grow while it boots and terminates repeatedly. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { answer, isGuard, type Figure } from "./support/answer.js";
import { temporaryFolder, writeText } from "./support/simulated.js";
import { withSshHosts, type SshHosts } from "./support/sshHosts.js";
import { loadPlan } from "../src/library/plans.js";
import { boot, terminate } from "../src/library/runs.js";

const ROUNDS = isGuard ? 6 : 20;
const SERVICES = 200;
/** Real services on this computer, and as many over SSH. */
const REAL = 10;
/** Warm-up rounds: afterwards everything that is loaded or created once exists. */
const WARM = 3;

interface Size {
  readonly heapMb: number;
  readonly residentMb: number;
  readonly files: number;
  readonly processes: number;
  readonly listeners: number;
  readonly handles: number;
}

function size(): Size {
  for (let time = 0; time < 3; time += 1) (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const children = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => parentOf(pid) === process.pid);
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return {
    heapMb: heapUsed / 1024 ** 2,
    residentMb: rss / 1024 ** 2,
    files: readdirSync("/proc/self/fd").length,
    processes: children.length,
    listeners,
    handles: process.getActiveResourcesInfo().length,
  };
}

/** The size after everything of the round is released: sockets close shortly after they were ended. */
async function settled(): Promise<Size> {
  for (let [before, look] = [size(), 0]; ; look += 1) {
    await delay(50);
    const now = size();
    if (
      look >= 40 ||
      (now.files === before.files && now.handles === before.handles && now.processes === before.processes)
    )
      return now;
    before = now;
  }
}

function parentOf(pid: string): number | null {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return null; // it has ended
    throw error;
  }
}

/** Most services are simulated; some run on this computer, some over SSH. */
function writePlan({ addresses, port, user, identity, knownHosts }: SshHosts): string {
  const clouds = {
    sky: { driver: "sim", launch: { latency: { min: "5ms", max: "50ms" } }, programs: { boot: { duration: "10ms" } } },
    here: { driver: "local" },
    rack: { driver: "existing", hosts: addresses.map((host) => ({ host, port, user })) },
  };
  const services = (cloud: string, replicas: number) => ({
    [cloud]: { cloud, replicas, boot: { command: "echo hello" }, ready: { command: "true" } },
  });
  const levels = [
    { services: services("sky", SERVICES - 2 * REAL) },
    { services: { ...services("here", REAL), ...services("rack", REAL) } },
  ];
  return writeText(
    temporaryFolder(),
    "launch.yaml",
    JSON.stringify({
      plan: "soak",
      clouds,
      defaults: { ssh: { identity, known_hosts: knownHosts, agent: false } },
      levels,
    }),
  );
}

async function measure(hosts: SshHosts): Promise<Size[]> {
  const home = temporaryFolder();
  const plan = await loadPlan(writePlan(hosts));
  const sizes: Size[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = `soak-${round}`;
    const up = await boot(plan, { home, name });
    const down = await terminate(name, { home });
    if (up.state !== "ready" || down.state !== "terminated")
      throw new Error(
        `round ${round}: ${up.state}, ${down.state}: ${JSON.stringify([...up.failures, ...down.failures].slice(0, 1))}`,
      );
    sizes.push(await settled());
  }
  return sizes;
}

const sizes = await withSshHosts(REAL, measure);
const [first, last] = [sizes[WARM - 1] as Size, sizes.at(-1) as Size];
const growth = (what: string, key: keyof Size): Figure => ({
  what: `${what} after ${ROUNDS} rounds, less those after ${WARM}`,
  value: last[key] - first[key],
  limit: 0,
});
answer({
  title: `Soak: ${ROUNDS} boots and terminates of ${SERVICES} services in one process (${REAL} of them on this computer, ${REAL} over SSH)`,
  figures: [
    {
      what: `memory in use, over that after ${WARM} rounds`,
      value: last.heapMb / first.heapMb,
      limit: 1.1,
      margin: 1.1,
    },
    {
      what: `resident memory, over that after ${WARM} rounds`,
      value: last.residentMb / first.residentMb,
      limit: 1.25,
      margin: 1.2,
    },
    growth("open files", "files"),
    growth("child processes", "processes"),
    growth("listeners", "listeners"),
    growth("timers and sockets", "handles"),
  ],
});
