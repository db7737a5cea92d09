/**
 * Waits for all, also when one of them throws: whatever else was begun is written down before the error goes on.
 * @throws the first error, in order, once everything has settled.
 */
export async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
