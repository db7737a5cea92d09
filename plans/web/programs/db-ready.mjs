import { createClient } from "./db-client.mjs";

const { DB, DB_TOKEN } = process.env;
const client = createClient({ address: DB, token: DB_TOKEN });
const written = { at: Date.now() };

try {
  await client.set("ready", written);
  const read = await client.get("ready");
  if (read?.at !== written.at) throw new Error(`wrote ${JSON.stringify(written)}, read ${JSON.stringify(read)}`);
  console.log(`wrote a value to ${DB} and read it back`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
client.close();
