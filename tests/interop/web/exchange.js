// SPDX-License-Identifier: MIT
// What MQTT.js and Paho JS must be able to do over WebSocket: the same in node and in a browser. An
// adapter hides the library: connect(url, version, id, onMessage) gives subscribe, publish,
// unsubscribe and end, each a promise. `exchange` runs a conversation with it and resolves to a
// list of what was wrong.
'use strict'

const LARGE = 300000
const SECONDS = 20

function bytesOf (text) {
  return new TextEncoder().encode(text)
}

function largePayload () {
  return Uint8Array.from({ length: LARGE }, (_, index) => index * 7 % 251)
}

function same (a, b) {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function within (seconds, what, promise) {
  const late = new Promise((resolve, reject) =>
    setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000))
  return Promise.race([promise, late])
}

function mqttJs (mqtt, more) {
  return function connect (url, version, id, onMessage) {
    const client = mqtt.connect(url, {
      protocolVersion: version, clientId: id, reconnectPeriod: 0, ...more
    })
    client.on('message', (topic, payload, packet) =>
      onMessage({ topic, payload: Uint8Array.from(payload), qos: packet.qos, retain: packet.retain }))
    const settle = (resolve, reject) => (error) => error ? reject(error) : resolve()
    const api = {
      subscribe: (filter, qos) => new Promise((resolve, reject) =>
        client.subscribe(filter, { qos }, settle(resolve, reject))),
      publish: (topic, payload, qos, retain) => new Promise((resolve, reject) =>
        // A copy in the library's own kind of buffer: in a browser there is none but its.
        client.publish(topic, mqtt.Buffer ? mqtt.Buffer.from(payload) : payload, { qos, retain },
          settle(resolve, reject))),
      unsubscribe: (filter) => new Promise((resolve, reject) =>
        client.unsubscribe(filter, settle(resolve, reject))),
      end: () => new Promise((resolve) => client.end(false, {}, resolve))
    }
    return new Promise((resolve, reject) => {
      client.on('connect', () => resolve(api))
      client.on('error', reject)
      client.on('close', () => reject(new Error('closed')))
    })
  }
}

function pahoJs (Paho) {
  return function connect (url, version, id, onMessage) {
    const client = new Paho.Client(url, id)
    const delivered = new Map() // by message: what to call
    const said = (response) => new Error(response.errorMessage || `error ${response.errorCode}`)
    client.onMessageArrived = (message) => onMessage({
      topic: message.destinationName,
      payload: Uint8Array.from(message.payloadBytes),
      qos: message.qos,
      retain: message.retained
    })
    client.onMessageDelivered = (message) => delivered.get(message)?.()
    const settle = (resolve, reject) => ({ onSuccess: () => resolve(), onFailure: (r) => reject(said(r)) })
    const api = {
      subscribe: (filter, qos) => new Promise((resolve, reject) =>
        client.subscribe(filter, { qos, ...settle(resolve, reject) })),
      publish: (topic, payload, qos, retain) => new Promise((resolve) => {
        const message = new Paho.Message(payload)
        message.destinationName = topic
        message.qos = qos
        message.retained = retain
        delivered.set(message, resolve)
        client.send(message)
      }),
      unsubscribe: (filter) => new Promise((resolve, reject) =>
        client.unsubscribe(filter, settle(resolve, reject))),
      end: () => new Promise((resolve) => {
        client.onConnectionLost = resolve
        client.disconnect()
      })
    }
    return new Promise((resolve, reject) => client.connect({
      mqttVersion: version,
      mqttVersionExplicit: true,
      onSuccess: () => resolve(api),
      onFailure: (response) => reject(said(response))
    }))
  }
}

// Messages to itself in every quality, a large one, a retained one that a later subscriber sees, and
// none after unsubscribing.
async function exchange (connect, url, version, stem) {
  const wrong = []
  const sent = [0, 1, 2].map((qos) => ({ topic: `${stem}/live`, payload: bytesOf(`${qos}: blåbær €`), qos }))
  sent.push({ topic: `${stem}/live`, payload: largePayload(), qos: 1 })
  sent.push({ topic: `${stem}/live`, payload: bytesOf(''), qos: 1 })
  const received = []
  let waiting = { count: Infinity, call: () => {} }
  const arrived = (count) => new Promise((resolve) => {
    waiting = { count, call: resolve }
    if (received.length >= count) resolve()
  })
  const one = await within(SECONDS, 'connecting', connect(url, version, `${stem}-1`, (message) => {
    received.push(message)
    if (received.length >= waiting.count) waiting.call()
  }))
  await within(SECONDS, 'subscribing', one.subscribe(`${stem}/#`, 2))
  for (const message of sent) {
    await within(SECONDS, `publishing with QoS ${message.qos}`,
      one.publish(message.topic, message.payload, message.qos, false))
  }
  await within(SECONDS, 'messages', arrived(sent.length))
  sent.forEach((message, index) => {
    const it = received[index]
    if (it.topic !== message.topic || it.qos !== message.qos || !same(it.payload, message.payload)) {
      wrong.push(`message ${index}: ${it.topic} with QoS ${it.qos}, ${it.payload.length} bytes`)
    }
  })
  await within(SECONDS, 'unsubscribing', one.unsubscribe(`${stem}/#`))
  await within(SECONDS, 'publishing', one.publish(`${stem}/state`, bytesOf('on'), 1, true))
  const later = []
  const other = await new Promise((resolve, reject) => {
    let client
    const done = within(SECONDS, 'the retained message', new Promise((resolve) => {
      connect(url, version, `${stem}-2`, (message) => { later.push(message); resolve() })
        .then(async (it) => { client = it; await it.subscribe(`${stem}/state`, 1) }, reject)
    }))
    done.then(() => resolve(client), reject)
  })
  if (later.length !== 1 || !later[0].retain || !same(later[0].payload, bytesOf('on'))) {
    wrong.push('the retained message is another one')
  }
  if (received.length !== sent.length) wrong.push('a message came after unsubscribing')
  await within(SECONDS, 'ending', other.end())
  await within(SECONDS, 'ending', one.end())
  return wrong
}

// One line for each run, whoever prints it.
async function verdictOf (name, run) {
  try {
    const wrong = await run()
    return `VERDICT ${name} ${wrong.length ? wrong.join('; ') : 'good'}`
  } catch (error) {
    return `VERDICT ${name} ${String((error && error.message) || error).replaceAll('\n', ' ')}`
  }
}

if (typeof module !== 'undefined') module.exports = { exchange, mqttJs, pahoJs, verdictOf }
