import { expect, it } from 'vitest'
import { EVERYTHING, synthesize } from './synthesize.ts'
import { findOne, stackOf, statementsOf, templatesOf } from './template-facts.ts'
import { resourcesOf } from './template.ts'

const templates = templatesOf(EVERYTHING)
const storage = stackOf(templates, 'Storage')

const buckets = [...templates].flatMap(([id, template]) =>
  resourcesOf(template, 'AWS::S3::Bucket').map(
    ([bucket, properties]) => [`${id}/${bucket}`, properties] as const,
  ),
)

it('there are five buckets', () => {
  expect(buckets.length).toBe(5)
})

it.each(buckets)('%s is encrypted, not public, and for TLS 1.2 only', (at, properties) => {
  const [id = '', bucket = ''] = at.split('/')
  expect(properties['BucketEncryption']).toMatchObject({
    ServerSideEncryptionConfiguration: [
      { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } },
    ],
  })
  expect(properties['PublicAccessBlockConfiguration']).toEqual({
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  })
  const statements = statementsOf(
    findOne(stackOf(templates, id), 'AWS::S3::BucketPolicy', bucket.slice(0, -8)),
  )
  for (const Condition of [
    { Bool: { 'aws:SecureTransport': 'false' } },
    { NumericLessThan: { 's3:TlsVersion': 1.2 } },
  ]) {
    expect(statements).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Action: 's3:*',
        Principal: { AWS: '*' },
        Condition,
      }),
    )
  }
})

it.each(['Ingestion', 'Processed'])('%s is versioned, logged, and stays', (zone) => {
  const [, properties, resource] =
    resourcesOf(storage, 'AWS::S3::Bucket').find(([id]) => id.startsWith(zone)) ?? []
  expect(properties).toMatchObject({
    VersioningConfiguration: { Status: 'Enabled' },
    LoggingConfiguration: { LogFilePrefix: `${zone.toLowerCase()}/` },
    OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    // Nothing ever expires an object of the lake.
    LifecycleConfiguration: {
      Rules: [{ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: 'Enabled' }],
    },
  })
  expect(JSON.stringify(properties?.['LifecycleConfiguration'])).not.toContain('Expiration')
  expect(resource?.DeletionPolicy).toBe('Retain')
})

it.each(['Ingestion', 'Processed'])('I3: %s refuses to overwrite and to delete', (zone) => {
  const statements = statementsOf(findOne(storage, 'AWS::S3::BucketPolicy', zone))
  const [bucket = ''] =
    resourcesOf(storage, 'AWS::S3::Bucket').find(([id]) => id.startsWith(zone)) ?? []
  const Resource = { 'Fn::Join': ['', [{ 'Fn::GetAtt': [bucket, 'Arn'] }, '/*']] }
  expect(statements).toContainEqual({
    Sid: 'CreateOnly',
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 's3:PutObject',
    Resource,
    Condition: {
      Null: { 's3:if-none-match': 'true' },
      Bool: { 's3:ObjectCreationOperation': 'true' },
    },
  })
  expect(statements).toContainEqual({
    Sid: 'NeverDelete',
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
    Resource,
  })
  expect(statements.filter(({ Effect }) => Effect === 'Allow')).toEqual([])
})

it('the stacks with irreplaceable data are protected', () => {
  using made = synthesize(EVERYTHING)
  expect(made.protectedStacks).toEqual(['Storage', 'Warehouse'])
})
