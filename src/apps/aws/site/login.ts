import type { LoginConfig } from '../login-config.ts'
import {
  type Attempt,
  authorizationUrl,
  checkIdToken,
  lifetimeOf,
  LoginError,
  pathTo,
  randomText,
  tradeCode,
} from './flow.ts'

/*
 * `/login?to=<path>` leads to the issuer. `/login?code=…&state=…` comes back from there and stores the
 * token in a cookie. `/login/out` forgets it. viewer-request.js reads the cookie and turns it into a
 * header. The cookie is not HttpOnly, because a script sets it; the content security policy of every
 * page keeps foreign scripts out.
 */

const COOKIE = '__Host-tidemark'
/** Browsers keep no cookie of more than 4096 bytes, with its name and attributes. */
const MAX_TOKEN_CHARS = 3900
/** So soon after a login that worked, another one would lead here again. */
const LOOP_MS = 20_000
const LOGGED_IN_AT = 'tidemark-logged-in-at'
const ATTEMPT = 'tidemark-login-'

/** What went wrong, and what to do. */
const TEXTS: Readonly<Record<string, readonly [what: string, next: string]>> = {
  denied: [
    'You were not given access.',
    'You cancelled, or your account may not use this site. Ask its administrator, then log in again.',
  ],
  expired: [
    'This login has expired.',
    'A login is valid for a limited time, and each answer from the login only once. Log in again.',
  ],
  'mixed-up': [
    'This answer belongs to another login.',
    'It may have begun in another tab, or somebody else began it. Log in again from here.',
  ],
  clock: [
    'The clock of this computer is wrong.',
    'According to it, your login has expired or has not begun. Set date and time, then log in again.',
  ],
  loop: [
    'You are logged in, but the site does not take it.',
    'The login is too short, or the browser sends no cookie here. Ask the administrator of the site.',
  ],
  cookie: [
    'The browser keeps no cookie for this site.',
    'Allow cookies for this site, then log in again.',
  ],
  'too-large': [
    'Your login does not fit into a cookie.',
    'Your account is in too many groups. Ask its administrator to remove some.',
  ],
  config: [
    'The login of this site is not set up.',
    'Ask its administrator: /login/config.json is missing or does not match what the issuer sends.',
  ],
  unreachable: ['The login cannot be reached.', 'Check the connection, then log in again.'],
  issuer: [
    'The login was refused.',
    'Log in again. If that fails too, ask the administrator of the site.',
  ],
}

const element = (id: string): HTMLElement => document.getElementById(id)!

function show(title: string, summary: string): void {
  document.title = `${title} · Tidemark`
  element('title').textContent = title
  element('summary').textContent = summary
}

/** Shows the button that logs in and comes back to a path. */
function offer(to: string): void {
  const again = element('again')
  again.hidden = false
  again.addEventListener('click', () => void attempt(() => begin(to), to))
}

/** Does one step. If it fails, says why. */
async function attempt(step: () => Promise<void>, to: string): Promise<void> {
  element('failure').hidden = true
  element('again').hidden = true
  try {
    await step()
  } catch (error) {
    const { code, said } =
      error instanceof LoginError ? error : { code: 'unexpected', said: undefined }
    const [what, next] = TEXTS[code] ?? ['Something went wrong.', 'Load the page again.']
    show('Not logged in', 'Nothing of yours was changed.')
    element('what').textContent = what
    element('code').textContent = (said ?? code).slice(0, 60)
    element('next').textContent = next
    element('failure').hidden = false
    offer(to)
  }
}

async function readConfig(): Promise<LoginConfig> {
  const response = await fetch('/login/config.json', { cache: 'no-store' }).catch(() => {
    throw new LoginError('unreachable')
  })
  const config = (await response.json().catch(() => ({}))) as Partial<LoginConfig>
  const { issuer, clientId, authorizationEndpoint, tokenEndpoint } = config
  const needed = [issuer, clientId, authorizationEndpoint, tokenEndpoint]
  const isWhole = needed.every((value) => typeof value === 'string' && value !== '')
  if (!response.ok || !isWhole || !isAddress(authorizationEndpoint)) throw new LoginError('config')
  return config as LoginConfig
}

function isAddress(text: string | undefined): boolean {
  return /^https?:$/.test(URL.canParse(text ?? '') ? new URL(text ?? '').protocol : '')
}

/** Leads to the issuer. */
async function begin(to: string): Promise<void> {
  show('Logging in', 'One moment: you are being taken to the login.')
  const config = await readConfig()
  const made: Attempt = { verifier: randomText(), nonce: randomText(), to }
  const state = randomText()
  sessionStorage.setItem(ATTEMPT + state, JSON.stringify(made))
  location.assign(await authorizationUrl(config, { ...made, state, origin: location.origin }))
}

/** Comes back from the issuer with a code, and goes to the page that was wanted. */
async function finish(query: URLSearchParams, made: Attempt | undefined): Promise<void> {
  const refused = query.get('error')
  if (refused !== null) {
    throw new LoginError(refused === 'access_denied' ? 'denied' : 'issuer', refused)
  }
  if (made === undefined) throw new LoginError('mixed-up')
  const { verifier, nonce, to } = made
  const config = await readConfig()
  const code = query.get('code') ?? ''
  const tokens = await tradeCode(config, { code, verifier, origin: location.origin })
  checkIdToken(tokens.id, { config, nonce, now: Date.now() })
  const token = config.token === 'id' ? tokens.id : tokens.access
  const seconds = lifetimeOf(token)
  if (token.length > MAX_TOKEN_CHARS) throw new LoginError('too-large')
  setCookie(token, seconds)
  if (!document.cookie.includes(`${COOKIE}=${token}`)) throw new LoginError('cookie')
  sessionStorage.setItem(LOGGED_IN_AT, String(Date.now()))
  location.replace(to)
}

/** Forgets the login here, then at the issuer, which leads back here once more. */
async function logOut(): Promise<void> {
  const wasLoggedIn = document.cookie.includes(`${COOKIE}=`)
  setCookie('', 0)
  sessionStorage.clear()
  show('Logged out', 'This browser no longer knows you here.')
  const config = await readConfig().catch(() => undefined)
  if (wasLoggedIn && isAddress(config?.logoutUrl)) location.replace(config?.logoutUrl ?? '/')
  else offer('/')
}

function setCookie(value: string, seconds: number): void {
  document.cookie = `${COOKIE}=${value}; Path=/; Secure; SameSite=Lax; Max-Age=${seconds}`
}

/** Returns what this tab began, and only once. */
function takeAttempt(state: string | null): Attempt | undefined {
  const key = `${ATTEMPT}${state ?? ''}`
  const text = sessionStorage.getItem(key)
  sessionStorage.removeItem(key)
  return text === null ? undefined : (JSON.parse(text) as Attempt)
}

const { pathname, searchParams: query } = new URL(location.href)
element('blocked').remove()
if (pathname === '/login/out') {
  await attempt(logOut, '/')
} else if (query.has('code') || query.has('error')) {
  // Keep the code out of the history and out of sight.
  history.replaceState(null, '', '/login')
  const made = takeAttempt(query.get('state'))
  await attempt(() => finish(query, made), made?.to ?? '/')
} else {
  const to = pathTo(query.get('to'), location.origin)
  const isLooping = Date.now() - Number(sessionStorage.getItem(LOGGED_IN_AT)) < LOOP_MS
  await attempt(async () => {
    if (isLooping) throw new LoginError('loop')
    if (query.has('expired')) throw new LoginError('expired')
    await begin(to)
  }, to)
}
