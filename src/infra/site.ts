import { readFileSync } from 'node:fs'
import { Aws, Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import {
  AllowedMethods,
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
import { ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { BucketDeployment, CacheControl, Source } from 'aws-cdk-lib/aws-s3-deployment'
import { type LoginConfig, SITE_CACHING, siteHeaders } from '../apps/aws/login-config.ts'
import { acknowledge, wildcardResource } from './acknowledge.ts'
import type { Parameters } from './parameters.ts'
import { createBucket } from './storage.ts'

export interface Site {
  readonly url: string
  /** Puts the files in place that need no login, and tells them who hands out tokens. */
  publish(options: { siteDir: string; config: LoginConfig }): void
}

/** CloudFront in front of the API, and of a few files in a bucket that nobody else can read. */
export function createSite(
  stack: Stack,
  {
    parameters,
    api,
    tokenEndpoint,
    viewerRequestFile,
  }: { parameters: Parameters; api: HttpApi; tokenEndpoint: string; viewerRequestFile: string },
): Site {
  const { name, domainName, certificateArn, accessLogDays, logDays } = parameters
  const logs = createBucket(stack, 'SiteLogs', {
    // CloudFront delivers its logs with an ACL.
    objectOwnership: ObjectOwnership.BUCKET_OWNER_PREFERRED,
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
    // They are made anew by every deployment, and deleted with it.
    removalPolicy: RemovalPolicy.DESTROY,
  })

  const headers = siteHeaders({ tokenEndpoint })
  const ofFiles = new ResponseHeadersPolicy(stack, 'FileHeaders', {
    responseHeadersPolicyName: `${name}-files`,
    ...sendHeaders(headers, { override: true }),
  })
  // The app says itself what its pages need. What is not its own, API Gateway's refusals, needs nothing.
  const ofPages = new ResponseHeadersPolicy(stack, 'PageHeaders', {
    responseHeadersPolicyName: `${name}-pages`,
    ...sendHeaders(
      { ...headers, 'content-security-policy': `default-src 'none'; frame-ancestors 'none'` },
      { override: false },
    ),
  })
  const viewerRequest = new EdgeFunction(stack, 'ViewerRequest', {
    functionName: `${name}-viewer-request`,
    comment: 'Tidemark: the cookie of the login becomes a token; without one, to the login',
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(readFileSync(viewerRequestFile, 'utf8')),
  })
  const functionAssociations = [
    { function: viewerRequest, eventType: FunctionEventType.VIEWER_REQUEST },
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
    enableLogging: true,
    logBucket: logs,
    logFilePrefix: 'site/',
    logIncludesCookies: false,
    ...(domainName === undefined || certificateArn === undefined
      ? {}
      : {
          domainNames: [domainName],
          minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
          certificate: Certificate.fromCertificateArn(stack, 'Certificate', certificateArn),
        }),
    defaultBehavior: {
      origin: new HttpOrigin(`${api.apiId}.execute-api.${Aws.REGION}.${Aws.URL_SUFFIX}`, {
        protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
        originSslProtocols: [OriginSslPolicy.TLS_V1_2],
      }),
      viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      allowedMethods: AllowedMethods.ALLOW_ALL,
      // What one may see another may not.
      cachePolicy: CachePolicy.CACHING_DISABLED,
      originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
      responseHeadersPolicy: ofPages,
      functionAssociations,
    },
    additionalBehaviors: { '/login*': fromFiles, '/assets/*': fromFiles },
  })
  acknowledge(distribution, {
    'AwsSolutions-CFR1': 'Who may come in is a matter of the token, not of the country.',
    'AwsSolutions-CFR2':
      'A web application firewall costs more than all the rest; nothing gets past API Gateway without a valid token, and requests are throttled there.',
    ...(certificateArn === undefined
      ? {
          'AwsSolutions-CFR4':
            "CloudFront's own certificate has no setting for it; domainName and certificateArn bring TLS 1.2 at least.",
        }
      : {}),
  })
  const url = `https://${domainName ?? distribution.distributionDomainName}`
  return {
    url,
    publish({ siteDir, config }) {
      const sources = [Source.asset(siteDir), Source.jsonData('login/config.json', config)]
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
          // Pages that are open still want the assets of the last deployment.
          prune: false,
          retainOnDelete: false,
          memoryLimit: 256,
          logGroup,
        })
      }
      acknowledgeHelper(stack, files.arnForObjects('*'))
    },
  }
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
