/** Runs a part of a question in a process of its own: fresh memory, fresh compiler, and a peak that is its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Runs the present file again with these words. There, `process.argv.slice(2)` has them, and `tell` answers.
 * @param file `import.meta.url` of the question.
 */
export function ask<T>(
  file: string,
  words: readonly (string | number)[],
  environment: NodeJS.ProcessEnv = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--expose-gc", fileURLToPath(file), ...words.map(String)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, ...environment },
    });
    let told: { readonly value: T } | null = null;
    child.on("message", (message) => {
      told = message as { value: T };
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0 && told !== null) resolve(told.value);
      else reject(new Error(`${words.join(" ")} ended with ${code ?? "a signal"}`));
    });
  });
}

export function tell(value: unknown): void {
  process.send?.({ value }, () => {
    process.disconnect?.();
  });
}
