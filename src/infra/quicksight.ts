import { type App, Fn, Stack, type StackProps } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  CfnDashboard,
  CfnDataSet,
  CfnDataSource,
  CfnVPCConnection,
} from 'aws-cdk-lib/aws-quicksight'
import { readQuestions } from '../platform/presentation/question.ts'
import { acknowledge } from './acknowledge.ts'
import { type DataSet, dataSetsOf } from './dataset.ts'
import type { Network } from './network.ts'
import type { Parameters } from './parameters.ts'
import type { MadeWarehouse } from './warehouse.ts'

/** The folder of the questions, at the same place in `src` and in `dist`. */
const QUESTIONS = new URL('../totesys/presentation/', import.meta.url)

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
 * with the reader's rights whenever somebody looks. One dashboard is for analysts, one for `finance`.
 */
export function createQuickSight(
  app: App,
  { parameters, warehouse, network, ...props }: StackProps & Wanted,
): Stack {
  const { name, quicksightAnalyst, quicksightFinance } = parameters
  const stack = new Stack(app, 'QuickSight', {
    ...props,
    stackName: `${name}-quicksight`,
    description: 'Tidemark: questions as data sets, and two dashboards.',
  })
  const source = createSource(stack, { parameters, warehouse, network })
  const questions = dataSetsOf(readQuestions(QUESTIONS).values())
  const sets = new Map<string, CfnDataSet>()
  for (const question of questions) {
    const principal = question.isFinance ? quicksightFinance : quicksightAnalyst
    // A data set that nobody may see need not exist.
    if (principal === undefined) continue
    sets.set(question.name, createDataSet(stack, { name, source, question, principal }))
  }
  const asked = (wanted: readonly Shown[]) => ({ name, sets, questions, wanted })
  if (quicksightAnalyst !== undefined) {
    createDashboard(stack, {
      ...asked(BUSINESS),
      id: 'business',
      title: 'Sales and purchases',
      principal: quicksightAnalyst,
    })
  }
  if (quicksightFinance !== undefined) {
    createDashboard(stack, {
      ...asked(PAYMENTS),
      id: 'payments',
      title: 'Payments',
      principal: quicksightFinance,
    })
  }
  return stack
}

/**
 * The connection to the warehouse. Nobody is given the source itself: with SQL of their own,
 * analysts could read the payments.
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

/** A question and how it is drawn. */
interface Shown {
  readonly question: string
  /** Lines over `category`, bars by `category`, or the rows as a table. */
  readonly as: 'lines' | 'bars' | 'table'
  readonly category?: string
  readonly value?: string
  /** A line or colour for each. Amounts in several currencies are never added. */
  readonly color?: string
}

const BUSINESS: readonly Shown[] = [
  { question: 's01_sales_by_currency', as: 'table' },
  by('s02_sales_by_week', { as: 'lines', category: 'week_start' }),
  by('s05_sales_by_staff', { as: 'bars', category: 'staff_name' }),
  by('s07_sales_by_country', { as: 'bars', category: 'country' }),
  by('p01_spend_by_week', { as: 'lines', category: 'week_start' }),
  by('p02_biggest_suppliers', { as: 'bars', category: 'counterparty' }),
]

const PAYMENTS: readonly Shown[] = [
  { question: 'y01_last_payments', as: 'table' },
  { question: 'y02_next_payments', as: 'table' },
  { question: 'y04_overdue_by_age', as: 'table' },
  by('y06_biggest_debtors', { as: 'bars', category: 'counterparty' }),
]

function by(question: string, shown: Pick<Shown, 'as' | 'category'>): Shown {
  return { question, ...shown, value: 'amount', color: 'currency_code' }
}

function createDashboard(
  stack: Stack,
  {
    name,
    id,
    title,
    sets,
    questions,
    wanted,
    principal,
  }: {
    name: string
    id: string
    title: string
    sets: ReadonlyMap<string, CfnDataSet>
    questions: readonly DataSet[]
    wanted: readonly Shown[]
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
      dataSetIdentifierDeclarations: wanted.map(({ question }) => ({
        identifier: question,
        dataSetArn: arnOf(question),
      })),
      sheets: [
        {
          sheetId: id,
          name: title,
          visuals: wanted.map((shown) => draw(shown, known.get(shown.question))),
        },
      ],
    },
  })
}

function draw(shown: Shown, question: DataSet | undefined): CfnDashboard.VisualProperty {
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
