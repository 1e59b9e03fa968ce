import { Duration, RemovalPolicy, Size, type Stack } from 'aws-cdk-lib'
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  type Code,
  Function as LambdaFunction,
  type FunctionProps as LambdaFunctionProps,
  LoggingFormat,
  Runtime,
  RuntimeFamily,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { type FunctionName, FUNCTIONS, RUNTIME, SECRET_SETTINGS } from '../apps/aws/functions.ts'
import { NAMESPACE, SERVICE } from '../apps/aws/metrics.ts'
import { acknowledge, wildcardResource } from './acknowledge.ts'
import { WORKFLOWS } from '../apps/aws/state-machine.ts'
import type { Network } from './network.ts'
import type { Parameters } from './parameters.ts'
import { type ZoneName, zoneBucketName } from './storage.ts'

/** The keys in a zone that a function may read and create. */
export interface ZoneRights {
  readonly read?: string
  readonly create?: string
}

/** A role of a database whose connection is in a secret. */
type SecretOf = keyof typeof SECRET_SETTINGS

/** What a function consists of and what it may do. */
export interface FunctionProps {
  readonly name: FunctionName
  readonly code: Code
  readonly parameters: Parameters
  /** The network it runs in. Without one: Lambda's own, which reaches the internet but no VPC. */
  readonly network?: Network | undefined
  /** The roles with which it connects to databases. A role without a secret is left out. */
  readonly secrets?: readonly SecretOf[]
  readonly zones: Partial<Record<ZoneName, ZoneRights>>
  /** A drop in somebody else's bucket that it may read: `s3://bucket/prefix`. */
  readonly drop?: string | undefined
  /** The file that declares the reports which this function sends: `s3://bucket/key`. */
  readonly reports?: string | undefined
  readonly environment?: Readonly<Record<string, string>>
}

/** A function with its log and the metrics that alarms use. */
export interface MadeFunction {
  readonly name: FunctionName
  readonly lambda: LambdaFunction
  readonly logGroup: LogGroup
  readonly errors: Metric
  readonly throttles: Metric
}

/** DuckDB's share of the memory. The rest is for Node and for memory that DuckDB does not count. */
const DUCKDB_SHARE = 0.5

/** The memory that brings one vCPU. */
const VCPU_MB = 1769

/**
 * Creates a function with its log and its role. The role may do only what its props ask for: it has no
 * managed policy and never deletes.
 */
