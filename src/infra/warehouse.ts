import { type App, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { InstanceType } from 'aws-cdk-lib/aws-ec2'
import {
  CaCertificate,
  type CfnDBInstance,
  Credentials,
  DatabaseInstance,
  DatabaseInstanceEngine,
  ParameterGroup,
  PostgresEngineVersion,
  StorageType,
} from 'aws-cdk-lib/aws-rds'
import { acknowledge } from './acknowledge.ts'
import { type Network, POSTGRES_PORT } from './network.ts'
import { output } from './output.ts'
import type { Parameters } from './parameters.ts'

/** The stack of the warehouse and its database. */
export interface MadeWarehouse {
  readonly stack: Stack
  readonly instance: DatabaseInstance
}

/**
 * Creates the warehouse: an RDS Postgres that only the functions reach, and only over TLS. No function
 * is its owner: the roles that load and read are created once, by hand (`docs/aws.md`).
 */
export function createWarehouse(
  app: App,
  {
    parameters,
    network,
    ...props
  }: StackProps & { readonly parameters: Parameters; readonly network: Network },
): MadeWarehouse {
  const { name } = parameters
  const stack = new Stack(app, 'Warehouse', {
    ...props,
    stackName: `${name}-warehouse`,
    description: 'Tidemark: the warehouse. A last snapshot stays when the stack is deleted.',
    terminationProtection: true,
  })
  const engine = DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_17 })
  const instance = new DatabaseInstance(stack, 'Database', {
    engine,
    instanceIdentifier: `${name}-warehouse`,
    instanceType: new InstanceType(parameters.databaseClass),
    databaseName: parameters.warehouseDatabase,
    port: POSTGRES_PORT,
    vpc: network.vpc,
    vpcSubnets: { subnetType: network.subnetType },
    securityGroups: [network.database],
    publiclyAccessible: false,
    // RDS creates the password, keeps it in Secrets Manager and changes it every week.
    credentials: Credentials.fromUsername('tidemark_owner'),
    manageMasterUserPassword: true,
    parameterGroup: new ParameterGroup(stack, 'Settings', {
      engine,
      description: 'Warehouse of Tidemark',
      parameters: { 'rds.force_ssl': '1' },
    }),
    caCertificate: CaCertificate.RDS_CA_RSA2048_G1,
    storageType: StorageType.GP3,
    allocatedStorage: parameters.databaseGb,
    maxAllocatedStorage: parameters.databaseGb * 5,
    storageEncrypted: true,
    multiAz: parameters.databaseMultiAz,
    backupRetention: Duration.days(parameters.databaseBackupDays),
    copyTagsToSnapshot: true,
    deletionProtection: true,
    deleteAutomatedBackups: false,
    removalPolicy: RemovalPolicy.SNAPSHOT,
    autoMinorVersionUpgrade: true,
  })
  acknowledge(instance, {
    'AwsSolutions-RDS3':
      'A standby doubles the price, and the warehouse can be rebuilt from the lake; databaseMultiAz=true makes one.',
    'AwsSolutions-RDS11':
      'The port is reachable for the functions only; another number would hide nothing from them.',
  })
  output(stack, {
    WarehouseHost: instance.dbInstanceEndpointAddress,
    WarehouseOwnerSecret: (instance.node.defaultChild as CfnDBInstance)
      .attrMasterUserSecretSecretArn,
  })
  return { stack, instance }
}
