/** Unfinished image builds of earlier commands. */
import type { ImageIntent } from "../../state/contract/images.js";
import type { Store } from "../../state/contract/store.js";

/**
 * Marks abandoned builds of the same image as failed: the image has changed since, and their runs are gone.
 * @param tell receives a warning for each build whose run still exists
 */
export async function settleAbandoned(
  store: Store,
  { image, cloud, place, definition }: ImageIntent,
  tell: (message: string) => void,
): Promise<void> {
  const others = (await store.builtImages()).filter(
    (one) =>
      one.state === "building" &&
      one.image === image &&
      one.cloud === cloud &&
      (one.place !== place || one.definition !== definition),
  );
  if (others.length === 0) return;
  const live = new Set((await store.listRuns({ all: false })).map(({ name }) => name));
  for (const { id, version, run } of others) {
    if (live.has(run))
      tell(
        `version ${version} of image "${image}" was started before the image changed, and its machine still exists: ` +
          `bootlevel terminate ${run}`,
      );
    else await store.changeImage(id, { state: "failed", reason: "abandoned: the image has changed since" });
  }
}

/**
 * Returns an unused run name. It is recorded with the build before the run exists, so that the run can be found again.
 */
export async function freeRunName(store: Store, plan: string): Promise<string> {
  const taken = new Set(await store.runNames());
  for (;;) {
    const ending = Math.floor(store.random() * 36 ** 4)
      .toString(36)
      .padStart(4, "0");
    if (!taken.has(`${plan}-${ending}`)) return `${plan}-${ending}`;
  }
}
