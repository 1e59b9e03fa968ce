import { type App, Fn, Stack, type StackProps } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  CfnDashboard,
  CfnDataSet,
  CfnDataSource,
  CfnVPCConnection,
} from 'aws-cdk-lib/aws-quicksight'
import type { Analyses, Analysis, Visual } from '../apps/project-extension.ts'
import { readQuestions } from '../platform/presentation/question.ts'
import { acknowledge } from './acknowledge.ts'
import { type DataSet, dataSetsOf } from './dataset.ts'
import type { Network } from './network.ts'
import type { Parameters } from './parameters.ts'
import type { MadeWarehouse } from './warehouse.ts'

const SET_ACTIONS = [
  'quicksight:DescribeDataSet',
  'quicksight:DescribeDataSetPermissions',
  'quicksight:PassDataSet',
  'quicksight:DescribeIngestion',
  'quicksight:ListIngestions',
]
const DASHBOARD_ACTIONS = [
  'quicksight:DescribeDashboard',
  'quicksight:ListDashboardVersions',
  'quicksight:QueryDashboard',
]

interface Wanted {
  readonly parameters: Parameters
  readonly warehouse: MadeWarehouse | undefined
  readonly network: Network | undefined
}

/**
 * Creates data sets in QuickSight from the questions of the dashboard. QuickSight reads the warehouse
 * with the reader's rights whenever somebody looks. Each dashboard is for analysts, or for the group
 * that something is reserved for.
 */
export function createQuickSight(
  app: App,
  {
    parameters,
    warehouse,
    network,
    analyses,
    ...props
  }: StackProps & Wanted & { analyses: Analyses },
): Stack {
  const { name, quicksightAnalyst, quicksightFinance } = parameters
  const stack = new Stack(app, 'QuickSight', {
    ...props,
    stackName: `${name}-quicksight`,
    description: 'Tidemark: questions as data sets, and two dashboards.',
  })
  const source = createSource(stack, { parameters, warehouse, network })
  const asked = analyses.questions.flatMap((folder) => [...readQuestions(folder).values()])
  const questions = dataSetsOf(asked, analyses)
  const principalOf = ({ isReserved }: { isReserved: boolean }) =>
    isReserved ? quicksightFinance : quicksightAnalyst
  const sets = new Map<string, CfnDataSet>()
  for (const question of questions) {
    const principal = principalOf(question)
    // A data set that nobody may see need not exist.
    if (principal === undefined) continue
    sets.set(question.name, createDataSet(stack, { name, source, question, principal }))
  }
  for (const analysis of analyses.dashboards) {
    const principal = principalOf(analysis)
    if (principal === undefined) continue
    createDashboard(stack, { name, sets, questions, analysis, principal })
  }
  return stack
}

/**
 * The connection to the warehouse. Nobody is given the source itself: with SQL of their own,
 * analysts could read what is reserved for another group.
 */
function createSource(stack: Stack, { parameters, warehouse, network }: Wanted): CfnDataSource {
  const { name, quicksightSecretArn } = parameters
  const vpcConnection =
    warehouse === undefined || network?.reporting === undefined
      ? undefined
      : connectToNetwork(stack, { name, network })
  return new CfnDataSource(stack, 'Source', {
    awsAccountId: stack.account,
    dataSourceId: name,
    name: `Tidemark: ${name}`,
    type: 'POSTGRESQL',
    dataSourceParameters: {
      postgreSqlParameters: {
        host: warehouse?.instance.dbInstanceEndpointAddress ?? parameters.warehouseHost ?? '',
        port: parameters.warehousePort,
        database: parameters.warehouseDatabase,
      },
    },
    ...(quicksightSecretArn === undefined
      ? {}
      : { credentials: { secretArn: quicksightSecretArn } }),
    sslProperties: { disableSsl: false },
    ...(vpcConnection === undefined
      ? {}
      : { vpcConnectionProperties: { vpcConnectionArn: vpcConnection.attrArn } }),
  })
}

