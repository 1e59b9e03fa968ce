import { Duration, RemovalPolicy, Size, type Stack } from 'aws-cdk-lib'
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  type Code,
  Function as LambdaFunction,
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

/** What a function may do in a zone, by the keys below it. */
export interface ZoneRights {
  readonly read?: string
  readonly create?: string
}

export interface FunctionProps {
  readonly name: FunctionName
  readonly code: Code
  readonly parameters: Parameters
  /** Where it runs; without, in Lambda's own network, which reaches the internet and no VPC. */
  readonly network?: Network | undefined
  /** The database it talks to. */
  readonly secret?: keyof typeof SECRET_SETTINGS
  readonly zones: Partial<Record<ZoneName, ZoneRights>>
  /** A place of others' that it may read: `s3://bucket/prefix`. */
  readonly drop?: string | undefined
  readonly environment?: Readonly<Record<string, string>>
}

export interface MadeFunction {
  readonly name: FunctionName
  readonly lambda: LambdaFunction
  readonly logGroup: LogGroup
  readonly errors: Metric
  readonly throttles: Metric
}

/** DuckDB's share of the memory. The rest is for Node, and for what DuckDB does not count. */
const DUCKDB_SHARE = 0.5

/** Memory that comes with one vCPU. */
const VCPU_MB = 1769

/**
 * A function with its log and its role. The role may do what is said here and nothing else: no
 * managed policy, and nothing that deletes.
 */
export function createFunction(stack: Stack, props: FunctionProps): MadeFunction {
  const { name, parameters, network } = props
  const id = name.charAt(0).toUpperCase() + name.slice(1)
  const functionName = `${parameters.name}-${name}`
  const { memoryMb, scratchMb, handler } = FUNCTIONS[name]
  const timeoutSeconds = isStage(name)
    ? Math.min(FUNCTIONS[name].timeoutSeconds, WORKFLOWS[parameters.workflow].stageSeconds)
    : FUNCTIONS[name].timeoutSeconds
  const logGroup = new LogGroup(stack, `${id}Log`, {
    logGroupName: `/aws/lambda/${functionName}`,
    retention: parameters.logDays,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const role = new Role(stack, `${id}Role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Tidemark: what the function ${functionName} may do`,
  })
  const allow = (sid: string, actions: string[], resource: string): void => {
    role.addToPolicy(new PolicyStatement({ sid, actions, resources: [resource] }))
  }
  const allowKeys = (sid: string, action: string, arn: string): void => {
    allow(sid, [action], arn)
    acknowledge(role, {
      [wildcardResource(stack, arn)]:
        'The right ends with this part of a zone, whose keys are made as the log grows.',
    })
  }
  allow('Log', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)
  allow('Trace', ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*')
  if (network !== undefined) allow('JoinNetwork', NETWORK_ACTIONS, '*')
  for (const zone of ['ingestion', 'processed'] as const) {
    const rights = props.zones[zone]
    if (rights === undefined) continue
    const title = zone.charAt(0).toUpperCase() + zone.slice(1)
    const bucketArn = `arn:${stack.partition}:s3:::${zoneBucketName(stack, parameters, zone)}`
    // Without it S3 answers 403 where there is no object, and the end of the log is never found. No
    // condition on the prefix: a GetObject has none.
    allow(`Find${title}`, ['s3:ListBucket'], bucketArn)
    const { read, create } = rights
    if (read !== undefined)
      allowKeys(`Read${title}`, 's3:GetObject', `${bucketArn}/${zone}/${read}`)
    if (create !== undefined) {
      allowKeys(`Create${title}`, 's3:PutObject', `${bucketArn}/${zone}/${create}`)
    }
  }
  if (props.drop !== undefined) {
    const [bucket = '', ...prefix] = props.drop.slice('s3://'.length).split('/')
    const bucketArn = `arn:${stack.partition}:s3:::${bucket}`
    allow('FindDropped', ['s3:ListBucket'], bucketArn)
    allowKeys('ReadDropped', 's3:GetObject', [bucketArn, ...prefix, '*'].join('/'))
  }
  const secrets: Record<string, string> = {}
  if (props.secret !== undefined) {
    const secretName = SECRET_NAMES[props.secret](parameters)
    const { secretArn } = Secret.fromSecretNameV2(stack, `${id}Secret`, secretName)
    // Secrets Manager puts a hyphen and six characters behind the name.
    allow('ReadSecret', ['secretsmanager:GetSecretValue'], `${secretArn}-??????`)
    secrets[SECRET_SETTINGS[props.secret]] = secretName
  }
  acknowledge(role, {
    'AwsSolutions-IAM5[Resource::*]': 'Tracing, and joining a network, know no resources.',
  })

  const lambda = new LambdaFunction(stack, `${id}Function`, {
    functionName,
    description: `Tidemark: ${name}`,
    runtime: new Runtime(RUNTIME, RuntimeFamily.NODEJS),
    architecture: ARCHITECTURES[parameters.architecture],
    code: props.code,
    handler,
    memorySize: memoryMb,
    timeout: Duration.seconds(timeoutSeconds),
    ephemeralStorageSize: Size.mebibytes(scratchMb),
    role: role.withoutPolicyUpdates(),
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    tracing: Tracing.ACTIVE,
    environment: {
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
      // Lambda's own list of authorities, that of RDS among them, which Node does not read by itself.
      NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
      ...secrets,
      ...props.environment,
    },
    ...(network === undefined
      ? {}
      : {
          vpc: network.vpc,
          vpcSubnets: { subnetType: network.subnetType },
          securityGroups: [network.client],
        }),
  })
  // Its role's policy is made apart from it; without its rights the first invocation would fail.
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

/** Whether the state machine waits for it. */
function isStage(name: FunctionName): boolean {
  return name === 'extract' || name === 'transform' || name === 'load'
}

const ARCHITECTURES = { arm64: Architecture.ARM_64, x64: Architecture.X86_64 }

const SECRET_NAMES = {
  source: ({ sourceSecret }: Parameters) => sourceSecret,
  warehouse: ({ warehouseSecret }: Parameters) => warehouseSecret,
  reader: ({ readerSecret }: Parameters) => readerSecret,
} as const satisfies Record<keyof typeof SECRET_SETTINGS, unknown>

/** What Lambda needs to give a function its network interface. */
const NETWORK_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]
