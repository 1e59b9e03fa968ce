import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, Stack, Validations } from 'aws-cdk-lib'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { AwsSolutionsChecks } from 'cdk-nag'
import { expect, it } from 'vitest'
import { EVERYTHING, synthesize } from './synthesize.ts'

it.each([
  ['the defaults', {}],
  ['everything on', EVERYTHING],
  ['a way out of the network', { ...EVERYTHING, natGateways: 1, databaseMultiAz: true }],
  [
    'an account and a region, which are not looked up',
    { ...EVERYTHING, account: '111122223333', region: 'eu-west-2' },
  ],
  [
    'a host name and an issuer of their own',
    {
      alertEmail: 'alerts@example.org',
      domainName: 'tidemark.example.org',
      certificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/1',
      oidcIssuer: 'https://login.example.org',
      oidcAudience: 'tidemark',
      oidcAuthorizationEndpoint: 'https://login.example.org/authorize',
      oidcTokenEndpoint: 'https://login.example.org/token',
    },
  ],
])('cdk-nag finds nothing with %s', (_, parameters) => {
  using made = synthesize(parameters, withNag)
  expect(readReport(made.app)).toEqual([])
})

it('cdk-nag fails the synthesis for a finding that nobody has acknowledged', () => {
  const open = (app: App): void => {
    withNag(app)
    new Bucket(new Stack(app, 'Open'), 'Bucket')
  }
  expect(() => synthesize({}, open)).toThrow(/AwsSolutions-S10/)
})

function withNag(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app, { verbose: true }))
}

interface Report {
  readonly pluginReports: readonly {
    readonly violations: readonly { readonly ruleName: string; readonly severity: string }[]
  }[]
}

/** The findings of all plugins, CDK's own included, except the intended one: nobody gets mail. */
function readReport(app: App): string[] {
  const text = readFileSync(join(app.outdir, 'validation-report.json'), 'utf8')
  return (JSON.parse(text) as Report).pluginReports
    .flatMap(({ violations }) => violations.map(({ ruleName }) => ruleName))
    .filter((rule) => rule !== 'Annotation::tidemark:nobodyIsTold')
}
