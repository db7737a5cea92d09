/** The time of other tools for the same hosts, if they are installed. These figures have no limit. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { figure, type Figure, type Series } from "./answer.js";
import { temporaryFolder } from "./simulated.js";
import { isInstalled, timed, type SshHosts } from "./sshHosts.js";

const AT_ONCE = "32";

interface Tool {
  readonly command: string;
  readonly what: string;
  /** @returns seconds */
  readonly run: (hosts: SshHosts, count: number, folder: string) => Promise<number>;
}

const TOOLS: readonly Tool[] = [
  { command: "xargs", what: "a shell loop of ssh", run: shellLoop },
  { command: "clush", what: "clush", run: clush },
  { command: "ansible-playbook", what: "ansible (pipelining; script, boot and ready)", run: ansible },
  { command: "terraform", what: "terraform (remote-exec, boot and ready)", run: terraform },
];

/** Runs each tool once per size. */
export async function otherTools(
  hosts: SshHosts,
  sizes: readonly number[],
): Promise<{ figures: Figure[]; notes: string[]; series: Series[] }> {
  const [notes, series]: [string[], Series[]] = [[], []];
  for (const { command, what, run } of TOOLS) {
    if (!(await isInstalled(command))) {
      notes.push(`${command} is not installed here.`);
      continue;
    }
    const points: [number, number][] = [];
    for (const size of sizes) points.push([size, await run(hosts, size, folderWithPrograms())]);
    series.push({ name: what, points });
  }
  const figures = series.flatMap(({ name, points }) =>
    points.map(([size, seconds]) => figure(`${size} hosts: ${name}`, [seconds], { unit: " s" })),
  );
  return { figures, notes, series };
}

function folderWithPrograms(): string {
  const folder = temporaryFolder();
  for (const name of ["boot.sh", "ready.sh"]) writeFileSync(join(folder, name), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  return folder;
}

function sshOptions({ port, identity, knownHosts }: SshHosts): string[] {
  return [
    "-F",
    "none",
    "-p",
    String(port),
    "-i",
    identity,
    "-o",
    `UserKnownHostsFile=${knownHosts}`,
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "IdentitiesOnly=yes",
    "-o",
    "BatchMode=yes",
  ];
}

async function shellLoop(hosts: SshHosts, count: number, folder: string): Promise<number> {
  const [list, program] = [join(folder, "hosts"), join(folder, "one.sh")];
  writeFileSync(
    list,
    hosts.addresses
      .slice(0, count)
      .map((address) => `${address}\n`)
      .join(""),
  );
  writeFileSync(
    program,
    `#!/bin/sh\nexec ssh ${sshOptions(hosts).join(" ")} ${hosts.user}@"$1" 'sh -s' <${join(folder, "boot.sh")}\n`,
  );
  chmodSync(program, 0o755);
  return timed("xargs", ["-a", list, "-P", AT_ONCE, "-n", "1", program]);
}

async function clush(hosts: SshHosts, count: number): Promise<number> {
  return timed("clush", [
    "-f",
    AT_ONCE,
    "-l",
    hosts.user,
    "-o",
    sshOptions(hosts).join(" "),
    "-w",
    hosts.addresses.slice(0, count).join(","),
    "true",
  ]);
}

async function ansible(hosts: SshHosts, count: number, folder: string): Promise<number> {
  const [inventory, playbook] = [join(folder, "inventory"), join(folder, "play.yaml")];
  writeFileSync(
    inventory,
    hosts.addresses
      .slice(0, count)
      .map((address) => `${address} ansible_port=${hosts.port} ansible_user=${hosts.user}\n`)
      .join(""),
  );
  writeFileSync(
    playbook,
    JSON.stringify([
      {
        hosts: "all",
        gather_facts: false,
        tasks: ["boot.sh", "ready.sh"].map((script) => ({ script: join(folder, script) })),
      },
    ]),
  );
  const options = ["-o", `UserKnownHostsFile=${hosts.knownHosts}`].join(" ");
  return timed(
    "ansible-playbook",
    ["-i", inventory, "-f", AT_ONCE, "--private-key", hosts.identity, "--ssh-common-args", options, playbook],
    { env: { ...process.env, ANSIBLE_PIPELINING: "1" } },
  );
}

async function terraform(hosts: SshHosts, count: number, folder: string): Promise<number> {
  const connection = {
    type: "ssh",
    host: "${each.value}",
    port: hosts.port,
    user: hosts.user,
    private_key: `\${file("${hosts.identity}")}`,
    agent: false,
  };
  const provisioner = [{ "remote-exec": { scripts: [join(folder, "boot.sh"), join(folder, "ready.sh")] } }];
  const resource = {
    terraform_data: {
      host: {
        for_each: `\${toset(${JSON.stringify(hosts.addresses.slice(0, count)).replaceAll('"', '\\"')})}`.replaceAll(
          '\\"',
          '"',
        ),
        connection,
        provisioner,
      },
    },
  };
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify({ resource }));
  await timed("terraform", ["init", "-input=false"], { cwd: folder });
  return timed("terraform", ["apply", "-auto-approve", "-input=false", `-parallelism=${AT_ONCE}`], { cwd: folder });
}
