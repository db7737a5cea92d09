/** What the library may read of the environment: all of it, since whoever calls a command has set it. */
export const ENVIRONMENT = { env: process.env };
