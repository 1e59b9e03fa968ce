/*
 * The CloudFront Function at `viewer-request` (runtime cloudfront-js-2.0, at most 10 KB), for every
 * behaviour of the distribution: the default one (the API), `/login*` and `/assets/*` (the bucket).
 * It is deployed unchanged. The runtime knows ES 5.1 with `const`, `let` and
 * template literals, but no destructuring, no classes and no optional chaining.
 *
 * For browsers, it turns the cookie that /login sets into a bearer token. A client that sends the
 * header itself keeps it. The API's authorizer decides whether the token is valid. Its expiry is read
 * here only to send people to the login instead of a refusal. No cookie reaches an origin.
 *
 * A browser also adds the cookie to requests that other sites cause. SameSite=Lax is the first
 * defence. Here, every request that does not come from our own pages is refused, except a plain
 * link.
 */
const COOKIE = '__Host-tidemark'
const LOGIN = '/login'
// Three parts of base64url, so that nothing in it can end a header.
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const MAX_TOKEN_CHARS = 4096
const MAX_RETURN_CHARS = 2000

// eslint-disable-next-line no-unused-vars -- CloudFront calls it by its name
function handler(event) {
  const request = event.request
  const cookie = request.cookies[COOKIE]
  request.cookies = {}

  if (request.uri.startsWith(LOGIN) || request.uri.startsWith('/assets/')) {
    // Both are one page, whose script reads the address. The bucket must not see the address.
    if (request.uri === LOGIN || request.uri === '/login/out') request.uri = '/login.html'
    request.querystring = {}
    delete request.headers.authorization
    return request
  }
  if (request.headers.authorization) return request

  const token = readToken(cookie)
  const expiresAt = token === undefined ? undefined : readExpiry(token)
  if (expiresAt === undefined || expiresAt <= Date.now()) {
    return isNavigation(request) ? toLogin(request, token !== undefined) : request
  }
  if (isOfAnotherSite(request)) return refusal()
  request.headers.authorization = { value: `Bearer ${token}` }
  return request
}

/** The only cookie of that name. A browser never keeps two, so two of them are an attack. */
function readToken(cookie) {
  if (!cookie || (cookie.multiValue && cookie.multiValue.length > 1)) return undefined
  const token = cookie.value
  if (typeof token !== 'string' || token.length > MAX_TOKEN_CHARS) return undefined
  return TOKEN.test(token) ? token : undefined
}

/** Milliseconds since 1970; undefined if the token does not say. */
function readExpiry(token) {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'))
    return typeof claims.exp === 'number' ? claims.exp * 1000 : undefined
    // eslint-disable-next-line no-unused-vars -- the runtime knows no catch without a name
  } catch (error) {
    return undefined
  }
}

/** Whether somebody opens a page, as opposed to a request by a script or a download. */
function isNavigation(request) {
  const mode = headerOf(request, 'sec-fetch-mode')
  const destination = headerOf(request, 'sec-fetch-dest')
  return (
    request.method === 'GET' &&
    headerOf(request, 'accept').includes('text/html') &&
    (mode === '' || mode === 'navigate') &&
    (destination === '' || destination === 'document')
  )
}

/** Whether another site caused the request. An older browser that does not say counts as one. */
function isOfAnotherSite(request) {
  const isReading = request.method === 'GET' || request.method === 'HEAD'
  const site = headerOf(request, 'sec-fetch-site')
  const origin = headerOf(request, 'origin')
  const isOwn = origin === `https://${headerOf(request, 'host')}`
  if (origin !== '' && !isOwn) return true
  if (site === 'same-origin' || site === 'none') return false
  if (site === '') return !isReading && !isOwn
  return !(isReading && headerOf(request, 'sec-fetch-mode') === 'navigate')
}

function headerOf(request, name) {
  const header = request.headers[name]
  return header && typeof header.value === 'string' ? header.value : ''
}

function toLogin(request, isExpired) {
  const to = returnOf(request)
  const query = (to === '/' ? '' : `to=${encodeURIComponent(to)}`) + (isExpired ? '&expired' : '')
  return {
    statusCode: 302,
    statusDescription: 'Found',
    headers: {
      location: { value: LOGIN + (query === '' ? '' : `?${query.replace(/^&/, '')}`) },
      'cache-control': { value: 'no-store' },
    },
  }
}

/** Path and query to come back to. The start page if a browser could read them as another site. */
function returnOf(request) {
  const pairs = []
  Object.keys(request.querystring).forEach((name) => {
    const field = request.querystring[name]
    const values = field.multiValue || [field]
    values.forEach((each) => pairs.push(each.value === '' ? name : `${name}=${each.value}`))
  })
  const to = request.uri + (pairs.length > 0 ? `?${pairs.join('&')}` : '')
  const isFit = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(to) && to.length <= MAX_RETURN_CHARS
  return isFit ? to : '/'
}

function refusal() {
  return {
    statusCode: 403,
    statusDescription: 'Forbidden',
    headers: {
      'content-type': { value: 'application/problem+json' },
      'cache-control': { value: 'no-store' },
    },
    body: '{"type":"about:blank","title":"Forbidden","status":403,"code":"OTHER_SITE","detail":"Pages of other sites may not ask"}\n',
  }
}
