// A WebSocket client driven by lines of JSON: commands on standard input, events on standard
// output. It knows nothing of LEMP; the tests do.
//
// {"do":"open","url":…,"options":{…}}   {"do":"send","text":…}   {"do":"parts","parts":[…]}
// {"do":"binary","text":…}   {"do":"ping","text":…}   {"do":"close","code":…}   {"do":"end"}

'use strict'

const readline = require('node:readline')
const WebSocket = require('ws')

let socket

function tell(event) {
	process.stdout.write(JSON.stringify(event) + '\n')
}

function open({ url, options }) {
	socket = new WebSocket(url, 'lemp', { perMessageDeflate: false, ...options })
	socket.on('open', () => tell({ event: 'open', protocol: socket.protocol }))
	socket.on('message', (data, binary) => tell({ event: 'message', text: data.toString(), binary }))
	socket.on('ping', (data) => tell({ event: 'ping', text: data.toString('latin1') }))
	socket.on('pong', (data) => tell({ event: 'pong', text: data.toString('latin1') }))
	socket.on('close', (code, reason) => tell({ event: 'close', code, text: reason.toString() }))
	socket.on('error', (error) => tell({ event: 'error', text: String(error) }))
}

const commands = {
	open,
	send: ({ text }) => socket.send(text),
	binary: ({ text }) => socket.send(Buffer.from(text)),
	parts: ({ parts }) => parts.forEach((part, i) => socket.send(part, { fin: i === parts.length - 1 })),
	ping: ({ text }) => socket.ping(text),
	close: ({ code }) => socket.close(code),
	end: () => socket.terminate(),
}

const lines = readline.createInterface({ input: process.stdin })
lines.on('line', (line) => {
	const command = JSON.parse(line)
	commands[command.do](command)
})
lines.on('close', () => process.exit(0))
