import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Starts an S3 server; see its first lines. */
export const script = fileURLToPath(new URL('../../scripts/s3-server.sh', import.meta.url))

/** What keeps the S3 tests from running here, in one line; `undefined` when nothing does. */
export function findS3Obstacle(): string | undefined {
  const { status, stderr } = spawnSync(script, ['--check'], { encoding: 'utf8' })
  return status === 0 ? undefined : (stderr ?? '').trim() || 'scripts/s3-server.sh cannot run here'
}
