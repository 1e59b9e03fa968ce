/** The most of an answer that is shown. */
const MAX_CHARS = 20_000

/** Shows the forms that try the API, and sends what they ask for. The answer appears in the form. */
export function addTries(root: HTMLElement): void {
  for (const form of root.querySelectorAll<HTMLFormElement>('form[data-try]')) {
    form.hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      void send(form)
    })
  }
}

async function send(form: HTMLFormElement): Promise<void> {
  const shown = form.querySelector('pre')!
  const { address, accept } = readForm(form)
  shown.hidden = false
  shown.textContent = `GET ${address}`
  try {
    const response = await fetch(address, { headers: { accept } })
    const text = await response.text()
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`)
    const head = [`GET ${address}`, '', `${response.status} ${response.statusText}`, ...headers]
    shown.textContent = `${head.join('\n')}\n\n${inLines(text)}`
  } catch {
    shown.textContent = `GET ${address}\n\nThe server did not answer. Try again.`
  }
}

/** The address that the fields of a form make, without the empty ones. */
function readForm(form: HTMLFormElement): { address: string; accept: string } {
  const query = new URLSearchParams()
  let path = form.dataset['try'] ?? ''
  let accept = '*/*'
  for (const [field, value] of new FormData(form)) {
    if (typeof value !== 'string') continue
    const [place, name = ''] = field.split('.')
    if (place === 'accept') accept = value
    if (place === 'path') path = path.replace(`{${name}}`, () => encodeURIComponent(value))
    if (place === 'query' && value !== '') query.set(name, value)
  }
  const text = query.toString()
  return { address: text === '' ? path : `${path}?${text}`, accept }
}

/** JSON in lines that people can read; any other text as it is. */
function inLines(text: string): string {
  let lines = text
  try {
    lines = JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    // It is not JSON.
  }
  return lines.length <= MAX_CHARS ? lines : `${lines.slice(0, MAX_CHARS)}\n…`
}
