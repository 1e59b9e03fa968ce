import { readFileSync } from 'node:fs'
import { Aws, Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import {
  AllowedMethods,
  type BehaviorOptions,
  CachePolicy,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  OriginSslPolicy,
  ResponseHeadersPolicy,
  type ResponseHeadersPolicyProps,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { HttpOrigin, S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { type IBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { BucketDeployment, CacheControl, type ISource, Source } from 'aws-cdk-lib/aws-s3-deployment'
import { type LoginConfig, SITE_CACHING, siteHeaders } from '../apps/aws/login-config.ts'
import { acknowledge, wildcardResource } from './acknowledge.ts'
import type { Parameters } from './parameters.ts'
import { createBucket } from './storage.ts'

/** The public address of the pages, and how files get there. */
export interface Site {
  readonly url: string
  /** Puts the files that need no login into place, with the issuer of tokens in their settings. */
  publish(options: { siteDir: string; config: LoginConfig }): void
}

interface SiteProps {
  readonly parameters: Parameters
  readonly api: HttpApi
  /** The only address the login page may connect to. */
  readonly tokenEndpoint: string
  readonly viewerRequestFile: string
}

/** CloudFront in front of the API and of a private bucket with the files that need no login. */
export function createSite(stack: Stack, props: SiteProps): Site {
  const { domainName, logDays } = props.parameters
  const files = createBuckets(stack, props.parameters)
  const distribution = createDistribution(stack, props, files)
  return {
    url: `https://${domainName ?? distribution.distributionDomainName}`,
    publish({ siteDir, config }) {
      const sources = [Source.asset(siteDir), Source.jsonData('login/config.json', config)]
      publishFiles(stack, { files, sources, logDays })
    },
  }
}

/** The bucket with the files, and one for its access log. */
function createBuckets(stack: Stack, { accessLogDays }: Parameters): IBucket {
  const logs = createBucket(stack, 'SiteLogs', {
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    lifecycleRules: [{ expiration: Duration.days(accessLogDays) }],
    removalPolicy: RemovalPolicy.RETAIN,
  })
  acknowledge(logs, {
    'AwsSolutions-S1': 'Access logs go to this bucket; a log of it would log itself.',
  })
  const files = createBucket(stack, 'SiteFiles', {
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    serverAccessLogsBucket: logs,
    serverAccessLogsPrefix: 'files/',
    // Every deployment makes these files again, so they go with the stack.
    removalPolicy: RemovalPolicy.DESTROY,
  })
  return files
}

function createDistribution(stack: Stack, props: SiteProps, files: IBucket): Distribution {
  const { name, domainName, certificateArn } = props.parameters
  const { ofFiles, ofPages } = createHeaders(stack, props)
  const functionAssociations = [
    {
      function: createViewerRequest(stack, props),
      eventType: FunctionEventType.VIEWER_REQUEST,
    },
  ]
  const fromFiles = {
    origin: S3BucketOrigin.withOriginAccessControl(files),
    viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
    cachePolicy: CachePolicy.CACHING_OPTIMIZED,
    responseHeadersPolicy: ofFiles,
    compress: true,
    functionAssociations,
  }
  const distribution = new Distribution(stack, 'Site', {
    comment: `Tidemark: ${name}`,
    httpVersion: HttpVersion.HTTP2_AND_3,
    ...(domainName === undefined || certificateArn === undefined
      ? {}
      : {
          domainNames: [domainName],
          minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
          certificate: Certificate.fromCertificateArn(stack, 'Certificate', certificateArn),
        }),
    defaultBehavior: {
      ...fromApi(props.api),
      responseHeadersPolicy: ofPages,
      functionAssociations,
    },
    additionalBehaviors: { '/login*': fromFiles, '/assets/*': fromFiles },
  })
  acknowledgeDistribution(distribution, props.parameters)
  return distribution
}

function createHeaders(
  stack: Stack,
  { parameters: { name }, tokenEndpoint }: SiteProps,
): { ofFiles: ResponseHeadersPolicy; ofPages: ResponseHeadersPolicy } {
  const headers = siteHeaders({ tokenEndpoint })
  const ofFiles = new ResponseHeadersPolicy(stack, 'FileHeaders', {
    responseHeadersPolicyName: `${name}-files`,
    ...sendHeaders(headers, { override: true }),
  })
  // The app sends what its pages need. These are for API Gateway's own refusals, which need nothing.
  const ofPages = new ResponseHeadersPolicy(stack, 'PageHeaders', {
    responseHeadersPolicyName: `${name}-pages`,
    ...sendHeaders(
      { ...headers, 'content-security-policy': `default-src 'none'; frame-ancestors 'none'` },
      { override: false },
    ),
  })
  return { ofFiles, ofPages }
}

/** Turns the login's cookie into a token before a request goes on. */
function createViewerRequest(
  stack: Stack,
  { parameters: { name }, viewerRequestFile }: SiteProps,
): EdgeFunction {
  return new EdgeFunction(stack, 'ViewerRequest', {
    functionName: `${name}-viewer-request`,
    comment: 'Tidemark: the cookie of the login becomes a token; without one, to the login',
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(readFileSync(viewerRequestFile, 'utf8')),
  })
}

function fromApi(api: HttpApi): BehaviorOptions {
  return {
    origin: new HttpOrigin(`${api.apiId}.execute-api.${Aws.REGION}.${Aws.URL_SUFFIX}`, {
      protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
      originSslProtocols: [OriginSslPolicy.TLS_V1_2],
    }),
    viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
    allowedMethods: AllowedMethods.ALLOW_ALL,
    // One person may see what another may not, so nothing is shared.
    cachePolicy: CachePolicy.CACHING_DISABLED,
    originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
  }
}

function acknowledgeDistribution(distribution: Distribution, { certificateArn }: Parameters): void {
  acknowledge(distribution, {
    'AwsSolutions-CFR1': 'Who may come in is a matter of the token, not of the country.',
    'AwsSolutions-CFR3':
      "CloudFront's log would hold each address, and addresses hold what people ask: a statement in Ask, a name in a list. API Gateway logs the requests without their addresses, and the bucket logs requests for files.",
    'AwsSolutions-CFR2':
      'A web application firewall costs more than all the rest; nothing gets past API Gateway without a valid token, and requests are throttled there.',
    ...(certificateArn === undefined
      ? {
          'AwsSolutions-CFR4':
            "CloudFront's own certificate has no setting for it; domainName and certificateArn bring TLS 1.2 at least.",
        }
      : {}),
  })
}

function publishFiles(
  stack: Stack,
  { files, sources, logDays }: { files: IBucket; sources: ISource[]; logDays: number },
): void {
  const logGroup = new LogGroup(stack, 'FilesLog', {
    retention: logDays,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  for (const [path, cacheControl] of Object.entries(SITE_CACHING)) {
    new BucketDeployment(stack, `Files-${path}`, {
      destinationBucket: files,
      sources,
      exclude: ['*'],
      include: [path.endsWith('/') ? `${path}*` : path],
      cacheControl: [CacheControl.fromString(cacheControl)],
      // Open pages still want the assets of the last deployment.
      prune: false,
      retainOnDelete: false,
      memoryLimit: 256,
      logGroup,
    })
  }
  acknowledgeHelper(stack, files.arnForObjects('*'))
}

/** Headers as CloudFront wants them: some by a name of its own. */
function sendHeaders(
  headers: Readonly<Record<string, string>>,
  { override }: { override: boolean },
): ResponseHeadersPolicyProps {
  const {
    'content-security-policy': contentSecurityPolicy = '',
    'strict-transport-security': transport = '',
    'x-content-type-options': _always,
    'x-frame-options': _deny,
    'referrer-policy': _none,
    ...others
  } = headers
  return {
    securityHeadersBehavior: {
      contentSecurityPolicy: { contentSecurityPolicy, override },
      strictTransportSecurity: {
        accessControlMaxAge: Duration.seconds(Number(/max-age=(\d+)/.exec(transport)?.[1])),
        override: true,
      },
      contentTypeOptions: { override: true },
      frameOptions: { frameOption: HeadersFrameOption.DENY, override },
      referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override },
    },
    customHeadersBehavior: {
      customHeaders: Object.entries(others).map(([header, value]) => ({ header, value, override })),
    },
  }
}

/** The function that comes with `BucketDeployment` is not ours to narrow. */
function acknowledgeHelper(stack: Stack, filesArn: string): void {
  const reason =
    "CDK's own function, which runs during a deployment only: it takes an asset and writes to the bucket of the site's files and to no other."
  const assets = `arn:${stack.partition}:s3:::cdk-hnb659fds-assets-${stack.account}-${stack.region}/*`
  const findings = [
    'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
    ...['s3:Abort*', 's3:DeleteObject*', 's3:GetBucket*', 's3:GetObject*', 's3:List*'].map(
      (action) => `AwsSolutions-IAM5[Action::${action}]`,
    ),
    wildcardResource(stack, filesArn),
    wildcardResource(stack, assets),
    'AwsSolutions-L1',
  ]
  const helper = stack.node.children.find(({ node }) =>
    node.id.startsWith('Custom::CDKBucketDeployment'),
  )
  if (helper === undefined) throw new TypeError('BucketDeployment made no function')
  acknowledge(helper, Object.fromEntries(findings.map((id) => [id, reason])))
}
