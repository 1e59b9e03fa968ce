import { Aws, Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import { CfnUserPoolGroup, Mfa, OAuthScope, UserPool } from 'aws-cdk-lib/aws-cognito'
import type { LoginConfig } from '../apps/aws/login-config.ts'
import { acknowledge } from './acknowledge.ts'
import type { Deployed } from './deployed.ts'
import { output } from './output.ts'
import type { Parameters } from './parameters.ts'

/** The issuer of tokens, before the address of the site is known. */
export interface Issuer {
  /** The only address outside to which the login page may connect. */
  readonly tokenEndpoint: string
  readonly groupsClaim: string
  /** Makes the site known to the issuer. */
  register(siteUrl: string): SiteClient
}

/** The site as the issuer knows it. */
export interface SiteClient {
  /** The audience that tokens must name. */
  readonly audience: string
  readonly config: LoginConfig
}

/** Returns the issuer from the parameters, or creates a user pool without sign-up. */
export function createIssuer(
  stack: Stack,
  { parameters, project }: { parameters: Parameters } & Pick<Deployed, 'project'>,
): Issuer {
  const {
    oidcIssuer: issuer,
    oidcAudience: audience,
    oidcAuthorizationEndpoint: authorizationEndpoint,
    oidcTokenEndpoint: tokenEndpoint,
    oidcLogoutUrl: logoutUrl,
    oidcToken: token,
    oidcGroupsClaim: groupsClaim,
  } = parameters
  const isGiven =
    issuer !== undefined &&
    audience !== undefined &&
    authorizationEndpoint !== undefined &&
    tokenEndpoint !== undefined
  if (!isGiven) return createUserPool(stack, { parameters, project })
  const config: LoginConfig = {
    issuer,
    clientId: parameters.oidcClientId ?? audience,
    authorizationEndpoint,
    tokenEndpoint,
    token,
    ...(logoutUrl === undefined ? {} : { logoutUrl }),
  }
  return { tokenEndpoint, groupsClaim, register: () => ({ audience, config }) }
}

function createUserPool(
  stack: Stack,
  { parameters: { name }, project }: { parameters: Parameters } & Pick<Deployed, 'project'>,
): Issuer {
  const pool = new UserPool(stack, 'Users', {
    userPoolName: name,
    selfSignUpEnabled: false,
    signInAliases: { email: true },
    signInCaseSensitive: false,
    mfa: Mfa.OPTIONAL,
    mfaSecondFactor: { otp: true, sms: false },
    passwordPolicy: {
      minLength: 12,
      requireLowercase: true,
      requireUppercase: true,
      requireDigits: true,
      requireSymbols: true,
      tempPasswordValidity: Duration.days(3),
    },
    removalPolicy: RemovalPolicy.RETAIN,
  })
  acknowledge(pool, {
    'AwsSolutions-COG2':
      'Everybody may add a second factor. To require it from everybody, set it in the pool or use another issuer.',
    'AwsSolutions-COG8': 'The features of the Plus plan cost money for every user.',
  })
  for (const [group, description] of Object.entries(groupsIn(project))) {
    new CfnUserPoolGroup(stack, `Group-${group}`, {
      userPoolId: pool.userPoolId,
      groupName: group,
      description,
    })
  }
  const domain = pool.addDomain('Domain', {
    cognitoDomain: { domainPrefix: `${name}-${Aws.ACCOUNT_ID}` },
  })
  const hosted = domain.baseUrl()
  output(stack, { UserPool: pool.userPoolId })
  return {
    tokenEndpoint: `${hosted}/oauth2/token`,
    groupsClaim: 'cognito:groups',
    register: (siteUrl) => registerSite(stack, { pool, hosted, siteUrl }),
  }
}

/** The groups of users, and what each sees. */
function groupsIn({ presentation }: Deployed['project']): Readonly<Record<string, string>> {
  const reserved = presentation?.reserved
  if (reserved === undefined) return { analyst: 'Sees everything' }
  const { group, what } = reserved
  return { analyst: `Sees everything but ${what}`, [group]: `Sees ${what}` }
}

/** Makes the site a client of the pool. */
function registerSite(
  stack: Stack,
  { pool, hosted, siteUrl }: { pool: UserPool; hosted: string; siteUrl: string },
): SiteClient {
  const loggedOut = `${siteUrl}/login/out`
  const client = pool.addClient('Site', {
    userPoolClientName: 'site',
    // Runs in browsers, which keep no secrets: the code flow with PKCE.
    generateSecret: false,
    authFlows: { userSrp: true },
    preventUserExistenceErrors: true,
    accessTokenValidity: Duration.hours(1),
    idTokenValidity: Duration.hours(1),
    refreshTokenValidity: Duration.hours(12),
    enableTokenRevocation: true,
    oAuth: {
      flows: { authorizationCodeGrant: true },
      scopes: [OAuthScope.OPENID],
      callbackUrls: [`${siteUrl}/login`],
      logoutUrls: [loggedOut],
    },
  })
  const clientId = client.userPoolClientId
  output(stack, { UserPoolClient: clientId })
  return {
    audience: clientId,
    config: {
      issuer: pool.userPoolProviderUrl,
      clientId,
      authorizationEndpoint: `${hosted}/oauth2/authorize`,
      tokenEndpoint: `${hosted}/oauth2/token`,
      logoutUrl: `${hosted}/logout?client_id=${clientId}&logout_uri=${loggedOut}`,
    },
  }
}
