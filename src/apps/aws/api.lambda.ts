/*
 * The function behind the HTTP API. It needs this around it:
 *
 * - Payload format 2.0, stage `$default`, a JWT authorizer on every route (`ANY /{proxy+}` and
 *   `ANY /`). Without the authorizer's claims it answers 401 to everything.
 * - `TIDEMARK_WAREHOUSE_READER_SECRET`, `TIDEMARK_INGESTION`, `TIDEMARK_PROCESSED`,
 *   `TIDEMARK_SCRATCH`, and `TIDEMARK_OIDC_GROUPS_CLAIM` (`cognito:groups` for Cognito). With
 *   `TIDEMARK_OIDC_ISSUER` and `TIDEMARK_OIDC_AUDIENCE` (the client id) it checks the claims against
 *   them once more. Not `TIDEMARK_OIDC_JWKS`: it fetches no keys.
 * - `TIDEMARK_SAVER_SECRET` if questions can be saved.
 * - The right to read those secrets and both buckets (`s3:GetObject`, `s3:ListBucket`), and no other.
 * - CloudFront in front of it, without caching. It passes on every header but `Host` (managed origin
 *   request policy AllViewerExceptHostHeader), so also `Accept-Encoding`: answers are compressed
 *   here, and only 4.6 MB fit through. It replaces no error response: the statuses are the API's.
 */
import { randomUUID } from 'node:crypto'
import type { APIGatewayProxyResult, LambdaContext } from 'hono/aws-lambda'
import { type Api, type ApiEvent, createApi } from './api.ts'
import { openFunctionEnvironment, secretOf, urlFrom } from './environment.ts'
import { SECRET_SETTINGS } from './functions.ts'
import { createLog, publicError } from './logging.ts'

let opened: Promise<Api> | undefined

/** Answers one request. The first one makes the app, which is kept while the process is warm. */
export async function handler(
  event: ApiEvent,
  context: Pick<LambdaContext, 'getRemainingTimeInMillis'>,
): Promise<APIGatewayProxyResult> {
  opened ??= open()
  try {
    return await (await opened).handle(event, context)
  } catch (error) {
    opened = undefined
    throw publicError(error)
  }
}

async function open(): Promise<Api> {
  const log = createLog('api')
  const readUrl = urlFrom(secretOf('reader'))
  const saver = process.env[SECRET_SETTINGS.saver] ?? ''
  // The scratch folder stays as long as the app. A process ends without a notice.
  const { config, deps, extension, reader } = await openFunctionEnvironment({
    needs: [],
    runId: randomUUID(),
    log,
  })
  return createApi({
    config,
    deps,
    extension: await extension.server?.(),
    warehouse: reader,
    readUrl,
    readSaverUrl: saver === '' ? undefined : urlFrom(saver),
    log,
  })
}
