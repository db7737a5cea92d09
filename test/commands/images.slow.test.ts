/** Images at boot: what makes them runs once a machine, in order, and built ones take its place. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { installation, type Document, type Installation } from "../support/installation.js";
import { localMachines, loseMachine, shownServices, tell, told } from "../support/liveRun.js";
import { startSshHost } from "../support/sshHost.js";

/** Two images, each of which tells when it is made; what they make lies in the machine's home. */
const IMAGES = (own: Installation, more = ""): string => `images:
  base: { packages: [bash], recipe: { command: "${tell(own, "base")}; echo base >> made" } }
  apache: { from: base, recipe: { program: recipe.sh, env: { FACTS: '${own.facts}' } }${more} }
`;
const RECIPE = (word: string) => `#!/bin/sh\necho ${word} >> "$FACTS/ran"\necho ${word} >> "$HOME/made"\n`;
/**
 * The image's first recipe writes into its working directory, which goes: only what lies in the home is a part of the
 * machine.
 */
const SERVICE = (own: Installation) =>
  `levels: [ { services: { web: { image: apache, boot: { command: 'cat "$HOME/made" >> "${own.facts}/ran"; echo boot >> "${own.facts}/ran"' } } } } ]\n`;

const shop = (own: Installation, word = "apache", more = "") =>
  own.plan(`plan: shop\n${IMAGES(own, more)}${SERVICE(own)}`, { "recipe.sh": RECIPE(word) });

async function ready(own: Installation, words: readonly string[]): Promise<Document> {
  const { code, document, stderr } = await own.json(words);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stderr}`);
  return document;
}

test("what makes an image runs on a new machine only: parent first, before the boot program, and not again when that is", async () => {
  const own = installation();
  const folder = shop(own);
  await ready(own, ["boot", folder, "--name", "shop"]);
  expect(told(own)).toEqual(["base", "apache", "apache", "boot"]);
  await ready(own, ["rerun", "shop", "web"]);
  expect(told(own)).toEqual(["apache", "boot"]);
  await ready(own, ["repair", "shop", "--replace", "web"]);
  expect(told(own)).toEqual(["base", "apache", "apache", "boot"]);
  const { stdout } = await own.call(["logs", "shop", "web"]);
  expect(stdout).toMatch(/web setup .*setup attempt 1.*\n.*all packages are there: bash/);
});

test("packages that are missing on this computer are named, and nothing is installed; once the plan asks for none of them, the run comes up", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: lacks\nimages: { tools: { packages: [bash, bl-no-such-package] } }\nlevels: [ { services: { web: { image: tools } } } ]\n",
  );
  const { code, document } = await own.json(["boot", folder, "--name", "lacks"]);
  expect({ code, failures: document.failures }).toMatchObject({
    code: 1,
    failures: [
      {
        service: "web",
        step: "setup",
        exitCode: 71,
        message: expect.stringMatching(
          /the packages of image "tools" \(bash, bl-no-such-package\) failed: not installed on this computer: bl-no-such-package \(.*install them yourself, with apt-get\)/,
        ),
        log: expect.stringMatching(/web\.setup\.log$/),
      },
    ],
  });
  own.plan(
    "plan: lacks\nimages: { tools: { packages: [bash] } }\nlevels: [ { services: { web: { image: tools } } } ]\n",
  );
  expect(await ready(own, ["reload", "lacks", folder, "--yes"])).toMatchObject({ state: "ready" });
});

test("a recipe that fails is told with its image, and a repair goes on with it on the same machine", async () => {
  const own = installation();
  const folder = shop(own);
  writeFileSync(
    join(folder, "recipe.sh"),
    `#!/bin/sh\ntest -e "$FACTS/mended" && exit 0\necho no space left\nexit 9\n`,
  );
  const { code, document } = await own.json(["boot", folder, "--name", "shop"]);
  expect({ code, failures: document.failures }).toMatchObject({
    code: 1,
    failures: [
      {
        step: "setup",
        exitCode: 9,
        message: 'the recipe of image "apache" failed: exit code 9',
        lastLines: ["no space left"],
      },
    ],
  });
  const machines = localMachines(own);
  writeFileSync(join(own.facts, "mended"), "");
  await ready(own, ["repair", "shop"]);
  expect(localMachines(own)).toEqual(machines);
  expect(told(own)).toEqual(["base", "boot"]);
});

