import type { html } from 'hono/html'

/** Escaped HTML, as the `html` template makes it. */
export type Markup = ReturnType<typeof html>
