/** Builds of images that earlier commands have begun. */
import type { ImageIntent } from "../../state/contract/images.js";
import type { Store } from "../../state/contract/store.js";

/**
 * Writes off builds of the same image that nobody will go on with: it has changed since, and their runs are gone.
 * @param tell told, in a sentence, of one whose machine is there still.
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
        `version ${version} of image "${image}" was begun before it changed, and its machine is there still: bootlevel terminate ${run}`,
      );
    else await store.changeImage(id, { state: "failed", reason: "given up: the image has changed since" });
  }
}

/** A name that no run has had: on record before the run is, so that it can be found again. */
export async function freeRunName(store: Store, plan: string): Promise<string> {
  const taken = new Set(await store.runNames());
  for (;;) {
    const ending = Math.floor(store.random() * 36 ** 4)
      .toString(36)
      .padStart(4, "0");
    if (!taken.has(`${plan}-${ending}`)) return `${plan}-${ending}`;
  }
}
