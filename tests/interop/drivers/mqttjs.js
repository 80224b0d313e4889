// SPDX-License-Identifier: MIT
// MQTT.js as a command: `node mqttjs.js publish|subscribe key=value...`. The words it takes and the
// lines it prints are described in paho_python.py. Two words more: `times` publishes so often;
// `aliases`, with version 5, is its Topic Alias Maximum, and has it use those that the broker allows.
'use strict'

const mqtt = require('mqtt')

const VERSIONS = { 3.1: 3, '3.1.1': 4, 5: 5 }

function connectOptions (options) {
  const version = VERSIONS[options.version]
  const result = {
    protocolVersion: version,
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    clientId: options.id,
    clean: (options.clean ?? '1') === '1',
    reconnectPeriod: 0
  }
  if (version === 5) {
    result.properties = { sessionExpiryInterval: Number(options.expiry ?? '0') }
    if (options.aliases !== undefined) {
      result.properties.topicAliasMaximum = Number(options.aliases)
      result.autoAssignTopicAlias = true
    }
  }
  if (options.will_topic !== undefined) {
    result.will = {
      topic: options.will_topic,
      payload: Buffer.from(options.will_payload),
      qos: Number(options.will_qos),
      retain: options.will_retain === '1'
    }
  }
  return result
}

function fail (error) {
  console.log('error', error)
  process.exit(1)
}

function publish (client, options) {
  const payload = require('fs').readFileSync(0)
  const how = { qos: Number(options.qos), retain: options.retain === '1' }
  let missing = Number(options.times ?? '1')
  const acknowledged = (error) => {
    if (error) fail(error)
    if (--missing > 0) return
    console.log('published')
    client.end(false)
  }
  for (let left = missing; left > 0; left--) client.publish(options.topic, payload, how, acknowledged)
}

function subscribe (client, options) {
  client.on('connect', (connack) => console.log('connected', Number(connack.sessionPresent)))
  client.on('message', (topic, payload, packet) =>
    console.log('message', packet.qos, Number(packet.retain), Buffer.from(topic).toString('hex'),
      payload.toString('hex')))
  client.subscribe(options.filter, { qos: Number(options.qos) }, (error, granted) => {
    if (error) fail(error)
    console.log('subscribed', granted.map((one) => one.qos))
  })
  process.on('SIGTERM', () => client.end(false))
}

const options = Object.fromEntries(process.argv.slice(3).map((word) => {
  const end = word.indexOf('=')
  return [word.slice(0, end), word.slice(end + 1)]
}))
const scheme = options.scheme ?? 'mqtt'
const client = mqtt.connect(`${scheme}://127.0.0.1:${options.port}`, connectOptions(options))
client.on('error', fail)
const verbs = { publish, subscribe }
verbs[process.argv[2]](client, options)
