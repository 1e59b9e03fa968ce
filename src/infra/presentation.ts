import { type App, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import { HttpApi, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { createAlarms, functionAlerts } from './alarms.ts'
import type { AlertsTopic } from './alerts-topic.ts'
import type { Deployed } from './deployed.ts'
import { createFunction, type MadeFunction } from './function.ts'
import { createIssuer, type SiteClient } from './login.ts'
import type { Network } from './network.ts'
import { output } from './output.ts'
import { createReporting } from './reporting.ts'
import type { Parameters } from './parameters.ts'
import { createSite } from './site.ts'
import type { Storage } from './storage.ts'

/** What the pages are built on. */
export interface PresentationProps extends StackProps, Pick<Deployed, 'project'> {
  readonly parameters: Parameters
  readonly storage: Storage
  readonly network: Network | undefined
  readonly alerts: AlertsTopic
  /** Folder with the package of the functions. */
  readonly codeDir: string
  /** Folder with the files that need no login. */
  readonly siteDir: string
  /** File with the CloudFront Function that turns a cookie into a token. */
  readonly viewerRequestFile: string
}

/** Requests a second from all callers together, and how many at once. */
const RATE = { rateLimit: 50, burstLimit: 100 }

/**
 * Creates what people see: a site whose pages come from a function, behind an API that lets nobody in
 * without a token, and a login that hands out tokens.
 */
export function createPresentation(app: App, props: PresentationProps): Stack {
  const { parameters, storage, network, alerts, codeDir, siteDir, viewerRequestFile } = props
  const stack = new Stack(app, 'Presentation', {
    ...(props.env === undefined ? {} : { env: props.env }),
    stackName: `${parameters.name}-presentation`,
    description: 'Tidemark: pages, API and login.',
  })
  stack.addStackDependency(storage.stack)
  const api = new HttpApi(stack, 'Gateway', {
    apiName: `${parameters.name}-api`,
    description: 'Tidemark: pages and API. Every route needs a token.',
    createDefaultStage: false,
  })
  const issuer = createIssuer(stack, props)
  const { tokenEndpoint, groupsClaim } = issuer
  const site = createSite(stack, { parameters, api, tokenEndpoint, viewerRequestFile })
  const client = issuer.register(site.url)
  const code = Code.fromAsset(codeDir)
  const shown = createFunction(stack, {
    name: 'api',
    code,
    parameters,
    network,
    secrets: ['reader', 'saver'],
    // Pages show the batch and the object that a number comes from.
    zones: { ingestion: { read: '*' }, processed: { read: '*' } },
    environment: {
      TIDEMARK_OIDC_ISSUER: client.config.issuer,
      TIDEMARK_OIDC_AUDIENCE: client.audience,
      TIDEMARK_OIDC_GROUPS_CLAIM: groupsClaim,
    },
  })
  const stage = letIn(stack, { parameters, api, client, shown })
  site.publish({ siteDir, config: client.config })
  const reporting = createReporting(stack, { parameters, code, network, pagesUrl: site.url })

  createAlarms(stack, {
    parameters,
    topic: alerts.topic,
    alerts: [
      ...functionAlerts(shown),
      ...reporting,
      {
        name: 'api-faults',
        entry: 'api-faults',
        says: 'The API answered a request with a server error (5xx).',
        metric: stage.metricServerError({ statistic: Stats.SUM, period: Duration.minutes(5) }),
        threshold: 1,
      },
    ],
  })
  output(stack, { SiteUrl: site.url, ApiUrl: api.apiEndpoint })
  return stack
}

/** One route for everything, behind a check of the token. The function decides what a group may see. */
function letIn(
  stack: Stack,
  {
    parameters,
    api,
    client,
    shown,
  }: { parameters: Parameters; api: HttpApi; client: SiteClient; shown: MadeFunction },
): HttpStage {
  const authorizer = new HttpJwtAuthorizer('Token', client.config.issuer, {
    jwtAudience: [client.audience],
    identitySource: ['$request.header.Authorization'],
  })
  api.addRoutes({
    path: '/{proxy+}',
    integration: new HttpLambdaIntegration('Function', shown.lambda),
    authorizer,
  })
  api.addRoutes({
    path: '/',
    integration: new HttpLambdaIntegration('RootFunction', shown.lambda),
    authorizer,
  })
  return new HttpStage(stack, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: RATE,
    accessLogSettings: {
      destination: new LogGroupLogDestination(
        new LogGroup(stack, 'GatewayLog', {
          logGroupName: `/aws/vendedlogs/apis/${parameters.name}-api`,
          retention: parameters.logDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      ),
      // Neither path nor query: both may contain what somebody searched for.
      format: AccessLogFormat.custom(
        JSON.stringify({
          requestId: '$context.requestId',
          requestTime: '$context.requestTime',
          httpMethod: '$context.httpMethod',
          status: '$context.status',
          authorizerError: '$context.authorizer.error',
          subject: '$context.authorizer.claims.sub',
          responseLength: '$context.responseLength',
          latencyMs: '$context.responseLatency',
        }),
      ),
    },
  })
}
