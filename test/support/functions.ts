import { vi } from 'vitest'
import type { InvocationContext } from '../../src/apps/aws/stage.ts'
import type { CollectOutput } from '../../src/apps/aws/collect.lambda.ts'
import type { ExtractOutput } from '../../src/apps/aws/extract.lambda.ts'
import type { LoadOutput } from '../../src/apps/aws/load.lambda.ts'
import type { TransformOutput } from '../../src/apps/aws/transform.lambda.ts'
import type { S3Server } from './s3-server.ts'
import { type SecretsServer, startSecretsServer } from './secrets-server.ts'
import type { TestSystem } from './system.ts'

type HandlerOf<Output> = (event: unknown, context: InvocationContext) => Promise<Output>

/** The stages as Lambda functions over a test system in S3, each with a process's memory. */
export interface Functions extends AsyncDisposable {
  readonly extract: HandlerOf<ExtractOutput>
  readonly collect: HandlerOf<CollectOutput>
  readonly transform: HandlerOf<TransformOutput>
  readonly load: HandlerOf<LoadOutput>
  readonly secrets: SecretsServer
  readonly scratch: string
  /** Every line written so far that is JSON: entries of the log, and metrics (with `_aws`). */
  lines(): Record<string, unknown>[]
  /** Values of a metric so far, in order. */
  metric(name: string): number[]
}

/**
 * Cold functions whose environment names the system's lake and two secrets. Until they are disposed
 * of, this process has their environment, and their output is captured.
 */
export async function createFunctions(
  system: TestSystem & { readonly bucket: string },
  { server, endpoint = server.endpoint }: { server: S3Server; endpoint?: string },
): Promise<Functions> {
  const secrets = await startSecretsServer()
  secrets.secrets.set('tidemark/source', system.source.readerUrl)
  secrets.secrets.set('tidemark/warehouse', system.warehouse.url)
  const scratch = `${system.folder}/tmp`
  const env = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    TIDEMARK_INGESTION: `s3://${system.bucket}/ingestion`,
    TIDEMARK_PROCESSED: `s3://${system.bucket}/processed`,
    TIDEMARK_S3_ENDPOINT: endpoint,
    TIDEMARK_SCRATCH: scratch,
    TIDEMARK_DROP: `s3://${system.bucket}/drop`,
    TIDEMARK_LOCK_WAIT_SECONDS: '0',
    TIDEMARK_SOURCE_SECRET: 'tidemark/source',
    TIDEMARK_WAREHOUSE_SECRET: 'tidemark/warehouse',
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const printed: string[] = []
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed.push(String(chunk))
    return true
  })
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    printed.push(String(chunk))
    return true
  })
  vi.resetModules()
  const { handler: extract } = await import('../../src/apps/aws/extract.lambda.ts')
  const { handler: collect } = await import('../../src/apps/aws/collect.lambda.ts')
  const { handler: transform } = await import('../../src/apps/aws/transform.lambda.ts')
  const { handler: load } = await import('../../src/apps/aws/load.lambda.ts')
  const lines = () =>
    printed
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return {
    extract,
    collect,
    transform,
    load,
    secrets,
    scratch,
    lines,
    metric: (name) =>
      lines()
        .flatMap((line) => ('_aws' in line ? [line[name] as number] : []))
        .filter((value) => value !== undefined),
    async [Symbol.asyncDispose]() {
      stdout.mockRestore()
      stderr.mockRestore()
      vi.unstubAllEnvs()
      await secrets[Symbol.asyncDispose]()
    },
  }
}
