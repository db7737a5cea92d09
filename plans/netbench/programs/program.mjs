/**
 * Runs a program of the benchmark. One that cannot go on says why in one line: the launcher shows the last lines of a
 * program that failed.
 */
export async function program(main) {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.message}\n`, () => process.exit(1));
  }
}
