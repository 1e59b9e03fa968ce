import { expect, it } from 'vitest'
import { EVERYTHING } from './synthesize.ts'
import { findOne, isHelper, stackOf, statementsOf, templatesOf } from './template-facts.ts'
import { listOf, resourcesOf, textOf } from './template.ts'

const templates = templatesOf(EVERYTHING)
const pipeline = stackOf(templates, 'Pipeline')

/** Every policy of a role, with the name of the stack and the policy's logical id. */
const policies = [...templates].flatMap(([id, template]) => [
  ...resourcesOf(template, 'AWS::IAM::Policy').map(([policy, properties]) => ({
    at: `${id}/${policy}`,
    statements: statementsOf(properties),
  })),
  ...resourcesOf(template, 'AWS::IAM::Role').flatMap(([role, properties]) =>
    ((properties['Policies'] ?? []) as Record<string, unknown>[]).map((policy) => ({
      at: `${id}/${role}`,
      statements: statementsOf(policy),
    })),
  ),
])

const zone = (name: string) =>
  `arn:<AWS::Partition>:s3:::tidemark-${name}-<AWS::AccountId>-<AWS::Region>`
const list = (name: string) => [['s3:ListBucket'], zone(name)]
const read = (name: string, keys = '*') => [['s3:GetObject'], `${zone(name)}/${name}/${keys}`]
const create = (name: string) => [['s3:PutObject'], `${zone(name)}/${name}/*`]
const secret = (name: string) => [
  ['secretsmanager:GetSecretValue'],
  `arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${name}-??????`,
]
const trace = [['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], '*']
const join = [
  [
    'ec2:AssignPrivateIpAddresses',
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:UnassignPrivateIpAddresses',
  ],
  '*',
]

/** Everything each function may do, apart from its own log. */
const RIGHTS = {
  extract: [
    trace,
    list('ingestion'),
    read('ingestion'),
    create('ingestion'),
    list('processed'),
    read('processed', '*/batch/*'),
    secret('tidemark/source'),
  ],
  collect: [
    trace,
    list('ingestion'),
    read('ingestion'),
    create('ingestion'),
    list('processed'),
    read('processed', '*/batch/*'),
    [['s3:ListBucket'], 'arn:<AWS::Partition>:s3:::others-bucket'],
    [['s3:GetObject'], 'arn:<AWS::Partition>:s3:::others-bucket/for/tidemark/*'],
  ],
  transform: [
    trace,
    list('ingestion'),
    read('ingestion'),
    list('processed'),
    read('processed'),
    create('processed'),
  ],
  load: [
    trace,
    join,
    list('ingestion'),
    read('ingestion', 'batch/*'),
    list('processed'),
    read('processed'),
    secret('tidemark/warehouse'),
  ],
  reports: [
    trace,
    join,
    secret('tidemark/warehouse-reader'),
    secret('tidemark/saver'),
    [['s3:GetObject'], 'arn:<AWS::Partition>:s3:::config-bucket/tidemark/reports.json'],
    list('processed'),
    [['s3:GetObject'], `${zone('processed')}/reports/*`],
    [['s3:PutObject'], `${zone('processed')}/reports/*`],
    secret('tidemark/smtp'),
  ],
  api: [
    trace,
    join,
    list('ingestion'),
    read('ingestion'),
    list('processed'),
    read('processed'),
    secret('tidemark/warehouse-reader'),
    secret('tidemark/saver'),
  ],
}

it.each(Object.entries(RIGHTS))('%s may do this and nothing else', (name, rights) => {
  const id = name.charAt(0).toUpperCase() + name.slice(1)
  const template = /^(api|reports)$/.test(name) ? stackOf(templates, 'Presentation') : pipeline
  const [log, ...rest] = statementsOf(findOne(template, 'AWS::IAM::Policy', `${id}Role`))
  expect(log?.Action).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents'])
  expect(textOf(log?.Resource)).toMatch(new RegExp(`^<${id}Log\\w+\\.Arn>$`))
  expect(rest.every(({ Effect }) => Effect === 'Allow')).toBe(true)
  expect(rest.map(({ Action, Resource }) => [listOf(Action), textOf(Resource)])).toEqual(rights)
  expect(findOne(template, 'AWS::IAM::Role', `${id}Role`)['ManagedPolicyArns']).toBeUndefined()
})

it('the machine may start the stages, ask for alarms and alert, and nothing else', () => {
  const statements = statementsOf(findOne(pipeline, 'AWS::IAM::Policy', 'RunRole'))
  const named = statements.flatMap(({ Sid, Action, Resource }) =>
    Sid === undefined ? [] : [[Sid, Action, listOf(Resource).map(textOf)]],
  )
  expect(named).toEqual([
    [
      'RunStages',
      'lambda:InvokeFunction',
      ['Extract', 'Load', 'Transform'].map((id) => matching(`^<${id}Function\\w+\\.Arn>$`)),
    ],
    ['AskForAlarm', 'cloudwatch:DescribeAlarms', ['*']],
    ['Alert', 'sns:Publish', [matching('^<Alerts\\w+>$')]],
    ['EncryptAlert', ['kms:Decrypt', 'kms:GenerateDataKey'], [matching('^<AlertsKey\\w+\\.Arn>$')]],
  ])
  const unnamed = statements.filter(({ Sid }) => Sid === undefined)
  const others = unnamed.flatMap(({ Action }) => listOf(Action))
  expect(others.filter((action) => !/^(logs|xray):/.test(action))).toEqual([])
})

it('the schedule of collections may start that function and nothing else', () => {
  const [only, ...more] = statementsOf(findOne(pipeline, 'AWS::IAM::Policy', 'CollectScheduleRole'))
  expect(more).toEqual([])
  expect(only?.Action).toBe('lambda:InvokeFunction')
  expect(textOf(only?.Resource)).toMatch(/^<CollectFunction\w+\.Arn>$/)
  const defaults = stackOf(templatesOf({}), 'Pipeline')
  expect(JSON.stringify(defaults)).not.toContain('collect')
})

it('the schedule of reports may start that function and nothing else', () => {
  const presentation = stackOf(templates, 'Presentation')
  const [only, ...more] = statementsOf(
    findOne(presentation, 'AWS::IAM::Policy', 'ReportsScheduleRole'),
  )
  expect(more).toEqual([])
  expect(only?.Action).toBe('lambda:InvokeFunction')
  expect(textOf(only?.Resource)).toMatch(/^<ReportsFunction\w+\.Arn>$/)
  const defaults = JSON.stringify([...templatesOf({}).values()])
  expect(defaults).not.toMatch(/tidemark-reports|SMTP/)
})

it('the schedule may start the machine and nothing else', () => {
  expect(statementsOf(findOne(pipeline, 'AWS::IAM::Policy', 'SchedulerRole'))).toEqual([
    { Effect: 'Allow', Action: 'states:StartExecution', Resource: { Ref: matching('^Run') } },
  ])
})

it('I3: no role of ours deletes anything, or puts anything but what it creates', () => {
  const actions = policies
    .filter(({ at }) => !isHelper(at))
    .flatMap(({ statements }) => statements.flatMap(({ Action }) => listOf(Action)))
  const changes = actions.filter((action) =>
    /:(Delete|Put|Update|Create|Modify|Remove|Restore|Replicate|Bypass)/.test(action),
  )
  expect([...new Set(changes)].toSorted()).toEqual([
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:ModifyNetworkInterfaceAttribute',
    'logs:CreateLogDelivery',
    'logs:CreateLogStream',
    'logs:DeleteLogDelivery',
    'logs:PutLogEvents',
    'logs:PutResourcePolicy',
    'logs:UpdateLogDelivery',
    's3:PutObject',
    'xray:PutTelemetryRecords',
    'xray:PutTraceSegments',
  ])
})

/** Tracing, network interfaces, delivery of logs, alarms: none of them can be narrowed. */
const NO_RESOURCE =
  /^(xray:\w+|ec2:\w+|logs:(\w*LogDeliver\w+|DescribeLogGroups|\w+ResourcePolic\w+)|cloudwatch:DescribeAlarms)$/

it('no action has a `*`, and only what cannot be narrowed is allowed on everything', () => {
  for (const { at, statements } of policies.filter((policy) => !isHelper(policy.at))) {
    for (const { Action, Resource } of statements) {
      expect(
        listOf(Action).filter((action) => action.includes('*')),
        at,
      ).toEqual([])
      const wide = Resource === '*' ? listOf(Action) : []
      expect(
        wide.filter((action) => !NO_RESOURCE.test(action)),
        at,
      ).toEqual([])
    }
  }
})

it("CDK's own function writes to the bucket of the site's files alone", () => {
  const helper = policies.filter(({ at }) => isHelper(at))
  expect(helper.map(({ at }) => at.split('/')[0])).toEqual(['Presentation'])
  const writes = helper[0]?.statements.filter(({ Action }) =>
    listOf(Action).some((action) => /Put|Delete/.test(action)),
  )
  expect(writes?.flatMap(({ Resource }) => listOf(Resource).map(textOf))).toEqual([
    matching('^<SiteFiles\\w+\\.Arn>$'),
    matching('^<SiteFiles\\w+\\.Arn>/\\*$'),
  ])
})

function matching(pattern: string): unknown {
  return expect.stringMatching(pattern)
}