test("a changed recipe runs at the next reload on the machine that there is, with all that follows it, and what came before it stays", async () => {
  const own = installation();
  const folder = shop(own);
  await ready(own, ["boot", folder, "--name", "shop"]);
  told(own);
  writeFileSync(join(folder, "recipe.sh"), RECIPE("second"));
  const { changes } = await ready(own, ["reload", "shop", folder, "--yes"]);
  expect(changes).toMatchObject([{ name: "web", action: "boot", differences: ["recipe of image apache: changed"] }]);
  expect(told(own)).toEqual(["second", "apache", "second", "boot"]);
});

test("a built image is what later machines start from, each run keeps its version, and one in use is not removed", async () => {
  const own = installation();
  const folder = shop(own);
  const build = async () =>
    (await ready(own, ["image", "build", "apache", "--cloud", "local", "--plan", folder])).image;
  const first = await build();
  expect(first).toMatchObject({
    image: "apache",
    cloud: "local",
    version: 1,
    state: "available",
    reason: "",
    runState: "terminated",
    run: expect.stringMatching(/^image-apache-/),
  });
  expect(told(own)).toEqual(["base", "apache"]);
  await ready(own, ["boot", folder, "--name", "one"]);
  expect(told(own)).toEqual(["apache", "boot"]);
  expect((await build()).version).toBe(2);
  await ready(own, ["boot", folder, "--name", "two"]);
  const shown = async (run: string) => (await shownServices(own, run))["web"]?.image;
  expect([await shown("one"), await shown("two")]).toMatchObject([
    { name: "apache", built: { image: "apache", version: 1, id: first.id } },
    { built: { version: 2 } },
  ]);
  told(own);
  await own.call(["terminate", "two", "--yes"]);
  loseMachine(own, "web");
  await ready(own, ["repair", "one"]);
  expect(told(own)).toEqual(["apache", "boot"]);
  expect(await shown("one")).toMatchObject({ built: { version: 1 } });
  expect(await ready(own, ["reload", "one", folder, "--yes"])).toMatchObject({ applied: false });
  expect((await own.call(["image", "remove", "apache", "--cloud", "local", "--yes"])).stderr).toContain(
    "is used by one",
  );
  expect(
    (await ready(own, ["image", "remove", "apache", "--cloud", "local", "--version", "2", "--yes"])).removed,
  ).toMatchObject([{ version: 2 }]);
  expect((await ready(own, ["image", "list"])).images).toMatchObject([{ version: 1, usedBy: ["one"] }]);
  await own.call(["terminate", "one", "--yes"]);
  await ready(own, ["image", "remove", "apache", "--cloud", "local", "--yes"]);
  expect((await ready(own, ["image", "list"])).images).toEqual([]);
}, 60_000);

test("an image that has changed since it was built is not used, which is told; what it is made from is, and only the rest runs", async () => {
  const own = installation();
  const folder = shop(own);
  await ready(own, ["image", "build", "base", "--cloud", "local", "--plan", folder]);
  await ready(own, ["image", "build", "apache", "--cloud", "local", "--plan", folder]);
  expect(told(own)).toEqual(["base", "apache"]);
  await ready(own, ["boot", folder, "--name", "one"]);
  expect(told(own)).toEqual(["apache", "boot"]);
  writeFileSync(join(folder, "recipe.sh"), RECIPE("changed"));
  const { stderr } = await own.json(["boot", folder, "--name", "two"]);
  expect(stderr).toContain(
    'image "apache" has changed since version 1 was built in cloud "local", so version 1 is not used. Build it again: bootlevel image build apache --cloud local',
  );
  expect(told(own)).toEqual(["changed", "changed", "boot"]);
  expect((await shownServices(own, "two"))["web"]?.image).toMatchObject({
    name: "apache",
    built: { image: "base", version: 1 },
  });
  // What the run stands on is another one then: its machine is replaced.
  const { changes } = await ready(own, ["reload", "one", folder, "--yes"]);
  expect(changes).toMatchObject([{ name: "web", action: "replace" }]);
  expect(told(own)).toEqual(["changed", "changed", "boot"]);
}, 60_000);

