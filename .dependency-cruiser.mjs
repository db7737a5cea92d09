/**
 * The architecture as rules: no circles, and which folder may import which. docs/architecture.md explains them. They see
 * `import()` and types too.
 */
const layer = (folder, forbidden) => ({
  name: `${folder}-is-below`,
  comment: `src/${folder}/ must not know these folders: see "Layers" in docs/architecture.md`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: `^src/(${forbidden.join("|")})/` },
});

/** Folders that only know themselves and the ground: data, text, time, files. */
const GROUND = ["errors", "model", "text", "time", "files", "secrets"];
const ABOVE_GROUND = ["plan", "drivers", "machines", "state", "display", "engine", "library", "commands"];

export default {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-circles-of-folders",
      severity: "error",
      scope: "folder",
      from: { path: "^src/.+" },
      to: { path: "^src/.+", circular: true },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    ...GROUND.map((folder) => layer(folder, ABOVE_GROUND)),
    layer("drivers", ["engine", "state", "display", "library", "commands"]),
    layer("machines", ["engine", "state", "plan", "drivers", "display", "library", "commands"]),
    layer("plan", ["engine", "state", "machines", "display", "library", "commands"]),
    layer("state", ["engine", "machines", "drivers", "display", "library", "commands"]),
    layer("engine", ["display", "library", "commands"]),
    {
      name: "files-behind-their-interface",
      comment: "Bundles, logs and reports are reached by src/state/contract/files.ts: they need not lie on this disk",
      severity: "error",
      from: { path: "^src/engine/" },
      to: { path: "^src/state/files/" },
    },
    layer("display", ["engine", "state", "machines", "drivers", "plan", "library", "commands"]),
    layer("library", ["display", "commands"]),
    {
      name: "state-by-its-contract",
      comment: "Another database must be able to stand behind the record: only src/state/ knows which one does",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(state/(sqlite/|openStore[.]ts$)|drivers/sim/|files/)" },
      to: { path: ["^src/state/sqlite/", "(^|/)better-sqlite3(/|$)"] },
    },
    {
      name: "commands-use-the-library",
      comment: "The command line uses the public face only, so that the library can do all that it can",
      severity: "error",
      from: { path: "^src/commands/" },
      to: { path: "^src/(engine|state|drivers|machines|plan)/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