/** Gives QuickSight network interfaces in the network of the warehouse. */
function connectToNetwork(
  stack: Stack,
  { name, network }: { name: string; network: Network },
): CfnVPCConnection {
  const role = new Role(stack, 'NetworkRole', {
    assumedBy: new ServicePrincipal('quicksight.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
    description: 'Tidemark: lets QuickSight into the network of the warehouse',
  })
  role.addToPolicy(
    new PolicyStatement({
      sid: 'JoinNetwork',
      actions: [
        'ec2:CreateNetworkInterface',
        'ec2:ModifyNetworkInterfaceAttribute',
        'ec2:DeleteNetworkInterface',
        'ec2:DescribeSubnets',
        'ec2:DescribeSecurityGroups',
      ],
      resources: ['*'],
    }),
  )
  acknowledge(role, {
    'AwsSolutions-IAM5[Resource::*]':
      'Network interfaces that are still to be made have no name to allow.',
  })
  const connection = new CfnVPCConnection(stack, 'Network', {
    awsAccountId: stack.account,
    vpcConnectionId: name,
    name: `Tidemark: ${name}`,
    roleArn: role.roleArn,
    subnetIds: network.vpc.selectSubnets({ subnetType: network.subnetType }).subnetIds,
    securityGroupIds: [network.reporting?.securityGroupId ?? ''],
  })
  connection.node.addDependency(role)
  return connection
}

function createDataSet(
  stack: Stack,
  {
    name,
    source,
    question,
    principal,
  }: { name: string; source: CfnDataSource; question: DataSet; principal: string },
): CfnDataSet {
  const { name: id, title, sql, columns } = question
  return new CfnDataSet(stack, `Question-${id}`, {
    awsAccountId: stack.account,
    dataSetId: `${name}-${id}`,
    name: title,
    importMode: 'DIRECT_QUERY',
    physicalTableMap: {
      question: {
        customSql: {
          dataSourceArn: source.attrArn,
          name: id,
          sqlQuery: sql,
          columns: [...columns],
        },
      },
    },
    permissions: [{ principal, actions: SET_ACTIONS }],
  })
}

function createDashboard(
  stack: Stack,
  {
    name,
    sets,
    questions,
    analysis: { id, title, visuals },
    principal,
  }: {
    name: string
    sets: ReadonlyMap<string, CfnDataSet>
    questions: readonly DataSet[]
    analysis: Analysis
    principal: string
  },
): void {
  const known = new Map(questions.map((question) => [question.name, question]))
  const arnOf = (question: string): string => sets.get(question)?.attrArn ?? Fn.ref('AWS::NoValue')
  new CfnDashboard(stack, `Dashboard-${id}`, {
    awsAccountId: stack.account,
    dashboardId: `${name}-${id}`,
    name: title,
    permissions: [{ principal, actions: DASHBOARD_ACTIONS }],
    definition: {
      dataSetIdentifierDeclarations: visuals.map(({ question }) => ({
        identifier: question,
        dataSetArn: arnOf(question),
      })),
      sheets: [
        {
          sheetId: id,
          name: title,
          visuals: visuals.map((shown) => draw(shown, known.get(shown.question))),
        },
      ],
    },
  })
}

function draw(shown: Visual, question: DataSet | undefined): CfnDashboard.VisualProperty {
  if (question === undefined) throw new TypeError(`there is no question ${shown.question}`)
  const { as, category = '', value = '', color = '' } = shown
  const typeOf = (wanted: string) => {
    const found = question.columns.find(({ name }) => name === wanted)
    if (found === undefined) throw new TypeError(`${question.name} has no column ${wanted}`)
    return found.type
  }
  const field = (columnName: string) => ({
    fieldId: `${question.name}.${columnName}`,
    column: { dataSetIdentifier: question.name, columnName },
  })
  const common = {
    visualId: question.name,
    title: { visibility: 'VISIBLE', formatText: { plainText: question.title } },
  }
  if (as === 'table') {
    const values = question.columns.map(({ name }) => field(name))
    return {
      tableVisual: {
        ...common,
        chartConfiguration: { fieldWells: { tableUnaggregatedFieldWells: { values } } },
      },
    }
  }
  const dimension = (name: string): CfnDashboard.DimensionFieldProperty =>
    typeOf(name) === 'DATETIME'
      ? { dateDimensionField: { ...field(name), dateGranularity: 'WEEK' } }
      : { categoricalDimensionField: field(name) }
  if (typeOf(value) !== 'DECIMAL') throw new TypeError(`${question.name}.${value} is not an amount`)
  const wells = {
    category: [dimension(category)],
    values: [
      {
        numericalMeasureField: {
          ...field(value),
          aggregationFunction: { simpleNumericalAggregation: 'SUM' },
        },
      },
    ],
    colors: [dimension(color)],
  }
  return as === 'lines'
    ? {
        lineChartVisual: {
          ...common,
          chartConfiguration: { fieldWells: { lineChartAggregatedFieldWells: wells } },
        },
      }
    : {
        barChartVisual: {
          ...common,
          chartConfiguration: { fieldWells: { barChartAggregatedFieldWells: wells } },
        },
      }
}
