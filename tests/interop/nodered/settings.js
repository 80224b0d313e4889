// SPDX-License-Identifier: MIT
// Node-RED's settings for the interop tests: no editor, no HTTP. The flow's function nodes get
// `commands`, which gives each line of standard input as an object, and `say`, which prints a line.
'use strict'

const { EventEmitter } = require('events')
const readline = require('readline')

const commands = new EventEmitter()

module.exports = {
  httpAdminRoot: false,
  httpNodeRoot: false,
  disableEditor: true,
  flowFile: 'flow.json',
  credentialSecret: false,
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { autoInstall: false, palette: { allowInstall: false } },
  functionGlobalContext: {
    commands,
    listen: () => readline.createInterface({ input: process.stdin })
      .on('line', (line) => commands.emit('command', JSON.parse(line))),
    say: (...words) => process.stdout.write(words.join(' ') + '\n')
  },
  logging: { console: { level: 'info', metrics: false, audit: false } }
}
