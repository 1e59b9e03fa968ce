import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

/** A mail as the server took it. */
export interface TakenMail {
  readonly from: string
  readonly to: readonly string[]
  /** Headers and body as sent. */
  readonly raw: string
  /** Whether the connection was encrypted. */
  readonly isSecure: boolean
  readonly user: string | undefined
}

/** A real mail server in this process. */
export interface MailServer extends AsyncDisposable {
  readonly port: number
  /** Mails taken so far, in order. */
  readonly taken: TakenMail[]
  /** Status codes by recipient, for recipients that are refused. */
  readonly refused: Map<string, number>
  /** If set, the content of every mail is answered with this status after it was received. */
  contentStatus: number | undefined
  /** If set, no mail is answered before it resolves. */
  held: Promise<void> | undefined
  /** Resolves once the content of a further mail has arrived. */
  nextContent(): Promise<void>
}

export interface MailServerOptions {
  readonly port?: number
  readonly host?: string
  /** Whether the server offers STARTTLS. Default: yes. */
  readonly startTls?: boolean
  /** TLS from the first byte. */
  readonly secure?: boolean
  /** The only login that is accepted. Default: none is needed. */
  readonly login?: { readonly user: string; readonly password: string }
}

/** Starts a mail server with a certificate that it signed itself. */
export async function startMailServer({
  port = 0,
  host = '127.0.0.1',
  startTls = true,
  secure = false,
  login,
}: MailServerOptions = {}): Promise<MailServer> {
  const waiting: (() => void)[] = []
  const sockets = new Set<Socket>()
  const server = new SMTPServer({
    secure,
    logger: false,
    authOptional: login === undefined,
    disabledCommands: [
      ...(startTls && !secure ? [] : ['STARTTLS']),
      ...(login === undefined ? ['AUTH'] : []),
    ],
    onAuth({ username, password }, _, done) {
      const isKnown = username === login?.user && password === login?.password
      if (isKnown) done(null, { user: username })
      else done(withStatus(535, 'Login refused'))
    },
    onRcptTo({ address }, _, done) {
      const status = own.refused.get(address)
      done(status === undefined ? undefined : withStatus(status, `No <${address}> here`))
    },
    onData(stream, { envelope, secure: isSecure, user }, done) {
      const take = async (): Promise<void> => {
        const raw = await text(stream)
        for (const tell of waiting.splice(0)) tell()
        await own.held
        if (own.contentStatus !== undefined) throw withStatus(own.contentStatus, 'Not now')
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
        const to = envelope.rcptTo.map(({ address }) => address)
        own.taken.push({ from, to, raw, isSecure, user: user as string | undefined })
      }
      void answer(take(), done)
    },
  })
  server.on('error', () => {}) // a client that leaves
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(port, host)
  await once(server.server, 'listening')
  const own: MailServer = {
    port: (server.server.address() as AddressInfo).port,
    taken: [],
    refused: new Map(),
    contentStatus: undefined,
    held: undefined,
    nextContent: () => new Promise((resolve) => waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  return own
}

/** Tells the server how the work ended. */
async function answer(work: Promise<void>, done: (error?: Error) => void): Promise<void> {
  let error: Error | undefined
  try {
    await work
  } catch (thrown) {
    error = thrown as Error
  }
  done(error)
}

function withStatus(status: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode: status })
}
