import { listOf, resourcesOf, type StackTemplate, type Statement, textOf } from './template.ts'

type Properties = Readonly<Record<string, unknown>>

interface Found {
  readonly stack: string
  readonly id: string
  readonly properties: Properties
}

/**
 * What is deployed as a picture in Mermaid's language. Nodes and arrows are what the templates hold:
 * what starts what, which function reads or creates in which bucket and reads which secret, as its
 * role says, and who is told.
 */
export function drawDiagram(templates: ReadonlyMap<string, StackTemplate>): string {
  const all = (type: string): Found[] =>
    [...templates].flatMap(([stack, template]) =>
      resourcesOf(template, type).map(([id, properties]) => ({ stack, id, properties })),
    )
  const nodes = new Map<string, string>()
  const edges: string[] = []
  const node = (id: string, [open, close]: readonly [string, string], label: string): void => {
    nodes.set(id, `${id}${open}"${label}"${close}`)
  }
  const edge = (from: string, to: string, label = ''): void => {
    const line = `${from} ${label === '' ? '-->' : `-- ${label} -->`} ${to}`
    if (nodes.has(from) && nodes.has(to) && !edges.includes(line)) edges.push(line)
  }

  for (const { id, properties } of all('AWS::Scheduler::Schedule')) {
    node(id, ROUND, `schedule<br/>${textOf(properties['ScheduleExpression'])}`)
  }
  for (const { id, properties } of all('AWS::StepFunctions::StateMachine')) {
    node(id, BOX, `state machine<br/>${textOf(properties['StateMachineName'])}`)
  }
  const functions = all('AWS::Lambda::Function').filter(
    ({ properties }) => properties['FunctionName'] !== undefined,
  )
  for (const { id, properties } of functions) {
    node(id, BOX, `function<br/>${textOf(properties['FunctionName'])}`)
  }
  const zones = all('AWS::S3::Bucket').filter(
    ({ properties }) => properties['BucketName'] !== undefined,
  )
  for (const { id, properties } of zones) {
    node(id, STORE, `bucket<br/>${nameOf(properties['BucketName'])}<br/>create-only`)
  }
  for (const { id, properties } of all('AWS::RDS::DBInstance')) {
    node(id, STORE, `RDS Postgres<br/>${textOf(properties['DBInstanceIdentifier'])}`)
  }
  const alarms = all('AWS::CloudWatch::Alarm')
  node('Alarms', ROUND, `${alarms.length} alarms`)
  for (const { id } of all('AWS::SNS::Topic')) {
    node(id, ROUND, 'topic<br/>encrypted')
    edge('Alarms', id)
  }
  for (const { id, properties } of all('AWS::SNS::Subscription')) {
    node(id, ROUND, 'e-mail')
    edge(target(properties['TopicArn']), id)
  }
  for (const { id, properties } of all('AWS::Scheduler::Schedule')) {
    edge(id, target((properties['Target'] as { Arn: unknown }).Arn), 'starts')
  }
  for (const { id, properties } of all('AWS::StepFunctions::StateMachine')) {
    const given = Object.values(properties['DefinitionSubstitutions'] as Properties)
    for (const value of given) edge(id, target(value))
  }

  drawPages({ all, node, edge })
  const policies = all('AWS::IAM::Policy')
  for (const { id, properties } of functions) {
    const role = target(properties['Role'])
    const own = policies.filter(({ properties: policy }) =>
      listOf(policy['Roles']).some((ref) => target(ref) === role),
    )
    const statements = own.flatMap(
      ({ properties: policy }) =>
        (policy['PolicyDocument'] as { Statement: Statement[] }).Statement,
    )
    for (const { Action, Resource } of statements) {
      const resource = textOf(Resource)
      if (Action === 'secretsmanager:GetSecretValue') {
        const name = /secret:(?<name>.+)-\?{6}$/.exec(resource)?.groups?.['name'] ?? ''
        const secret = `secret_${name.replaceAll(/\W/g, '_')}`
        node(secret, NOTE, `secret<br/>${name}`)
        edge(id, secret, 'reads')
      }
      const verb = VERBS[String(Action)]
      const zone = zones.find(({ properties: bucket }) =>
        resource.includes(`:::${textOf(bucket['BucketName'])}/`),
      )
      if (verb !== undefined && zone !== undefined) edge(id, zone.id, verb)
    }
  }
  return ['flowchart LR', ...nodes.values(), ...edges.toSorted()].join('\n  ')
}

const BOX = ['[', ']'] as const
const ROUND = ['(', ')'] as const
const STORE = ['[(', ')]'] as const
const NOTE = ['>', ']'] as const

const VERBS: Readonly<Record<string, string>> = {
  's3:GetObject': 'reads',
  's3:PutObject': 'creates',
}

/** What people see: distribution, login, gateway and the function behind it. */
function drawPages({
  all,
  node,
  edge,
}: {
  all: (type: string) => Found[]
  node: (id: string, shape: readonly [string, string], label: string) => void
  edge: (from: string, to: string, label?: string) => void
}): void {
  const gateways = all('AWS::ApiGatewayV2::Api')
  for (const { id } of gateways) node(id, BOX, 'HTTP API<br/>every route wants a token')
  for (const { id } of all('AWS::Cognito::UserPool')) node(id, BOX, 'user pool<br/>no sign-up')
  for (const { id, properties } of all('AWS::ApiGatewayV2::Authorizer')) {
    const { Issuer } = properties['JwtConfiguration'] as { Issuer: unknown }
    const pool = all('AWS::Cognito::UserPool').find(({ id: one }) => mentions(Issuer, one))
    if (pool !== undefined) edge(target(properties['ApiId']), pool.id, 'trusts tokens of')
    else {
      node(id, ROUND, 'OIDC issuer')
      edge(target(properties['ApiId']), id, 'trusts tokens of')
    }
  }
  for (const { properties } of all('AWS::ApiGatewayV2::Integration')) {
    edge(target(properties['ApiId']), target(properties['IntegrationUri']))
  }
  for (const { id, properties } of all('AWS::CloudFront::Distribution')) {
    node(id, ROUND, 'CloudFront')
    const { Origins } = properties['DistributionConfig'] as { Origins: { DomainName: unknown }[] }
    for (const { DomainName } of Origins) {
      for (const gateway of gateways) if (mentions(DomainName, gateway.id)) edge(id, gateway.id)
      for (const bucket of all('AWS::S3::Bucket')) {
        if (!mentions(DomainName, bucket.id)) continue
        node(bucket.id, STORE, 'bucket<br/>login page and assets')
        edge(id, bucket.id)
      }
    }
  }
}

/** The logical id a reference within a stack leads to. */
function target(value: unknown): string {
  return /^<(?<id>\w+)(?:\.\w+)?>$/.exec(safeText(value))?.groups?.['id'] ?? ''
}

function mentions(value: unknown, id: string): boolean {
  return new RegExp(`<${id}[.>]`).test(safeText(value))
}

function safeText(value: unknown): string {
  return typeof value === 'object' || typeof value === 'string' ? textOf(value) : ''
}

/** A name without what only AWS knows. */
function nameOf(value: unknown): string {
  return textOf(value).replaceAll(/-<[^>]+>/g, '')
}
