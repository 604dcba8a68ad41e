/** The page of the DevTools tab: plain HTML, asking the app of the same origin every second. */
export const devtoolsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Sync</title>
<style>
  body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; color-scheme: light dark; }
  h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
  table { border-collapse: collapse; }
  td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
  code { white-space: pre-wrap; overflow-wrap: anywhere; }
  .none { opacity: .6; }
</style>
</head>
<body>
<p id="empty" class="none">No synced store is open. Open a page of the app that uses a synced table.</p>
<main id="stores"></main>
<script type="module">
const channel = new BroadcastChannel('or3-sync:devtools')
const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: String(text) })
const row = (...cells) => { const line = document.createElement('tr'); line.append(...cells); return line }
const section = (title, lines, none) => {
  if (lines.length === 0) return [cell('h2', title), Object.assign(cell('p', none), { className: 'none' })]
  const table = document.createElement('table')
  table.append(...lines)
  return [cell('h2', title), table]
}
const json = value => {
  const code = document.createElement('code'); code.textContent = JSON.stringify(value);
  const td = document.createElement('td'); td.append(code); return td
}
function show(store) {
  const { status } = store
  const button = cell('button', status.isOnline ? 'Go offline' : 'Go online')
  button.id = 'online'
  button.onclick = () => channel.postMessage({ kind: 'online', name: store.name, isOnline: !status.isOnline })
  const facts = { user: store.userId, workspace: store.workspaceId, device: status.deviceId,
    cursor: status.cursor, head: status.head,
    live: status.live.mode + (status.live.reason ? ' (' + status.live.reason + ')' : ''),
    durable: status.isDurable, leader: status.isLeader,
    error: status.error ? status.error.message : 'none' }
  return [
    ...section('Store', Object.entries(facts).map(([name, value]) => row(cell('th', name), cell('td', value))), ''),
    button,
    ...section('Replica', store.tables.map(one => row(cell('th', one.name), cell('td', one.rows + ' rows'))),
      'No rows.'),
    ...section('Outbox',
      store.outbox.map(op =>
        row(cell('th', op.tableName), cell('td', op.operation), cell('td', op.pk), json(op.payload))),
      'Nothing waits.'),
    ...section('Failures',
      store.failures.map(one =>
        row(cell('th', one.table), cell('td', one.pk), cell('td', one.code + ': ' + one.message))),
      'None.'),
  ]
}
channel.onmessage = ({ data }) => {
  if (data.kind !== 'state') return
  document.getElementById('empty').hidden = data.stores.length > 0
  document.getElementById('stores').replaceChildren(...data.stores.flatMap(show))
}
const ask = () => channel.postMessage({ kind: 'ask' })
ask()
setInterval(ask, 1000)
</script>
</body>
</html>
`
