import { listOf, resourcesOf, type StackTemplate, type Statement, textOf } from './template.ts'

type Properties = Readonly<Record<string, unknown>>

interface Found {
  readonly stack: string
  readonly id: string
  readonly properties: Properties
}

/** What is drawn on: resources by type, and ways to add a node or an arrow between two nodes. */
interface Canvas {
  all(type: string): Found[]
  node(id: string, outline: readonly [string, string], label: string): void
  /** Draws nothing if one of the two is not a node. */
  edge(from: string, to: string, label?: string): void
}

/**
 * The deployment as a picture in Mermaid's language. Nodes and arrows come from the templates: what
 * starts what, which function reads or creates in which bucket and reads which secret by its role,
 * and who is told.
 */
export function drawDiagram(templates: ReadonlyMap<string, StackTemplate>): string {
  const nodes = new Map<string, string>()
  const edges: string[] = []
  const canvas: Canvas = {
    all: (type) =>
      [...templates].flatMap(([stack, template]) =>
        resourcesOf(template, type).map(([id, properties]) => ({ stack, id, properties })),
      ),
    node(id, [open, close], label) {
      nodes.set(id, `${id}${open}"${label}"${close}`)
    },
    edge(from, to, label = '') {
      const line = `${from} ${label === '' ? '-->' : `-- ${label} -->`} ${to}`
      if (nodes.has(from) && nodes.has(to) && !edges.includes(line)) edges.push(line)
    },
  }
  drawPlaces(canvas)
  drawAlerts(canvas)
  drawStarts(canvas)
  drawPages(canvas)
  drawRights(canvas)
  return ['flowchart LR', ...nodes.values(), ...edges.toSorted()].join('\n  ')
}

/** What runs, and where data is kept. */
function drawPlaces({ all, node }: Canvas): void {
  for (const { id, properties } of all('AWS::Scheduler::Schedule')) {
    node(id, ROUND, `schedule<br/>${textOf(properties['ScheduleExpression'])}`)
  }
  for (const { id, properties } of all('AWS::StepFunctions::StateMachine')) {
    node(id, BOX, `state machine<br/>${textOf(properties['StateMachineName'])}`)
  }
  for (const { id, properties } of named(all('AWS::Lambda::Function'), 'FunctionName')) {
    node(id, BOX, `function<br/>${textOf(properties['FunctionName'])}`)
  }
  for (const { id, properties } of named(all('AWS::S3::Bucket'), 'BucketName')) {
    node(id, STORE, `bucket<br/>${nameOf(properties['BucketName'])}<br/>create-only`)
  }
  for (const { id, properties } of all('AWS::RDS::DBInstance')) {
    node(id, STORE, `RDS Postgres<br/>${textOf(properties['DBInstanceIdentifier'])}`)
  }
}

/** Who is told. */
function drawAlerts({ all, node, edge }: Canvas): void {
  node('Alarms', ROUND, `${all('AWS::CloudWatch::Alarm').length} alarms`)
  for (const { id } of all('AWS::SNS::Topic')) {
    node(id, ROUND, 'topic<br/>encrypted')
    edge('Alarms', id)
  }
  for (const { id, properties } of all('AWS::SNS::Subscription')) {
    node(id, ROUND, 'e-mail')
    edge(target(properties['TopicArn']), id)
  }
}

/** What starts what. */
function drawStarts({ all, edge }: Canvas): void {
  for (const { id, properties } of all('AWS::Scheduler::Schedule')) {
    edge(id, target((properties['Target'] as { Arn: unknown }).Arn), 'starts')
  }
  for (const { id, properties } of all('AWS::StepFunctions::StateMachine')) {
    const given = Object.values(properties['DefinitionSubstitutions'] as Properties)
    for (const value of given) edge(id, target(value))
  }
}

/** What each function may read and create, by its role. */
function drawRights({ all, node, edge }: Canvas): void {
  const zones = named(all('AWS::S3::Bucket'), 'BucketName')
  for (const { id, properties } of named(all('AWS::Lambda::Function'), 'FunctionName')) {
    const role = target(properties['Role'])
    for (const { Action, Resource } of statementsOf(all('AWS::IAM::Policy'), role)) {
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
}

function statementsOf(policies: readonly Found[], role: string): Statement[] {
  return policies
    .filter(({ properties }) => listOf(properties['Roles']).some((ref) => target(ref) === role))
    .flatMap(
      ({ properties }) => (properties['PolicyDocument'] as { Statement: Statement[] }).Statement,
    )
}

/** Ours have names of their own; CDK's helpers have none. */
function named(found: readonly Found[], property: string): Found[] {
  return found.filter(({ properties }) => properties[property] !== undefined)
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
function drawPages({ all, node, edge }: Canvas): void {
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

/** The logical id that a reference within a stack names. */
function target(value: unknown): string {
  return /^<(?<id>\w+)(?:\.\w+)?>$/.exec(safeText(value))?.groups?.['id'] ?? ''
}

function mentions(value: unknown, id: string): boolean {
  return new RegExp(`<${id}[.>]`).test(safeText(value))
}

function safeText(value: unknown): string {
  return typeof value === 'object' || typeof value === 'string' ? textOf(value) : ''
}

/** A name without the parts that only AWS knows. */
function nameOf(value: unknown): string {
  return textOf(value).replaceAll(/-<[^>]+>/g, '')
}
