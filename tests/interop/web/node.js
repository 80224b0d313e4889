// SPDX-License-Identifier: MIT
// exchange.js in node: `node node.js mqtt.js|paho-js VERSION URL STEM [CA]`; prints one verdict.
'use strict'

const { exchange, mqttJs, pahoJs, verdictOf } = require('./exchange.js')

const [library, version, url, stem, authority] = process.argv.slice(2)

function adapter () {
  const ca = authority ? require('fs').readFileSync(authority) : undefined
  if (library === 'mqtt.js') return mqttJs({ ...require('mqtt'), Buffer }, { ca })
  const WebSocket = require('ws')
  // Paho asks for the browser's; this one takes the authority besides.
  globalThis.WebSocket = class extends WebSocket {
    constructor (address, protocols) { super(address, protocols, { ca }) }
  }
  return pahoJs(require('paho-mqtt'))
}

verdictOf(`node ${library} ${version} ${url.split(':')[0]}`,
  () => exchange(adapter(), url, Number(version), stem))
  .then((line) => { console.log(line); process.exit(0) })
