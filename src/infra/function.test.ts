import { expect, it } from 'vitest'
import { FUNCTIONS } from '../apps/aws/functions.ts'
import { EVERYTHING } from './synthesize.ts'
import { isHelper, stackOf, templatesOf } from './template-facts.ts'
import { resourcesOf, textOf } from './template.ts'

const templates = templatesOf(EVERYTHING)

const functions = ['Pipeline', 'Presentation'].flatMap((id) =>
  resourcesOf(stackOf(templates, id), 'AWS::Lambda::Function').flatMap(([name, properties]) =>
    isHelper(name) ? [] : [[name.replace(/Function\w+$/, '').toLowerCase(), properties] as const],
  ),
)

it('the functions are the ones in apps/aws', () => {
  expect(functions.map(([name]) => name).toSorted()).toEqual(Object.keys(FUNCTIONS).toSorted())
})

it.each(functions)('%s runs with its limits and writes JSON to its own log', (name, properties) => {
  const { memoryMb, timeoutSeconds, scratchMb, handler } = FUNCTIONS[name as keyof typeof FUNCTIONS]
  expect(properties).toMatchObject({
    FunctionName: `tidemark-${name}`,
    Runtime: 'nodejs24.x',
    Architectures: ['arm64'],
    Handler: handler,
    MemorySize: memoryMb,
    // A run of an express workflow may take five minutes; no run waits for a collection or a report.
    Timeout: /^(collect|reports)$/.test(name) ? timeoutSeconds : Math.min(timeoutSeconds, 240),
    EphemeralStorage: { Size: scratchMb },
    LoggingConfig: { LogFormat: 'JSON', LogGroup: expect.anything() as unknown },
    TracingConfig: { Mode: 'Active' },
  })
})

const SECRETS: Readonly<Record<string, unknown>> = {
  extract: { TIDEMARK_SOURCE_SECRET: 'tidemark/source' },
  collect: {},
  transform: {},
  load: { TIDEMARK_WAREHOUSE_SECRET: 'tidemark/warehouse' },
  reports: {
    TIDEMARK_WAREHOUSE_READER_SECRET: 'tidemark/warehouse-reader',
    TIDEMARK_SAVER_SECRET: 'tidemark/saver',
    TIDEMARK_SMTP_SECRET: 'tidemark/smtp',
  },
  api: {
    TIDEMARK_WAREHOUSE_READER_SECRET: 'tidemark/warehouse-reader',
    TIDEMARK_SAVER_SECRET: 'tidemark/saver',
  },
}

it.each(functions)('%s gets names of secrets and never a value', (name, properties) => {
  const { Variables } = properties['Environment'] as { Variables: Record<string, unknown> }
  const entries = Object.entries(Variables)
  expect(Object.fromEntries(entries.filter(([key]) => key.endsWith('_SECRET')))).toEqual(
    SECRETS[name],
  )
  expect(
    entries.filter(([key]) => /(SOURCE|WAREHOUSE|READER|SAVER)_URL$|PASSWORD/.test(key)),
  ).toEqual([])
  expect(Variables).toMatchObject({
    NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
    TIDEMARK_SCRATCH: '/tmp/tidemark',
  })
  expect(textOf(Variables['TIDEMARK_INGESTION'])).toBe(
    's3://tidemark-ingestion-<AWS::AccountId>-<AWS::Region>/ingestion',
  )
})

it('without a secret for the saver, nothing names it and no function may read it', () => {
  for (const [id, template] of templatesOf({})) {
    expect(JSON.stringify(template), id).not.toMatch(/saver/i)
  }
  expect(JSON.stringify(stackOf(templates, 'Presentation'))).toMatch(/saver/i)
})

it('they have no address of their own, and only the gateway may call the one that answers', () => {
  const all = [...templates.values()]
  expect(all.flatMap((template) => resourcesOf(template, 'AWS::Lambda::Url'))).toEqual([])
  const permissions = all.flatMap((template) => resourcesOf(template, 'AWS::Lambda::Permission'))
  expect(permissions.length).toBe(2)
  for (const [, properties] of permissions) {
    expect(properties).toMatchObject({
      Action: 'lambda:InvokeFunction',
      Principal: 'apigateway.amazonaws.com',
      SourceArn: expect.anything() as unknown,
    })
  }
})

it('no secret is made, and none is resolved by CloudFormation', () => {
  for (const [id, template] of templates) {
    expect(JSON.stringify(template), id).not.toContain('{{resolve:')
    expect(resourcesOf(template, 'AWS::SecretsManager::Secret'), id).toEqual([])
  }
})

it('every log group forgets after a while', () => {
  const groups = [...templates.values()].flatMap((template) =>
    resourcesOf(template, 'AWS::Logs::LogGroup'),
  )
  expect(groups.length).toBe(10)
  for (const [id, properties] of groups) expect(properties['RetentionInDays'], id).toBe(30)
})