test("a build that fails ends its machine and is no image; the next one is another version", async () => {
  const own = installation();
  const folder = shop(own);
  writeFileSync(join(folder, "recipe.sh"), "#!/bin/sh\nexit 4\n");
  const words = ["image", "build", "apache", "--cloud", "local", "--plan", folder];
  const failed = await own.json(words);
  expect({ code: failed.code, image: failed.document.image }).toMatchObject({
    code: 1,
    image: {
      state: "failed",
      id: null,
      runState: "terminated",
      reason: 'the recipe of image "apache" failed: exit code 4',
    },
  });
  expect(localMachines(own)).toEqual([]);
  writeFileSync(join(folder, "recipe.sh"), RECIPE("apache"));
  expect((await ready(own, [...words, "--keep-machine", "--name", "kept"])).image).toMatchObject({
    version: 2,
    state: "available",
    run: "kept",
    runState: "ready",
  });
  expect(localMachines(own)).toEqual(["apache.1"]);
  expect((await ready(own, ["image", "list"])).images).toMatchObject([
    { version: 1, state: "failed" },
    { version: 2, state: "available", run: "kept" },
  ]);
});

test("a cloud of hosts makes no images, and says so before anything is started; a simulated one does", async () => {
  const own = installation();
  const folder = own.plan(`plan: clouds
clouds: { rack: { driver: existing, hosts: [127.0.0.9] }, sim: { driver: sim } }
images: { tools: { packages: [curl] } }
levels: [ { services: { web: { cloud: sim, image: tools } } } ]
`);
  const refused = await own.call(["image", "build", "tools", "--cloud", "rack", "--plan", folder]);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('cloud "rack" (driver "existing") cannot make images'),
  });
  expect((await ready(own, ["list", "--all"])).runs).toEqual([]);
  const { image } = await ready(own, ["image", "build", "tools", "--cloud", "sim", "--plan", folder]);
  await ready(own, ["boot", folder, "--name", "simulated"]);
  expect((await shownServices(own, "simulated"))["web"]?.image).toMatchObject({ built: { version: 1, id: image.id } });
});

test("on a host reached over SSH, packages are looked for by its own package manager, as root", async () => {
  const host = await startSshHost();
  try {
    const own = installation();
    const folder = own.plan(`plan: rack
clouds: { rack: { driver: existing, hosts: [{ host: ${host.address}, port: ${host.port} }], defaults: { ssh: { user: ${host.user}, identity: "${host.identity}", agent: false, known_hosts: "${host.knownHosts}" } } } }
images: { tools: { packages: [dpkg, "bash"], recipe: { command: "${tell(own, "recipe")}" } } }
levels:
  - services: { db: { cloud: rack, image: tools } }
  - services: { guest: { host: "\${db.host}", image: tools } }
`);
    await ready(own, ["boot", folder, "--name", "rack"]);
    expect(told(own)).toEqual(["recipe", "recipe"]);
    expect((await own.call(["logs", "rack", "db"])).stdout).toContain("all packages are there: dpkg bash");
    // While the host answers: what was staged on it goes with the run.
    expect(await own.call(["terminate", "rack", "--yes"])).toMatchObject({ code: 0 });
  } finally {
    await host.stop();
  }
});

test("calls that cannot be meant are refused", async () => {
  const own = installation();
  const said = async (...words: string[]) => {
    const { code, stderr } = await own.call(["image", ...words]);
    return `${code}: ${stderr.split("\n")[0] ?? ""}`;
  };
  expect(await said("build")).toContain("2: bootlevel: no image given:");
  expect(await said("build", "apache")).toContain("2: bootlevel: name one cloud with --cloud:");
  expect(await said("list", "--plan", "x", "--yes")).toContain("2: bootlevel: image list does not take --plan, --yes");
  expect(await said("remove", "apache", "--cloud", "local", "--yes")).toContain(
    '2: bootlevel: there is no built image "apache" in cloud "local"',
  );
});
