/** Folders on this computer's own disk, for what needs a path. */
import { mkdirSync } from "node:fs";

import { isBootlevelError } from "../../errors/bootlevelError.js";
import { removeMachineDirectory } from "../../machines/local/machineDirectory.js";
import { cannotWrite } from "../../state/contract/fileErrors.js";
import type { Store } from "../../state/contract/store.js";

/** Makes a private folder, if it is not there. @throws FileError */
export function makeFolder({ folders }: Pick<Store, "folders">, folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw cannotWrite(folder, folders.installation, error);
  }
}

/** Removes a folder of step directories and what they keep in memory. @throws FileError */
export async function removeStepFolder({ folders }: Pick<Store, "folders">, folder: string): Promise<void> {
  try {
    await removeMachineDirectory(folder, folder);
  } catch (error) {
    throw isBootlevelError(error) ? error : cannotWrite(folder, folders.installation, error);
  }
}
