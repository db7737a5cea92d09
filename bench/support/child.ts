/** Runs a part of a benchmark in its own process, with its own memory, JIT and peak memory use. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Runs the current file again with these arguments. The child reads them from `process.argv.slice(2)` and replies with
 * `tell`.
 * @param file `import.meta.url` of the benchmark.
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
