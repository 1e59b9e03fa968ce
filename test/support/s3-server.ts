import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { findS3Obstacle, script } from './find-s3-obstacle.ts'

/** Whether the S3 tests are skipped: no S3 server is here, and none is required. */
export const isS3Missing =
  process.env['TIDEMARK_REQUIRE_S3'] !== '1' && findS3Obstacle() !== undefined

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string
  /** Region and credentials as the environment of a process names them. */
  readonly env: Readonly<Record<string, string>>
  /** An empty bucket. */
  createBucket(): Promise<string>
  /** Puts an object there as another program would, without our metadata. */
  putObject(bucket: string, key: string, body: string): Promise<void>
}

/**
 * A real S3 server for this caller alone. Until it is disposed of, this process's environment holds
 * its region and credentials and no others, so that clients find them in the usual way.
 */
export async function startS3Server(): Promise<S3Server> {
  const child = spawn(script, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => String(text)),
    exited.then(([code]) => Promise.reject(new Error(`scripts/s3-server.sh ended with ${code}`))),
  ])
  const { endpoint, region, accessKeyId, secretAccessKey } = JSON.parse(line) as Record<
    'endpoint' | 'region' | 'accessKeyId' | 'secretAccessKey',
    string
  >
  const env = {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  }
  const before = Object.fromEntries(
    [...Object.keys(env), 'AWS_PROFILE', 'AWS_SESSION_TOKEN'].map((name) => [
      name,
      process.env[name],
    ]),
  )
  setEnvironment({ ...before, AWS_PROFILE: undefined, AWS_SESSION_TOKEN: undefined, ...env })
  const client = new S3Client({ endpoint, forcePathStyle: true })
  return {
    endpoint,
    env,
    async createBucket() {
      const bucket = `tidemark-${randomBytes(6).toString('hex')}`
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
      return bucket
    },
    async putObject(bucket, key, body) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))
    },
    async [Symbol.asyncDispose]() {
      setEnvironment(before)
      client.destroy()
      child.stdin.end()
      await exited
    },
  }
}

function setEnvironment(values: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) Reflect.deleteProperty(process.env, name)
    else process.env[name] = value
  }
}
