import { type App, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { acknowledge } from './acknowledge.ts'
import { output } from './output.ts'
import type { Parameters } from './parameters.ts'

/** The buckets of the lake. */
export interface Storage {
  readonly stack: Stack
  readonly ingestion: IBucket
  readonly processed: IBucket
}

/**
 * The name of a zone's bucket. CloudFormation does not choose it, so a deployment over a lake that
 * stayed fails and says so, instead of beginning a second lake.
 */
export function zoneBucketName(stack: Stack, { name }: Parameters, zone: ZoneName): string {
  return `${name}-${zone}-${stack.account}-${stack.region}`
}

/** A zone of the lake. */
export type ZoneName = 'ingestion' | 'processed'

/** Creates the two zones of the lake, in buckets where nobody can overwrite or delete objects (I3). */
export function createStorage(
  app: App,
  { parameters, ...props }: StackProps & { readonly parameters: Parameters },
): Storage {
  const stack = new Stack(app, 'Storage', {
    ...props,
    stackName: `${parameters.name}-storage`,
    description: 'Tidemark: the lake. Its buckets stay when the stack is deleted.',
    terminationProtection: true,
  })
  const accessLogs = createBucket(stack, 'AccessLogs', {
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    lifecycleRules: [{ expiration: Duration.days(parameters.accessLogDays) }],
    removalPolicy: RemovalPolicy.RETAIN,
  })
  acknowledge(accessLogs, {
    'AwsSolutions-S1': 'Access logs go to this bucket; a log of it would log itself.',
  })
  const ingestion = createZone(stack, { parameters, zone: 'ingestion', accessLogs })
  const processed = createZone(stack, { parameters, zone: 'processed', accessLogs })
  output(stack, {
    IngestionBucket: ingestion.bucketName,
    ProcessedBucket: processed.bucketName,
    AccessLogsBucket: accessLogs.bucketName,
  })
  return { stack, ingestion, processed }
}

function createZone(
  stack: Stack,
  { parameters, zone, accessLogs }: { parameters: Parameters; zone: ZoneName; accessLogs: IBucket },
): IBucket {
  const bucket = createBucket(stack, zone === 'ingestion' ? 'Ingestion' : 'Processed', {
    bucketName: zoneBucketName(stack, parameters, zone),
    versioned: true,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    serverAccessLogsBucket: accessLogs,
    serverAccessLogsPrefix: `${zone}/`,
    // Tidemark begins no multipart upload. One that somebody else abandons would cost money for ever.
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    removalPolicy: RemovalPolicy.RETAIN,
  })
  const everybody = {
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    resources: [bucket.arnForObjects('*')],
  }
  bucket.addToResourcePolicy(
    new PolicyStatement({
      ...everybody,
      sid: 'CreateOnly',
      actions: ['s3:PutObject'],
      // The parts of a multipart upload cannot carry the condition; its completion can.
      conditions: {
        Null: { 's3:if-none-match': 'true' },
        Bool: { 's3:ObjectCreationOperation': 'true' },
      },
    }),
  )
  bucket.addToResourcePolicy(
    new PolicyStatement({
      ...everybody,
      sid: 'NeverDelete',
      actions: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
    }),
  )
  return bucket
}

/** Creates a bucket with what every bucket has: encryption, TLS only, and no public access. */
export function createBucket(stack: Stack, id: string, props: BucketProps): IBucket {
  // CDK's classes leave out what its interfaces call optional; see exactOptionalPropertyTypes.
  return new Bucket(stack, id, {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    ...props,
  }) as IBucket
}
