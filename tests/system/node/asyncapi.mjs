// Validates AsyncAPI documents: prints what @asyncapi/parser complains about, a line of JSON for each
// document named on the command line. Nothing is fetched: what they refer to stands beside them.
import { Parser, fromFile } from '@asyncapi/parser'

const ERROR = 0, WARNING = 1
const parser = new Parser()
for (const path of process.argv.slice(2)) {
	const { diagnostics } = await fromFile(parser, path).parse()
	const bad = diagnostics.filter(({ severity }) => severity === ERROR || severity === WARNING)
	console.log(JSON.stringify(bad.map(({ path, message }) => `${path.join('/')}: ${message}`)))
}
