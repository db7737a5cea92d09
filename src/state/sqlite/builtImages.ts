/**
 * Images that were built from machines. A build is recorded before its machine is started, so that a later request
 * continues it.
 */
import type { BuiltImage, ImageChange, ImageIntent, ImageState } from "../contract/images.js";
import type { Db } from "./database.js";

interface Row {
  id: number;
  image: string;
  cloud: string;
  driver: string;
  place: string;
  definition: string;
  version: number;
  name: string;
  plan_file: string;
  run: string;
  driver_id: string | null;
  state: ImageState;
  reason: string | null;
  requested_at: number;
  available_at: number | null;
  deleted_at: number | null;
}

/** Every image whose build was ever begun, oldest first. */
export function readBuiltImages(db: Db): BuiltImage[] {
  return db.prepare<[], Row>("SELECT * FROM built_images ORDER BY id").all().map(toImage);
}

/** The same image if its build is still in progress; otherwise a new version, whose build begins now. */
export function beginImage(db: Db, wish: ImageIntent, now: number): BuiltImage {
  const { image, cloud, driver, place, definition, planFile, run } = wish;
  return db
    .transaction(() => {
      const known = db
        .prepare<string[], Row>(
          "SELECT * FROM built_images WHERE image = ? AND cloud = ? AND place = ? AND definition = ? AND state = 'building' ORDER BY id DESC LIMIT 1",
        )
        .get(image, cloud, place, definition);
      if (known !== undefined) return toImage(known);
      const version =
        1 +
        Number(
          db
            .prepare("SELECT coalesce(max(version), 0) FROM built_images WHERE image = ? AND cloud = ?")
            .pluck()
            .get(image, cloud),
        );
      const name = `bootlevel-${wish.installation.slice(0, 8)}-${image}-${definition.slice(0, 12)}-${version}`;
      const id = Number(
        db
          .prepare(
            "INSERT INTO built_images (image, cloud, driver, place, definition, version, name, plan_file, run, state, requested_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'building', ?)",
          )
          .run(image, cloud, driver, place, definition, version, name, planFile, run, now).lastInsertRowid,
      );
      return toImage(db.prepare<[number], Row>("SELECT * FROM built_images WHERE id = ?").get(id) as Row);
    })
    .immediate();
}

/** Records new facts about an image. */
export function changeImage(db: Db, id: number, { run, driverId, state, reason }: ImageChange, now: number): void {
  db.prepare(
    `UPDATE built_images SET run = coalesce(?, run), driver_id = coalesce(?, driver_id), state = coalesce(?, state), reason = coalesce(?, reason),
       available_at = CASE WHEN ? = 'available' THEN ? ELSE available_at END, deleted_at = CASE WHEN ? = 'deleted' THEN ? ELSE deleted_at END WHERE id = ?`,
  ).run(run ?? null, driverId ?? null, state ?? null, reason ?? null, state ?? null, now, state ?? null, now, id);
}

function toImage(row: Row): BuiltImage {
  const {
    plan_file: planFile,
    driver_id: driverId,
    requested_at: requestedAt,
    available_at: availableAt,
    deleted_at: deletedAt,
    ...same
  } = row;
  return { ...same, planFile, driverId, requestedAt, availableAt, deletedAt };
}
