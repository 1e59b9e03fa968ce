import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EVERYTHING } from './synthesize.ts'
import { findOne, stackOf, statementsOf, templatesOf } from './template-facts.ts'
import { resourcesOf, textOf } from './template.ts'

const template = stackOf(templatesOf(EVERYTHING), 'Presentation')

describe('API and login', () => {
  it('every route wants a token, and none is left out', () => {
    const routes = resourcesOf(template, 'AWS::ApiGatewayV2::Route')
    expect(routes.map(([, { RouteKey }]) => String(RouteKey)).toSorted()).toEqual([
      'ANY /',
      'ANY /{proxy+}',
    ])
    for (const [id, properties] of routes) {
      expect(properties, id).toMatchObject({
        AuthorizationType: 'JWT',
        AuthorizerId: { Ref: expect.stringMatching(/Token/) as string },
      })
    }
    expect(findOne(template, 'AWS::ApiGatewayV2::Authorizer')).toMatchObject({
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Audience: [{ Ref: expect.stringMatching(/^UsersSite/) as string }] },
    })
  })

  it('the stage is throttled and logs who asked, but not for what', () => {
    const stage = findOne(template, 'AWS::ApiGatewayV2::Stage')
    expect(stage).toMatchObject({
      StageName: '$default',
      DefaultRouteSettings: { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 },
    })
    const { Format } = stage['AccessLogSettings'] as { Format: string }
    expect(Format).toContain('$context.requestId')
    expect(Format).not.toMatch(/path|query|routeKey|authorization\b/i)
  })

  it('CloudFront logs nothing, because addresses hold what people ask', () => {
    const { DistributionConfig } = findOne(template, 'AWS::CloudFront::Distribution')
    expect(DistributionConfig).not.toHaveProperty('Logging')
  })

  it('nobody can sign up', () => {
    expect(findOne(template, 'AWS::Cognito::UserPool')).toMatchObject({
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      Policies: { PasswordPolicy: { MinimumLength: 12 } },
    })
    expect(findOne(template, 'AWS::Cognito::UserPoolClient')).toMatchObject({
      AllowedOAuthFlows: ['code'],
      PreventUserExistenceErrors: 'ENABLED',
      GenerateSecret: false,
    })
    const groups = resourcesOf(template, 'AWS::Cognito::UserPoolGroup')
    expect(groups.map(([, { GroupName }]) => GroupName)).toEqual(['analyst', 'finance'])
  })

  it('no user pool is made if an issuer is given', () => {
    const given = {
      alertEmail: 'alerts@example.org',
      oidcIssuer: 'https://login.example.org',
      oidcAudience: 'tidemark',
      oidcAuthorizationEndpoint: 'https://login.example.org/authorize',
      oidcTokenEndpoint: 'https://login.example.org/token',
    }
    const own = stackOf(templatesOf(given), 'Presentation')
    expect(resourcesOf(own, 'AWS::Cognito::UserPool')).toEqual([])
    expect(findOne(own, 'AWS::ApiGatewayV2::Authorizer')).toMatchObject({
      JwtConfiguration: { Issuer: 'https://login.example.org', Audience: ['tidemark'] },
    })
  })
})

describe('site', () => {
  it('every path passes the function that reads the cookie, over HTTPS', () => {
    const { DefaultCacheBehavior, CacheBehaviors } = findOne(
      template,
      'AWS::CloudFront::Distribution',
    )['DistributionConfig'] as {
      DefaultCacheBehavior: Record<string, unknown>
      CacheBehaviors: Record<string, unknown>[]
    }
    expect(CacheBehaviors.map(({ PathPattern }) => PathPattern)).toEqual(['/login*', '/assets/*'])
    for (const behavior of [DefaultCacheBehavior, ...CacheBehaviors]) {
      expect(behavior).toMatchObject({
        ViewerProtocolPolicy: 'redirect-to-https',
        FunctionAssociations: [{ EventType: 'viewer-request' }],
      })
    }
    // AWS' own CachingDisabled and AllViewerExceptHostHeader.
    expect(DefaultCacheBehavior).toMatchObject({
      CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad',
      OriginRequestPolicyId: 'b689b0a8-53d0-40ab-baf2-68738e2966ac',
    })
  })

  it('that function is not too large for CloudFront', () => {
    const file = new URL('../apps/aws/viewer-request.js', import.meta.url)
    expect(readFileSync(file).length).toBeLessThan(10_240)
  })

  it('only the distribution reads the files', () => {
    const statements = statementsOf(findOne(template, 'AWS::S3::BucketPolicy', 'SiteFiles'))
    expect(statements.filter(({ Effect }) => Effect === 'Allow')).toEqual([
      expect.objectContaining({
        Action: 's3:GetObject',
        Principal: { Service: 'cloudfront.amazonaws.com' },
        Condition: { StringEquals: { 'AWS:SourceArn': expect.anything() as unknown } },
      }),
    ])
  })

  it('the login may connect to the issuer and runs nothing inline', () => {
    const policy = findOne(template, 'AWS::CloudFront::ResponseHeadersPolicy', 'File')
    const { SecurityHeadersConfig } = policy['ResponseHeadersPolicyConfig'] as {
      SecurityHeadersConfig: {
        ContentSecurityPolicy: { ContentSecurityPolicy: unknown; Override: boolean }
        StrictTransportSecurity: { AccessControlMaxAgeSec: number }
      }
    }
    const { ContentSecurityPolicy, StrictTransportSecurity } = SecurityHeadersConfig
    const rules = textOf(ContentSecurityPolicy.ContentSecurityPolicy).split('; ')
    expect(rules).toContain("default-src 'none'")
    expect(rules).toContain("script-src 'self'")
    expect(rules.find((rule) => rule.startsWith('connect-src'))).toMatch(
      /^connect-src 'self' https:\/\/<UsersDomain\w+>\.auth\.<AWS::Region>\.amazoncognito\.com$/,
    )
    expect(ContentSecurityPolicy.Override).toBe(true)
    expect(StrictTransportSecurity.AccessControlMaxAgeSec).toBe(31_536_000)
  })
})
