/** What runs keep as files, on the launcher's own disk, below the directory of its state. */
import { join } from "node:path";

import type { LauncherFolders, RunFiles } from "../contract/files.js";
import { bundleFolder } from "./bundleFolder.js";
import type { Home } from "./home.js";
import { logFolders } from "./logFolder.js";
import { reportFolders } from "./reportFolder.js";

/** Touches nothing: folders are made, for nobody else, when there is something to put there. */
export function localFiles(home: Home): RunFiles {
  return {
    bundles: bundleFolder(join(home.directory, "bundles"), home.directory),
    logs: logFolders((uid) => join(home.runDirectory(uid), "logs"), home.directory),
    reports: reportFolders((uid) => join(home.runDirectory(uid), "reports"), home.directory),
  };
}

/** The launcher's own folders, for what needs a path. */
export function launcherFolders(home: Home): LauncherFolders {
  return {
    installation: home.directory,
    driver: (driver) => home.driverDirectory(driver),
    launcher: (uid) => join(home.runDirectory(uid), "launcher"),
  };
}
