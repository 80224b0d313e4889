#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Paho Python as a command: `paho_python.py publish|subscribe key=value...`.

The three drivers here take the same words and print the same lines:
  publish    topic qos retain; the payload is standard input    -> published
  subscribe  filter qos, until SIGTERM                          -> connected, subscribed, message...
Both take port, version, id, clean, expiry (seconds, v5), and will_topic will_payload will_qos
will_retain. A message line is `message <qos> <retain> <topic> <payload>`, the last two in hex.
"""
import signal
import sys
import threading

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

VERSIONS = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}


def say(*words):
    print(*words, flush=True)


def make_client(options):
    version = VERSIONS[options["version"]]
    clean = {} if version == mqtt.MQTTv5 else {"clean_session": options.get("clean", "1") == "1"}
    client = mqtt.Client(options["id"], protocol=version, **clean)
    if "will_topic" in options:
        client.will_set(options["will_topic"], options["will_payload"].encode(),
                        int(options["will_qos"]), options["will_retain"] == "1")
    return client


def connect(client, options):
    keywords = {}
    if client._protocol == mqtt.MQTTv5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = int(options.get("expiry", "0"))
        keywords = {"clean_start": options.get("clean", "1") == "1", "properties": properties}
    client.connect("127.0.0.1", int(options["port"]), 60, **keywords)


def publish(client, options):
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    connect(client, options)
    client.loop_start()
    connected.wait()
    sent = client.publish(options["topic"], sys.stdin.buffer.read(), int(options["qos"]),
                          options["retain"] == "1")
    sent.wait_for_publish()
    say("published")
    client.disconnect()
    client.loop_stop()


def subscribe(client, options):
    def on_connect(_client, _userdata, flags, code, *_):
        assert code == 0, code
        say("connected", flags["session present"])
        client.subscribe(options["filter"], int(options["qos"]))

    def on_message(_client, _userdata, message):
        say("message", message.qos, int(message.retain), message.topic.encode().hex(),
            message.payload.hex())

    client.on_connect, client.on_message = on_connect, on_message
    client.on_subscribe = lambda _client, _userdata, _id, granted, *_: say("subscribed", granted)
    signal.signal(signal.SIGTERM, lambda *_: client.disconnect())
    connect(client, options)
    client.loop_forever(retry_first_connection=False)


def main():
    options = dict(word.split("=", 1) for word in sys.argv[2:])
    {"publish": publish, "subscribe": subscribe}[sys.argv[1]](make_client(options), options)


if __name__ == "__main__":
    main()
