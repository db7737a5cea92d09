/**
 * Waits for all, even if one throws: the results of the others are recorded before the error is passed on.
 * @throws the first error, in order, once all have settled.
 */
export async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
