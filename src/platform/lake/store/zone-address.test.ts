import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { parseZoneAddress } from './zone-address.ts'

it.each([
  ['zones/in', { kind: 'directory', path: resolve('zones/in') }],
  ['/zones/s3:', { kind: 'directory', path: '/zones/s3:' }],
  ['./s3:zone', { kind: 'directory', path: resolve('s3:zone') }],
  ['zones/10:30', { kind: 'directory', path: resolve('zones/10:30') }],
  ['s3://lake', { kind: 'bucket', bucket: 'lake', prefix: '' }],
  ['s3://lake/', { kind: 'bucket', bucket: 'lake', prefix: '' }],
  ['s3://my.lake-1/a/b=c', { kind: 'bucket', bucket: 'my.lake-1', prefix: 'a/b=c' }],
  ['S3://lake/a/', { kind: 'bucket', bucket: 'lake', prefix: 'a' }],
])('parseZoneAddress() reads %s', (address, parsed) => {
  expect(parseZoneAddress(address)).toEqual(parsed)
})

it.each([
  's3:/bucket',
  's3:bucket/prefix',
  'file:/zones',
  'gs:bucket',
  's3://',
  's3:///a',
  's3://ab',
  's3://UPPER',
  's3://a..b',
  's3://key:secret@bucket',
  's3://bucket//a',
  's3://bucket/../a',
  's3://bucket/.hidden',
  's3://bucket/a b',
  's3://bucket/a?versionId=1',
  's3://bucket/a#b',
  'gs://bucket',
  'file:///zones',
  'https://bucket.s3.amazonaws.com/a',
])('parseZoneAddress() refuses %s', (address) => {
  expect(parseZoneAddress(address)).toBeUndefined()
})