export function createFunction(stack: Stack, props: FunctionProps): MadeFunction {
  const { name, parameters } = props
  const id = capitalize(name)
  const functionName = `${parameters.name}-${name}`
  const { memoryMb, scratchMb, handler } = FUNCTIONS[name]
  const logGroup = new LogGroup(stack, `${id}Log`, {
    logGroupName: `/aws/lambda/${functionName}`,
    retention: parameters.logDays,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const role = createRole(stack, props, { functionName, logGroup })
  const lambda = new LambdaFunction(stack, `${id}Function`, {
    functionName,
    description: `Tidemark: ${name}`,
    runtime: new Runtime(RUNTIME, RuntimeFamily.NODEJS),
    architecture: ARCHITECTURES[parameters.architecture],
    code: props.code,
    handler,
    memorySize: memoryMb,
    timeout: Duration.seconds(timeoutSecondsOf(props)),
    ephemeralStorageSize: Size.mebibytes(scratchMb),
    role: role.withoutPolicyUpdates(),
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    tracing: Tracing.ACTIVE,
    environment: environmentOf(stack, props),
    ...placeIn(props.network),
  })
  // The policy is a resource of its own. Without it the first invocation would fail.
  lambda.node.addDependency(role)
  const period = Duration.minutes(5)
  return {
    name,
    lambda,
    logGroup,
    errors: lambda.metricErrors({ period }),
    throttles: lambda.metricThrottles({ period }),
  }
}

function createRole(
  stack: Stack,
  props: FunctionProps,
  { functionName, logGroup }: { functionName: string; logGroup: LogGroup },
): Role {
  const role = new Role(stack, `${capitalize(props.name)}Role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Tidemark: what the function ${functionName} may do`,
  })
  const rights = rightsOf(stack, role)
  rights.allow('Log', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)
  rights.allow('Trace', ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*')
  if (props.network !== undefined) rights.allow('JoinNetwork', NETWORK_ACTIONS, '*')
  allowZones(stack, props, rights)
  if (props.drop !== undefined) allowDrop(stack, props.drop, rights)
  allowSecrets(stack, props, rights)
  if (props.reports !== undefined) allowReports(stack, props, rights)
  acknowledge(role, {
    'AwsSolutions-IAM5[Resource::*]': 'Tracing, and joining a network, know no resources.',
  })
  return role
}

interface Rights {
  allow(sid: string, actions: string[], resource: string): void
  /** Allows an action on all keys that match, which a security check must be told about. */
  allowKeys(sid: string, action: string, arn: string): void
}

function rightsOf(stack: Stack, role: Role): Rights {
  const allow: Rights['allow'] = (sid, actions, resource) => {
    role.addToPolicy(new PolicyStatement({ sid, actions, resources: [resource] }))
  }
  return {
    allow,
    allowKeys(sid, action, arn) {
      allow(sid, [action], arn)
      acknowledge(role, {
        [wildcardResource(stack, arn)]:
          'The right ends with this part of a zone, whose keys are made as the log grows.',
      })
    },
  }
}

function allowZones(stack: Stack, { zones, parameters }: FunctionProps, rights: Rights): void {
  for (const zone of ['ingestion', 'processed'] as const) {
    const wanted = zones[zone]
    if (wanted === undefined) continue
    const title = capitalize(zone)
    const bucketArn = `arn:${stack.partition}:s3:::${zoneBucketName(stack, parameters, zone)}`
    // Without this right S3 answers 403 for an object that does not exist, and the end of the log
    // is never found. No condition on the prefix, because a GetObject has no prefix.
    rights.allow(`Find${title}`, ['s3:ListBucket'], bucketArn)
    const { read, create } = wanted
    const keys = `${bucketArn}/${zone}`
    if (read !== undefined) rights.allowKeys(`Read${title}`, 's3:GetObject', `${keys}/${read}`)
    if (create !== undefined) {
      rights.allowKeys(`Create${title}`, 's3:PutObject', `${keys}/${create}`)
    }
  }
}

function allowDrop(stack: Stack, drop: string, rights: Rights): void {
  const [bucket = '', ...prefix] = drop.slice('s3://'.length).split('/')
  const bucketArn = `arn:${stack.partition}:s3:::${bucket}`
  rights.allow('FindDropped', ['s3:ListBucket'], bucketArn)
  rights.allowKeys('ReadDropped', 's3:GetObject', [bucketArn, ...prefix, '*'].join('/'))
}

function allowSecrets(stack: Stack, props: FunctionProps, rights: Rights): void {
  for (const { secret, secretName } of secretsOf(props)) {
    const which = secret === 'saver' ? 'SaverSecret' : 'Secret'
    const id = `${capitalize(props.name)}${which}`
    const { secretArn } = Secret.fromSecretNameV2(stack, id, secretName)
    // Secrets Manager appends a hyphen and six characters to the name.
    rights.allow(`Read${which}`, ['secretsmanager:GetSecretValue'], `${secretArn}-??????`)
  }
}

/** Lets a function read the reports file and the mail server's secret, and record what was sent. */
function allowReports(
  stack: Stack,
  { parameters, reports = '' }: FunctionProps,
  rights: Rights,
): void {
  const fileArn = `arn:${stack.partition}:s3:::${reports.slice('s3://'.length)}`
  rights.allow('ReadReports', ['s3:GetObject'], fileArn)
  const bucketArn = `arn:${stack.partition}:s3:::${zoneBucketName(stack, parameters, 'processed')}`
  rights.allow('FindSent', ['s3:ListBucket'], bucketArn)
  rights.allowKeys('ReadSent', 's3:GetObject', `${bucketArn}/${SENT_PREFIX}/*`)
  rights.allowKeys('CreateSent', 's3:PutObject', `${bucketArn}/${SENT_PREFIX}/*`)
  const secret = Secret.fromSecretNameV2(stack, 'MailSecret', parameters.smtpSecret)
  const secretArn = `${secret.secretArn}-??????`
  rights.allow('ReadMailSecret', ['secretsmanager:GetSecretValue'], secretArn)
}

/** The prefix under which sent mails are recorded, beside the processed zone in its bucket. */
export const SENT_PREFIX = 'reports'

function secretsOf({
  secrets = [],
  parameters,
}: FunctionProps): { readonly secret: SecretOf; readonly secretName: string }[] {
  return secrets.flatMap((secret) => {
    const secretName = SECRET_NAMES[secret](parameters)
    return secretName === undefined ? [] : [{ secret, secretName }]
  })
}

function environmentOf(stack: Stack, props: FunctionProps): Record<string, string> {
  const { name, parameters } = props
  const { memoryMb } = FUNCTIONS[name]
  const secrets = secretsOf(props).map(({ secret, secretName }) => [
    SECRET_SETTINGS[secret],
    secretName,
  ])
  return {
    TIDEMARK_INGESTION: `s3://${zoneBucketName(stack, parameters, 'ingestion')}/ingestion`,
    TIDEMARK_PROCESSED: `s3://${zoneBucketName(stack, parameters, 'processed')}/processed`,
    TIDEMARK_SCRATCH: '/tmp/tidemark',
    TIDEMARK_MEMORY_MB: String(Math.floor(memoryMb * DUCKDB_SHARE)),
    TIDEMARK_THREADS: String(Math.max(1, Math.round(memoryMb / VCPU_MB))),
    TIDEMARK_PROMISE_MINUTES: String(parameters.promiseMinutes),
    TIDEMARK_WAREHOUSE_SCHEMA: parameters.warehouseSchema,
    TIDEMARK_WAREHOUSE_READER: parameters.warehouseReader,
    POWERTOOLS_SERVICE_NAME: SERVICE,
    POWERTOOLS_METRICS_NAMESPACE: NAMESPACE,
    // Lambda's own certificate authorities, RDS among them, which Node does not read by itself.
    NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
    ...(Object.fromEntries(secrets) as Record<string, string>),
    ...props.environment,
  }
}

function placeIn(
  network: Network | undefined,
): Pick<LambdaFunctionProps, 'vpc' | 'vpcSubnets' | 'securityGroups'> {
  if (network === undefined) return {}
  return {
    vpc: network.vpc,
    vpcSubnets: { subnetType: network.subnetType },
    securityGroups: [network.client],
  }
}

/** The time limit of a function. A stage also ends within the state machine's limit. */
function timeoutSecondsOf({ name, parameters }: FunctionProps): number {
  const { timeoutSeconds } = FUNCTIONS[name]
  return isStage(name)
    ? Math.min(timeoutSeconds, WORKFLOWS[parameters.workflow].stageSeconds)
    : timeoutSeconds
}

/** Whether the state machine calls this function. */
function isStage(name: FunctionName): boolean {
  return name === 'extract' || name === 'transform' || name === 'load'
}

const ARCHITECTURES = { arm64: Architecture.ARM_64, x64: Architecture.X86_64 }

const SECRET_NAMES = {
  source: ({ sourceSecret }: Parameters) => sourceSecret,
  warehouse: ({ warehouseSecret }: Parameters) => warehouseSecret,
  reader: ({ readerSecret }: Parameters) => readerSecret,
  saver: ({ saverSecret }: Parameters) => saverSecret,
} as const satisfies Record<SecretOf, unknown>

/** The actions that Lambda needs to give a function its network interface. */
const NETWORK_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]

function capitalize(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
