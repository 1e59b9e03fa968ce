import { type App, Fn, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  type IVpc,
  IpAddresses,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Parameters } from './parameters.ts'

export interface Network {
  readonly stack: Stack
  readonly vpc: IVpc
  /** Where functions and database are: with a NAT gateway there is a way out, but none in. */
  readonly subnetType: SubnetType
  /** Of the functions. */
  readonly client: SecurityGroup
  /** Of the warehouse: the functions may connect to it, nobody else. */
  readonly database: SecurityGroup
  /** Of QuickSight, where it is wanted. */
  readonly reporting: SecurityGroup | undefined
}

export const POSTGRES_PORT = 5432

/** Takes the first two zones of whatever region it is in: CDK would ask the account which there are. */
class NetworkStack extends Stack {
  override get availabilityZones(): string[] {
    return [Fn.select(0, Fn.getAzs()), Fn.select(1, Fn.getAzs())]
  }
}

/** A VPC in which functions reach S3, Secrets Manager and the warehouse, and nobody reaches them. */
export function createNetwork(
  app: App,
  { parameters, ...props }: StackProps & { readonly parameters: Parameters },
): Network {
  const { name, natGateways, logDays, quicksight } = parameters
  const stack = new NetworkStack(app, 'Network', {
    ...props,
    stackName: `${name}-network`,
    description: 'Tidemark: the network of the functions and of the warehouse.',
  })
  const hasExit = natGateways > 0
  const subnetType = hasExit ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PRIVATE_ISOLATED
  const made = new Vpc(stack, 'Vpc', {
    ipAddresses: IpAddresses.cidr('10.40.0.0/20'),
    maxAzs: 2,
    natGateways,
    restrictDefaultSecurityGroup: false,
    subnetConfiguration: [
      { name: 'private', subnetType, cidrMask: 24 },
      ...(hasExit
        ? [
            {
              name: 'public',
              subnetType: SubnetType.PUBLIC,
              cidrMask: 26,
              mapPublicIpOnLaunch: false,
            },
          ]
        : []),
    ],
  })
  // CDK's classes leave out what its interfaces call optional; see exactOptionalPropertyTypes.
  const vpc = made as IVpc
  const flowLog = new LogGroup(stack, 'FlowLog', {
    logGroupName: `/${name}/network`,
    retention: logDays,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  vpc.addFlowLog('Flow', {
    destination: FlowLogDestination.toCloudWatchLogs(flowLog),
    trafficType: FlowLogTrafficType.ALL,
  })

  const client = new SecurityGroup(stack, 'Client', {
    vpc,
    description: 'Functions of Tidemark',
    allowAllOutbound: false,
  })
  const database = new SecurityGroup(stack, 'Database', {
    vpc,
    description: 'Warehouse of Tidemark',
    allowAllOutbound: false,
  })
  database.addIngressRule(client, Port.tcp(POSTGRES_PORT), 'Functions load and read')
  client.addEgressRule(database, Port.tcp(POSTGRES_PORT), 'To the warehouse')
  // S3 has no fixed addresses; without a NAT gateway only its endpoint can be reached at all.
  client.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'To S3 and Secrets Manager')
  if (hasExit) client.addEgressRule(Peer.anyIpv4(), Port.tcp(POSTGRES_PORT), 'To the source')
  const reporting = quicksight
    ? new SecurityGroup(stack, 'Reporting', {
        vpc,
        description: 'QuickSight',
        allowAllOutbound: false,
      })
    : undefined
  if (reporting !== undefined) {
    database.addIngressRule(reporting, Port.tcp(POSTGRES_PORT), 'QuickSight reads')
    reporting.addEgressRule(database, Port.tcp(POSTGRES_PORT), 'To the warehouse')
    // QuickSight does not follow a connection: answers want a rule of their own.
    reporting.addIngressRule(database, Port.allTcp(), 'Answers of the warehouse')
  }

  vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 })
  const endpoint = new SecurityGroup(stack, 'Endpoint', {
    vpc,
    description: 'Endpoint of Secrets Manager',
    allowAllOutbound: false,
  })
  endpoint.addIngressRule(client, Port.tcp(443), 'Functions read their secrets')
  vpc.addInterfaceEndpoint('SecretsManager', {
    service: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    subnets: { subnetType },
    securityGroups: [endpoint],
    open: false,
  })
  return { stack, vpc, subnetType, client, database, reporting }
}
