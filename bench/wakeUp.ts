/**
 * Wake-up: the time from the start of `bl set` on one machine to the end of the waiting `bl get` on another one, both
 * over loopback.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { answer, figure, isGuard, type Figure } from "./support/answer.js";
import { bootOnce } from "./support/bootOnce.js";
import { temporaryFolder, writeText } from "./support/simulated.js";
import { withSshHosts, type SshHosts } from "./support/sshHosts.js";

const ROUNDS = isGuard ? 50 : 300;
/** The documented limit for an idle machine, in milliseconds. */
const LIMIT = 50;

/** The head of the plan: local machines, or two hosts. */
function head(hosts: SshHosts | null): object {
  if (hosts === null) return {};
  const { port, user, identity, knownHosts, addresses } = hosts;
  return {
    clouds: { rack: { driver: "existing", hosts: addresses.map((host) => ({ host, port, user })) } },
    defaults: { cloud: "rack", ssh: { identity, known_hosts: knownHosts, agent: false } },
  };
}

/**
 * Sets values one after the other, each after the reader had time to wait for it.
 * @returns the milliseconds of each
 */
async function wakeUps(hosts: SshHosts | null): Promise<number[]> {
  const folder = temporaryFolder();
  const names = Array.from({ length: ROUNDS }, (_, index) => `v${index}`);
  const each = (work: string, file: string) =>
    `set -e; for v in ${names.join(" ")}; do ${work}; done > ${join(folder, file)}`;
  const sets = { outputs: names, boot: { command: each("sleep 0.1; date +%s%N; bl set $v 1", "set") } };
  const gets = { boot: { command: each("bl get sets:$v --timeout 0 >/dev/null; date +%s%N", "got") } };
  await bootOnce(
    writeText(
      folder,
      "launch.yaml",
      JSON.stringify({ plan: "wake-up", ...head(hosts), levels: [{ services: { sets, gets } }] }),
    ),
    temporaryFolder(),
  );
  const times = (file: string) =>
    readFileSync(join(folder, file), "utf8")
      .trim()
      .split("\n")
      .map((line) => Number(line.slice(0, -3)) / 1000);
  const set = times("set");
  return times("got").map((at, index) => at - (set[index] as number));
}

function figures(where: string, ms: readonly number[]): Figure[] {
  const slowest = [...ms].sort((one, other) => one - other)[Math.ceil(ms.length * 0.99) - 1] as number;
  return [
    figure(`${where}: the median of ${ms.length}`, ms, { unit: " ms", limit: LIMIT, margin: 5 }),
    {
      what: `${where}: all but the slowest hundredth`,
      value: slowest,
      unit: " ms",
      ...(isGuard ? {} : { limit: LIMIT }),
    },
  ];
}

const local = await wakeUps(null);
const ssh = await withSshHosts(2, (hosts) => wakeUps(hosts));
answer({
  title: "Wake-up: from the start of `bl set` to the end of the `bl get` that waits for it",
  figures: [...figures("machines on this computer", local), ...figures("machines over SSH", ssh)],
  notes: ["Two shells that start, `bl` and `date`, are in each time."],
});
