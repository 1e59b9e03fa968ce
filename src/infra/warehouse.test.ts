import { describe, expect, it } from 'vitest'
import { EVERYTHING } from './synthesize.ts'
import { findOne, stackOf, templatesOf } from './template-facts.ts'
import { resourcesOf, type StackTemplate, textOf } from './template.ts'

const templates = templatesOf(EVERYTHING)

it('the warehouse is private, encrypted, backed up and not deleted by accident', () => {
  const warehouse = stackOf(templates, 'Warehouse')
  const [[, properties, resource] = []] = resourcesOf(warehouse, 'AWS::RDS::DBInstance')
  expect(properties).toMatchObject({
    PubliclyAccessible: false,
    StorageEncrypted: true,
    BackupRetentionPeriod: 7,
    DeletionProtection: true,
    ManageMasterUserPassword: true,
  })
  expect(properties?.['MasterUserPassword']).toBeUndefined()
  const [version] = String(properties?.['EngineVersion']).split('.')
  expect(Number(version)).toBeGreaterThanOrEqual(16)
  expect(resource?.DeletionPolicy).toBe('Snapshot')
  expect(findOne(warehouse, 'AWS::RDS::DBParameterGroup')).toMatchObject({
    Parameters: { 'rds.force_ssl': '1' },
  })
})

describe('the network', () => {
  const network = stackOf(templates, 'Network')

  it('has no way in or out, and keeps a log', () => {
    expect(resourcesOf(network, 'AWS::EC2::InternetGateway')).toEqual([])
    expect(resourcesOf(network, 'AWS::EC2::NatGateway')).toEqual([])
    expect(findOne(network, 'AWS::EC2::FlowLog')).toMatchObject({ TrafficType: 'ALL' })
    const services = resourcesOf(network, 'AWS::EC2::VPCEndpoint').map(([, { ServiceName }]) =>
      textOf(ServiceName),
    )
    expect(services).toEqual([
      'com.amazonaws.<AWS::Region>.s3',
      'com.amazonaws.<AWS::Region>.secretsmanager',
      'com.amazonaws.<AWS::Region>.email-smtp',
    ])
  })

  it('lets mail out only if reports are sent, and then to mail servers over TLS', () => {
    const portsOf = (given: Readonly<Record<string, unknown>>) => {
      const group = findOne(
        stackOf(templatesOf({ ...EVERYTHING, ...given }), 'Network'),
        'AWS::EC2::SecurityGroup',
        'Client',
      )
      const rules = group['SecurityGroupEgress'] as { CidrIp?: string; FromPort: number }[]
      return rules.flatMap(({ CidrIp, FromPort }) => (CidrIp === undefined ? [] : [FromPort]))
    }
    const off = { reportsFile: undefined, mailFrom: undefined }
    expect(portsOf({})).toEqual([443, 465, 587])
    expect(portsOf(off)).toEqual([443])
    expect(portsOf({ natGateways: 1 })).toEqual([443, 5432, 465, 587])
    const endpoints = (given: Readonly<Record<string, unknown>>) =>
      JSON.stringify(stackOf(templatesOf({ ...EVERYTHING, ...given }), 'Network'))
    expect(endpoints(off)).not.toContain('email-smtp')
    expect(endpoints({ natGateways: 1 })).not.toContain('email-smtp')
  })

  it('lets only functions and QuickSight reach the database, on its port', () => {
    const groupOf = (value: unknown) => textOf(value).replace(/^<([A-Z][a-z]+)\w+\.GroupId>$/, '$1')
    const rules = resourcesOf(network, 'AWS::EC2::SecurityGroupIngress').map(
      ([, { GroupId, SourceSecurityGroupId, FromPort, ToPort }]) => [
        groupOf(SourceSecurityGroupId),
        groupOf(GroupId),
        FromPort,
        ToPort,
      ],
    )
    expect(rules.filter(([, to]) => to === 'Database')).toEqual([
      ['Client', 'Database', 5432, 5432],
      ['Reporting', 'Database', 5432, 5432],
    ])
    const inline = resourcesOf(network, 'AWS::EC2::SecurityGroup').map(
      ([, { SecurityGroupIngress }]) => SecurityGroupIngress,
    )
    expect(inline).toEqual([undefined, undefined, undefined, undefined, undefined])
  })

  it('is joined by load and api, and by extract if there is a way out to the source', () => {
    const inNetwork = (all: ReadonlyMap<string, StackTemplate>) =>
      ['Pipeline', 'Presentation'].flatMap((id) =>
        resourcesOf(stackOf(all, id), 'AWS::Lambda::Function').flatMap(([name, { VpcConfig }]) =>
          VpcConfig === undefined ? [] : [name.replace(/Function\w+$/, '')],
        ),
      )
    expect(inNetwork(templatesOf({ alertEmail: 'alerts@example.org' }))).toEqual([])
    expect(inNetwork(templates)).toEqual(['Load', 'Api', 'Reports'])
    expect(inNetwork(templatesOf({ ...EVERYTHING, natGateways: 1 }))).toEqual([
      'Extract',
      'Transform',
      'Load',
      'Api',
      'Reports',
    ])
  })
})
