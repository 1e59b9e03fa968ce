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

/** A private network with its security groups. */
export interface Network {
  readonly stack: Stack
  readonly vpc: IVpc
  /** The subnets of functions and database. With a NAT gateway there is a way out, but never in. */
  readonly subnetType: SubnetType
  /** Security group of the functions. */
  readonly client: SecurityGroup
  /** Security group of the warehouse. Only the functions, and QuickSight if there, may connect. */
  readonly database: SecurityGroup
  /** Security group of QuickSight, if that is deployed. */
  readonly reporting: SecurityGroup | undefined
}

/** The port of every Postgres here, source and warehouse. */
export const POSTGRES_PORT = 5432

/** Uses the first two zones of its region. CDK would ask the account which zones there are. */
class NetworkStack extends Stack {
  override get availabilityZones(): string[] {
    return [Fn.select(0, Fn.getAzs()), Fn.select(1, Fn.getAzs())]
  }
}

/** Creates a VPC in which functions reach S3, Secrets Manager and the warehouse, and nobody reaches them. */
export function createNetwork(
  app: App,
  { parameters, ...props }: StackProps & { readonly parameters: Parameters },
): Network {
  const stack = new NetworkStack(app, 'Network', {
    ...props,
    stackName: `${parameters.name}-network`,
    description: 'Tidemark: the network of the functions and of the warehouse.',
  })
  const subnetType = hasExit(parameters)
    ? SubnetType.PRIVATE_WITH_EGRESS
    : SubnetType.PRIVATE_ISOLATED
  const vpc = createVpc(stack, { parameters, subnetType })
  const groups = createGroups(stack, { parameters, vpc })
  createEndpoints(stack, { vpc, subnetType, client: groups.client })
  if (sendsMail(parameters)) letMailOut(stack, { parameters, vpc, subnetType, ...groups })
  return { stack, vpc, subnetType, ...groups }
}

function hasExit({ natGateways }: Parameters): boolean {
  return natGateways > 0
}

function sendsMail({ reportsFile }: Parameters): boolean {
  return reportsFile !== undefined
}

/** The ports of mail servers with TLS from the first byte, and after STARTTLS. */
const MAIL_PORTS = [465, 587]

/** Lets functions reach a mail server: through the NAT gateway, or else the endpoint of Amazon SES. */
function letMailOut(
  stack: Stack,
  {
    parameters,
    vpc,
    subnetType,
    client,
  }: Pick<Network, 'vpc' | 'subnetType' | 'client'> & { readonly parameters: Parameters },
): void {
  for (const port of MAIL_PORTS) {
    client.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'To the mail server')
  }
  if (hasExit(parameters)) return
  const endpoint = new SecurityGroup(stack, 'MailEndpoint', {
    vpc,
    description: 'Endpoint of Amazon SES',
    allowAllOutbound: false,
  })
  for (const port of MAIL_PORTS) {
    endpoint.addIngressRule(client, Port.tcp(port), 'Functions send mail')
  }
  vpc.addInterfaceEndpoint('Mail', {
    service: InterfaceVpcEndpointAwsService.SES,
    subnets: { subnetType },
    securityGroups: [endpoint],
    open: false,
  })
}

function createVpc(
  stack: Stack,
  { parameters, subnetType }: { parameters: Parameters; subnetType: SubnetType },
): IVpc {
  const { name, natGateways, logDays } = parameters
  const forGateways = {
    name: 'public',
    subnetType: SubnetType.PUBLIC,
    cidrMask: 26,
    mapPublicIpOnLaunch: false,
  }
  // CDK's classes leave out what its interfaces call optional; see exactOptionalPropertyTypes.
  const vpc = new Vpc(stack, 'Vpc', {
    ipAddresses: IpAddresses.cidr('10.40.0.0/20'),
    maxAzs: 2,
    natGateways,
    restrictDefaultSecurityGroup: false,
    subnetConfiguration: [
      { name: 'private', subnetType, cidrMask: 24 },
      ...(hasExit(parameters) ? [forGateways] : []),
    ],
  }) as IVpc
  const flowLog = new LogGroup(stack, 'FlowLog', {
    logGroupName: `/${name}/network`,
    retention: logDays,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  vpc.addFlowLog('Flow', {
    destination: FlowLogDestination.toCloudWatchLogs(flowLog),
    trafficType: FlowLogTrafficType.ALL,
  })
  return vpc
}

/** Who may connect to whom. */
function createGroups(
  stack: Stack,
  { parameters, vpc }: { parameters: Parameters; vpc: IVpc },
): Pick<Network, 'client' | 'database' | 'reporting'> {
  const group = (id: string, description: string) =>
    new SecurityGroup(stack, id, { vpc, description, allowAllOutbound: false })
  const client = group('Client', 'Functions of Tidemark')
  const database = group('Database', 'Warehouse of Tidemark')
  database.addIngressRule(client, Port.tcp(POSTGRES_PORT), 'Functions load and read')
  client.addEgressRule(database, Port.tcp(POSTGRES_PORT), 'To the warehouse')
  // S3 has no fixed addresses. Without a NAT gateway only its endpoint can be reached at all.
  client.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'To S3 and Secrets Manager')
  if (hasExit(parameters)) {
    client.addEgressRule(Peer.anyIpv4(), Port.tcp(POSTGRES_PORT), 'To the source')
  }
  if (!parameters.quicksight) return { client, database, reporting: undefined }
  const reporting = group('Reporting', 'QuickSight')
  database.addIngressRule(reporting, Port.tcp(POSTGRES_PORT), 'QuickSight reads')
  reporting.addEgressRule(database, Port.tcp(POSTGRES_PORT), 'To the warehouse')
  // QuickSight does not follow a connection: answers need a rule of their own.
  reporting.addIngressRule(database, Port.allTcp(), 'Answers of the warehouse')
  return { client, database, reporting }
}

/** Ways to S3 and Secrets Manager that stay inside AWS. */
function createEndpoints(
  stack: Stack,
  { vpc, subnetType, client }: Pick<Network, 'vpc' | 'subnetType' | 'client'>,
): void {
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
}
