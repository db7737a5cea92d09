/** Images that were built from machines, as recorded. */
/** "building" until machines can be started from it, even if no launcher works on it any more. */
export type ImageState = "building" | "available" | "failed" | "deleted";

/** Describes an image to build. */
export interface ImageIntent {
  /** The names of the image and the cloud in the plan, and the cloud's driver. */
  readonly image: string;
  readonly cloud: string;
  readonly driver: string;
  /** Hashes of the cloud's location and of the image's definition. */
  readonly place: string;
  readonly definition: string;
  readonly planFile: string;
  /** The run that its machine will belong to. */
  readonly run: string;
  /** The id of this installation. */
  readonly installation: string;
}

export interface BuiltImage extends Omit<ImageIntent, "installation"> {
  readonly id: number;
  /** Counts from 1 for each image in a cloud. */
  readonly version: number;
  /** The image's name in the cloud. */
  readonly name: string;
  /** The driver's id, which a launch request uses. Null until the driver has reported it. */
  readonly driverId: string | null;
  readonly state: ImageState;
  /** Why it failed, or null. */
  readonly reason: string | null;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly availableAt: number | null;
  readonly deletedAt: number | null;
}

/** New facts about an image. Omitted fields stay as they are. */
export type ImageChange = Partial<Pick<BuiltImage, "run" | "driverId" | "state" | "reason">>;
