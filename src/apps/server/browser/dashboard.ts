import { type Head, listen } from './live.ts'
import { addSliders } from './slider.ts'
import { addSorting } from './sortable.ts'
import { addTries } from './try-it.ts'

/** What the script adds to a page: drawings, the age of the data, and new data as it arrives. */

const main = (): HTMLElement => document.querySelector('main')!
interface State {
  lost: 'connection' | 'login' | undefined
  isLoading: boolean
  wanted: string
  /** How old the data was when the server said so last, by its clock, and when that was, by ours. */
  age: { lagMs: number; at: number }
}

const state: State = {
  lost: undefined,
  isLoading: false,
  wanted: '',
  age: {
    lagMs: Number(document.querySelector<HTMLElement>('#freshness')?.dataset['lagMs'] ?? 'NaN'),
    at: Date.now(),
  },
}
const LOST = {
  connection: 'connection lost, trying again',
  login: 'login expired, load the page again',
}

/** Says in the header how old the data is, every second, and whether the connection is lost. */
function showFreshness(): void {
  const element = document.querySelector<HTMLElement>('#freshness')
  const isKnown = !Number.isNaN(state.age.lagMs)
  if (element === null || (!isKnown && state.lost === undefined)) return
  const lagMs = Math.max(0, state.age.lagMs + Date.now() - state.age.at)
  const isLate = lagMs > Number(element.dataset['promiseMs'])
  const isBad = isLate || state.lost !== undefined
  const age = `${isLate ? 'late' : 'fresh'}, ${describeAge(lagMs)} old`
  element.classList.toggle('ok', !isBad)
  element.classList.toggle('bad', isBad)
  element.querySelector('.sign')!.textContent = isBad ? '✕' : '✓'
  element.querySelector('.state')!.textContent = state.lost === undefined ? age : LOST[state.lost]
}

function describeAge(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}

function onHead({ batch, generation, completeTo, lagSeconds, promiseSeconds }: Head): void {
  state.lost = undefined
  state.age = { lagMs: lagSeconds * 1000, at: Date.now() }
  const element = document.querySelector<HTMLElement>('#freshness')
  if (element !== null) {
    const time = element.querySelector('time') ?? document.createElement('time')
    // A page of an error was answered without a moment.
    element.querySelector('.unknown')?.replaceWith('Data as of ', time)
    element.dataset['completeTo'] = completeTo
    element.dataset['promiseMs'] = String(promiseSeconds * 1000)
    time.dateTime = completeTo
    time.textContent = `${completeTo.slice(0, 19).replace('T', ' ')} UTC`
  }
  showFreshness()
  state.wanted = `${generation} ${batch}`
  if (main().dataset['state'] !== state.wanted) void refresh()
}

/** Replaces the content by the newest. If somebody is working in it, offers that as a button. */
async function refresh({ isAsked = false }: { isAsked?: boolean } = {}): Promise<void> {
  // Nobody loses what they are writing.
  const answers = main().querySelector('#editor, form[data-try]')
  if (state.isLoading || answers !== null) return
  if (!isAsked && isInUse()) {
    announce()
    return
  }
  state.isLoading = true
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } })
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    const next = page.querySelector('main')
    if (next === null) return
    // Do not retry a page that no longer exists.
    if (!response.ok) state.wanted = main().dataset['state'] ?? ''
    else if (!isAsked && isInUse()) announce()
    else swap(page, next)
  } catch {
    // The stream reports it too, and the next batch tries again.
  } finally {
    state.isLoading = false
  }
  const isBehind = main().dataset['state'] !== state.wanted
  if (isBehind && document.querySelector('#news')?.textContent === '') {
    setTimeout(() => void refresh(), 1000)
  }
}

function isInUse(): boolean {
  const focused = document.activeElement
  const selection = getSelection()
  const isSelecting =
    selection !== null && !selection.isCollapsed && main().contains(selection.anchorNode)
  return (focused !== main() && main().contains(focused)) || isSelecting
}

function swap(page: Document, next: HTMLElement): void {
  const opened = new Set([...main().querySelectorAll('details[open]')].map(({ id }) => id))
  const scrolled = [...main().querySelectorAll('.table-wrap')].map(({ scrollTop, scrollLeft }) => ({
    scrollTop,
    scrollLeft,
  }))
  const top = scrollY
  for (const details of next.querySelectorAll('details')) {
    if (details.id !== '' && opened.has(details.id)) details.open = true
  }
  main().replaceWith(document.adoptNode(next))
  document.querySelector('#freshness')?.replaceWith(page.querySelector('#freshness') ?? '')
  for (const [place, wrap] of [...main().querySelectorAll('.table-wrap')].entries()) {
    Object.assign(wrap, scrolled[place])
  }
  document.querySelector('#news')!.replaceChildren()
  showFreshness()
  prepare({ isStill: true })
  scrollTo({ top, behavior: 'instant' })
}

function announce(): void {
  const news = document.querySelector('#news')!
  if (news.childElementCount > 0) return
  const button = document.createElement('button')
  button.className = 'button'
  button.type = 'button'
  button.textContent = 'Refresh'
  button.addEventListener('click', () => void refresh({ isAsked: true }))
  news.replaceChildren('New data ', button)
}

/** The library that draws is by far the largest script, so only a page with charts loads it. */
let charts: typeof import('./charts.ts') | undefined

async function draw({ isStill }: { isStill: boolean }): Promise<void> {
  if (charts === undefined && document.querySelector('[data-plots]') === null) return
  charts ??= await import('./charts.ts')
  await document.fonts.ready
  charts.drawAll({ isStill })
}

function prepare({ isStill }: { isStill: boolean }): void {
  void draw({ isStill })
  addSliders(main())
  addTries(main())
  addSorting(main())
}

/** Adds a link to log out, if the login is in a cookie that the page may read. */
function offerLogOut(): void {
  if (!document.cookie.includes('__Host-tidemark=')) return
  const link = document.createElement('a')
  link.className = 'log-out'
  link.href = '/login/out'
  link.textContent = 'Log out'
  document.querySelector('.top-line')?.append(link)
}

offerLogOut()
prepare({ isStill: false })
for (const media of ['(prefers-color-scheme: dark)', 'print']) {
  matchMedia(media).addEventListener('change', () => charts?.redrawAll())
}
addEventListener('beforeprint', () => charts?.drawForPaper())
addEventListener('afterprint', () => charts?.drawForScreen())
setInterval(showFreshness, 1000)
void listen({
  onHead,
  onLost(why) {
    state.lost = why
    showFreshness()
  },
})
