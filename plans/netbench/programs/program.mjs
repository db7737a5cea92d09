/**
 * Runs a program of the benchmark. If it fails, it prints the reason in one line, because the launcher shows the last
 * lines of a failed program.
 */
export async function program(main) {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.message}\n`, () => process.exit(1));
  }
}
