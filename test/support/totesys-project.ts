import { fileURLToPath } from 'node:url'

/** Its folder, for `TIDEMARK_PROJECT`. Without it, a source that is set would be mirrored. */
export const TOTESYS_PROJECT = fileURLToPath(new URL('../../src/totesys', import.meta.url))
