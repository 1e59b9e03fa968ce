import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { type Api, createApi } from '../../src/apps/aws/api.ts'
import { parseConfig } from '../../src/platform/config.ts'
import { launchChromium } from './chromium.ts'
import { type Cloud, startCloud } from './cloud.ts'
import { CLIENT, type Issuer, startIssuer } from './issuer.ts'
import { auditPage, checkCharts, findOverflow, openVisit, untilLive, type Visit } from './visit.ts'
import { openWorld, type World } from './world.ts'

const site = inject('site')

describe.skipIf(site === undefined)('behind a login', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tidemark-site-'))
  let browser: Browser
  let world: World
  let issuer: Issuer
  let api: Api
  let cloud: Cloud
  beforeAll(async () => {
    execFileSync('node', ['scripts/build-site.js', folder])
    browser = await launchChromium(site?.chromium ?? '')
    world = await openWorld({ salesOrders: 120, days: 8 })
    await world.run()
    issuer = await startIssuer()
    const { deps, extension, reader } = world.environment
    api = createApi({
      config: parseConfig({
        TIDEMARK_OIDC_ISSUER: issuer.url,
        TIDEMARK_OIDC_AUDIENCE: CLIENT,
        TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups',
      }),
      deps,
      extension: await extension.server?.(),
      warehouse: reader,
      readUrl: async () => reader.url,
      log: () => {},
    })
    cloud = await startCloud({ api, folder, authorize: (token) => issuer.verify(token) })
  })
  afterAll(async () => {
    await cloud?.[Symbol.asyncDispose]()
    await api?.[Symbol.asyncDispose]()
    await issuer?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    cloud.events.length = 0
    const out = encodeURIComponent(`${cloud.url}/login/out`)
    cloud.config = {
      issuer: issuer.url,
      clientId: CLIENT,
      authorizationEndpoint: `${issuer.url}/authorize`,
      tokenEndpoint: `${issuer.url}/token`,
      logoutUrl: `${issuer.url}/logout?client_id=${CLIENT}&logout_uri=${out}`,
    }
  })

  const open = (options: Partial<Parameters<typeof openVisit>[1]> = {}): Promise<Visit> =>
    openVisit(browser, { ...options, url: cloud.url })
  /** Everything that went wrong. Being sent to the issuer is not a fault. */
  const wrong = ({ faults }: Visit): string[] =>
    faults.filter((fault) => !fault.startsWith(`asks elsewhere: ${issuer.url}/`))
  const logIn = async (page: Page, address: string): Promise<void> => {
    await page.goto(address)
    await page.getByRole('link', { name: 'Allow' }).click()
    await page.waitForURL(`${cloud.url}${address}`)
  }
  const failure = async (page: Page): Promise<string> => {
    await page.locator('#failure').waitFor()
    return await page.locator('main').innerText()
  }
  const cookiesOf = async (page: Page): Promise<string[]> =>
    (await page.context().cookies(cloud.url)).map(({ name }) => name)

  it('leads to the page that was wanted, to files and statements, and out again', async () => {
    await using visit = await open()
    const { page } = visit
    await logIn(page, '/sales?period=26w&currency=GBP')
    await untilLive(page)
    expect(await checkCharts(page)).toEqual([])
    expect(await page.locator('[data-plots] .drawing svg path').count()).toBeGreaterThan(0)
    const [cookie] = await page.context().cookies(cloud.url)
    expect(cookie).toMatchObject({
      name: '__Host-tidemark',
      secure: true,
      sameSite: 'Lax',
      path: '/',
    })
    const seconds = (cookie?.expires ?? 0) - Date.now() / 1000
    expect(seconds).toBeGreaterThan(issuer.lifetimeSeconds - 60)
    expect(seconds).toBeLessThanOrEqual(issuer.lifetimeSeconds + 1)
    // The tab keeps neither the code nor the page that it came from.
    expect(await page.evaluate(() => document.referrer)).not.toContain('code=')
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual([
      'tidemark-logged-in-at',
    ])

    const coming = page.waitForEvent('download')
    await page.locator('.links a[href*="s02_sales_by_week.csv"]').click()
    const download = await coming
    expect(await readFile(await download.path(), 'utf8')).toMatch(
      /^\uFEFFcurrency_code,[\s\S]*GBP,/,
    )

    await page.getByRole('link', { name: 'Ask' }).click()
    await page.getByLabel('SQL, one select').fill(`select 6 * 7 as "Antwörten"`)
    await page.getByRole('button', { name: 'Run' }).click()
    await page.waitForSelector('#result tbody tr')
    expect(await page.locator('#result tbody td').allInnerTexts()).toEqual(['42'])

    for (const { headers, cookies } of cloud.events) {
      expect([headers['cookie'], cookies]).toEqual([undefined, []])
    }
    expect(cloud.events.some(({ rawPath }) => /^\/(assets|login)/.test(rawPath))).toBe(false)

    await page.getByRole('link', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Logged out' }).waitFor()
    await page.getByRole('button', { name: 'Log in' }).waitFor()
    expect(page.url()).toBe(`${cloud.url}/login/out`)
    expect(await cookiesOf(page)).toEqual([])
    await page.goto('/sales')
    await page.getByRole('link', { name: 'Allow' }).waitFor()
    expect(wrong(visit)).toEqual([])
  })

  /** Moves the page's own clock on, second by second, until something is so. */
  const passTime = async (page: Page, isSo: () => Promise<boolean>): Promise<void> => {
    await expect
      .poll(async () => {
        await page.clock.runFor(1000)
        return await isSo()
      })
      .toBe(true)
  }

  it('an open page asks for news every 15 s, shows them, and has lost nothing in between', async () => {
    await using visit = await open()
    const { page } = visit
    await page.clock.install()
    // When the page asked, by its own clock, which a slow machine does not stop.
    await page.addInitScript(() => {
      const moments: number[] = []
      const { fetch } = globalThis
      Object.assign(globalThis, {
        moments,
        fetch(...call: Parameters<typeof fetch>) {
          if (call[0] === '/events') moments.push(Date.now())
          return fetch(...call)
        },
      })
    })
    const asked = () =>
      page.evaluate(() => (globalThis as unknown as { moments: number[] }).moments)
    await logIn(page, '/sales')
    await untilLive(page)
    const [{ length: heard }, header] = [await asked(), page.locator('#freshness')]
    await passTime(page, async () => (await asked()).length > heard)
    expect(await header.getAttribute('class')).toContain('ok')
    const before = await page.locator('main').getAttribute('data-state')
    await world.totesys.query(
      `update sales_order set units_sold = units_sold + 1
       where sales_order_id = (select max(sales_order_id) from sales_order)`,
    )
    await world.run()
    await passTime(
      page,
      async () => (await page.locator('main').getAttribute('data-state')) !== before,
    )
    const moments = await asked()
    const pauses = moments.slice(1).map((moment, place) => moment - (moments[place] ?? 0))
    expect(pauses.length).toBeGreaterThan(0)
    expect(pauses.filter((pause) => pause < 15_000)).toEqual([])
    expect(await header.getAttribute('class')).toContain('ok')
    expect(wrong(visit)).toEqual([])
  })

  it('says that the login has expired while the page was open', async () => {
    await using visit = await open()
    const { page } = visit
    await page.clock.install()
    await logIn(page, '/sales')
    await untilLive(page)
    await page.context().clearCookies()
    const lost = page.locator('#freshness.bad')
    await passTime(page, async () => (await lost.count()) > 0)
    expect(await lost.innerText()).toContain('login expired')
    expect(await page.locator('main .panel').count()).toBeGreaterThan(0)
  })

  it('says that the token has expired, and logs in again to the same place', async () => {
    await using visit = await open()
    const { page } = visit
    const value = await issuer.makeToken(-10)
    await page
      .context()
      .addCookies([
        { name: '__Host-tidemark', value, url: cloud.url.replace('http:', 'https:'), secure: true },
      ])
    await page.goto('/purchases?period=4w')
    expect(await failure(page)).toContain('This login has expired.')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('link', { name: 'Allow' }).click()
    await page.waitForURL(`${cloud.url}/purchases?period=4w`)
    await untilLive(page)
    expect(wrong(visit)).toEqual([])
  })

  it('says that access was denied', async () => {
    await using visit = await open()
    const { page } = visit
    await page.goto('/')
    await page.getByRole('link', { name: 'Deny' }).click()
    const text = await failure(page)
    expect(text).toContain('You were not given access.')
    expect(text).toContain('access_denied')
    expect(page.url()).toBe(`${cloud.url}/login`)
    expect(await cookiesOf(page)).toEqual([])
    expect(wrong(visit)).toEqual([])
  })

  it.each<[string, Issuer['lie'], string]>([
    ['a code that does not count any more', { error: 'invalid_grant' }, 'This login has expired.'],
    ['another refusal', { error: 'server_error' }, 'server_error'],
    ['a token of another login', { nonce: 'another' }, 'belongs to another login'],
  ])('says what is wrong with %s', async (_, lie, said) => {
    await using visit = await open()
    const { page } = visit
    await page.goto('/')
    issuer.lie = lie
    await page.getByRole('link', { name: 'Allow' }).click()
    expect(await failure(page)).toContain(said)
    expect(await cookiesOf(page)).toEqual([])
  })

  it('refuses an answer that this tab has not asked for, and one that comes twice', async () => {
    await using visit = await open()
    const { page } = visit
    for (const address of ['/login?code=x&state=y', '/login?code=x', '/login?code=x&state=']) {
      await page.goto(address)
      expect(await failure(page), address).toContain('belongs to another login')
    }
    await page.goto('/')
    const link = (await page.getByRole('link', { name: 'Allow' }).getAttribute('href')) ?? ''
    await page.getByRole('link', { name: 'Allow' }).click()
    await page.waitForURL(`${cloud.url}/`)
    await page.goto(link)
    expect(await failure(page)).toContain('belongs to another login')
  })

  it.each([-2, 2])('says that the clock is wrong, by %i hours', async (hours) => {
    await using visit = await open()
    const { page } = visit
    await page.clock.setFixedTime(Date.now() + hours * 3_600_000)
    await page.goto('/')
    await page.getByRole('link', { name: 'Allow' }).click()
    expect(await failure(page)).toContain('The clock of this computer is wrong.')
  })

  it('says that no login is set up, or that the issuer is out of reach', async () => {
    await using visit = await open()
    const { page } = visit
    const known = cloud.config
    cloud.config = undefined
    await page.goto('/')
    expect(await failure(page)).toContain('The login of this site is not set up.')
    cloud.config = { ...known!, authorizationEndpoint: 'javascript:alert(1)' }
    await page.goto('/login')
    expect(await failure(page)).toContain('The login of this site is not set up.')
    cloud.config = { ...known!, issuer: 'https://another.example.org' }
    await page.goto('/')
    await page.getByRole('link', { name: 'Allow' }).click()
    expect(await failure(page)).toContain('The login of this site is not set up.')
    cloud.config = { ...known!, tokenEndpoint: 'http://127.0.0.1:9/token' }
    await page.goto('/login')
    await page.getByRole('link', { name: 'Allow' }).click()
    expect(await failure(page)).toContain('The login cannot be reached.')
  })

  it('does not go round in circles if the site refuses every login', async () => {
    await using visit = await open()
    const { page } = visit
    await page.goto('/')
    await page.getByRole('link', { name: 'Allow' }).click()
    await page.waitForURL(`${cloud.url}/`)
    await page.context().clearCookies()
    await page.goto('/sales')
    expect(await failure(page)).toContain('the site does not take it')
  })

  it('says that the browser keeps no cookies', async () => {
    await using visit = await open()
    const { page } = visit
    await page.addInitScript(() => {
      Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} })
    })
    await page.goto('/')
    await page.getByRole('link', { name: 'Allow' }).click()
    expect(await failure(page)).toContain('keeps no cookie')
  })

  it('says that the token is too large for a cookie', async () => {
    await using visit = await open()
    const { page } = visit
    const { claims } = issuer
    issuer.claims = { ...claims, padding: 'x'.repeat(4000) }
    await page.goto('/')
    await page.getByRole('link', { name: 'Allow' }).click()
    expect(await failure(page)).toContain('does not fit into a cookie')
    issuer.claims = claims
  })

  it.each([
    '//evil.example.org/',
    '/\\evil.example.org',
    'https://evil.example.org',
    'javascript:alert(1)',
    '/login?to=/login',
    '/\t/evil.example.org',
    '',
  ])('goes on to the start page where it is to go to %j', async (to) => {
    await using visit = await open()
    const { page } = visit
    await page.goto(`/login?to=${encodeURIComponent(to)}`)
    await page.getByRole('link', { name: 'Allow' }).click()
    await page.waitForURL(`${cloud.url}/`)
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Overview')
  })

  it('says, without a script, that it needs one', async () => {
    await using visit = await open({ javaScriptEnabled: false })
    const { page } = visit
    await page.goto('/sales')
    await page.locator('#blocked').waitFor()
    await expect.poll(() => page.locator('#blocked').isVisible()).toBe(true)
    expect(await page.locator('#blocked').innerText()).toContain('It needs JavaScript')
  })

  it('tells a caller outside the group so', async () => {
    await using visit = await open()
    const { page } = visit
    const { claims } = issuer
    issuer.claims = { 'cognito:groups': ['finance'] }
    await page.goto('/login?to=/payments/last5')
    await page.getByRole('link', { name: 'Allow' }).click()
    await page.waitForURL(`${cloud.url}/payments/last5`)
    const answer = await page.request.get('/payments/last5')
    expect([answer.status(), (await page.request.get('/sales')).status()]).toEqual([200, 403])
    issuer.claims = claims
  })

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('can be used by everybody, %s and %i px wide', async (colorScheme, width) => {
    await using visit = await open({ colorScheme, viewport: { width, height: 800 } })
    const { page } = visit
    // Stopped before it leaves the browser.
    await page.route('**/login/config.json', () => {})
    await page.goto('/login')
    await page.getByRole('heading', { name: 'Logging in' }).waitFor()
    expect(await auditPage(page)).toEqual([])
    await page.goto('/login?error=access_denied')
    await failure(page)
    await page.unroute('**/login/config.json')
    expect(await auditPage(page)).toEqual([])
    expect(await findOverflow(page)).toEqual([])
    const button = page.getByRole('button', { name: 'Log in' })
    await page.goto('/login/out')
    await page.getByRole('heading', { name: 'Logged out' }).waitFor()
    await button.waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)
    expect(await auditPage(page)).toEqual([])
    expect(wrong(visit)).toEqual([])
  })
})
