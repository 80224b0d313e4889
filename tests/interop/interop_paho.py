# SPDX-License-Identifier: MIT
"""Paho Python, version 5, inside the test process: programs that live on it look like this."""
import threading

from interop_clients import new_id
from interop_process import TIMEOUT


class Peer:
    """A connected Paho client. What it received, and which subscriptions were granted, is kept;
    wait() sleeps until that is enough."""

    def __init__(self, port, client_id=None, will=None):
        from paho.mqtt import client as mqtt  # here, so that its absence fails its tests only
        self.condition = threading.Condition()
        self.messages, self.granted, self.connects = [], {}, 0
        self.client = mqtt.Client(client_id or new_id(), protocol=mqtt.MQTTv5)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message
        self.client.on_subscribe = self._on_subscribe
        self.client.on_unsubscribe = self._on_unsubscribe
        if will:
            self.client.will_set(will.topic, will.payload, will.qos, will.retain)
        self.client.connect("127.0.0.1", port, 60, clean_start=True)
        self.client.loop_start()
        self.wait(lambda: self.connects == 1, "CONNACK")

    def _on_connect(self, _client, _userdata, _flags, reason, _properties):
        with self.condition:
            self.connects += 1
            self.condition.notify_all()
        assert reason == 0, reason

    def _on_message(self, _client, _userdata, message):
        with self.condition:
            self.messages.append(message)
            self.condition.notify_all()

    def _on_subscribe(self, _client, _userdata, packet_id, granted, _properties):
        with self.condition:
            self.granted[packet_id] = [reason.value for reason in granted]
            self.condition.notify_all()

    def _on_unsubscribe(self, _client, _userdata, packet_id, _properties, reasons):
        many = reasons if isinstance(reasons, list) else [reasons]
        self._on_subscribe(None, None, packet_id, many, None)

    def wait(self, test, what):
        with self.condition:
            assert self.condition.wait_for(test, TIMEOUT), f"{what}: not within the time"

    def subscribe(self, filters):
        """One SUBSCRIBE of (filter, qos) pairs; returns the reasons of its SUBACK."""
        from paho.mqtt.subscribeoptions import SubscribeOptions
        _, packet_id = self.client.subscribe(
            [(name, SubscribeOptions(qos=qos)) for name, qos in filters])
        self.wait(lambda: packet_id in self.granted, "SUBACK")
        return self.granted[packet_id]

    def unsubscribe(self, filters):
        """Returns the reasons of its UNSUBACK."""
        _, packet_id = self.client.unsubscribe(filters)
        self.wait(lambda: packet_id in self.granted, "UNSUBACK")
        return self.granted[packet_id]

    def publish(self, topic, payload, qos=0, retain=False):
        self.publish_all([(topic, payload, qos, retain)])

    def publish_all(self, messages):
        """Sends all, then waits until each is acknowledged."""
        sent = [self.client.publish(*message) for message in messages]
        for one in sent:
            one.wait_for_publish(TIMEOUT)
            assert one.is_published()

    def take(self, count):
        """Waits for so many messages; returns all, and forgets them."""
        self.wait(lambda: len(self.messages) >= count, f"{count} messages")
        with self.condition:
            taken, self.messages = self.messages, []
        return taken

    def drop(self):
        """Closes the socket without DISCONNECT: Home Assistant's way to have its will sent."""
        self.client.loop_stop(force=True)
        self.client._sock_close()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Service:
    """Answers each message of a topic with "svar: <it>", at the Response Topic that it names."""

    def __init__(self, port, topic, answer_topic=None):
        self.peer, self.asked, self.answer_topic = Peer(port), [], answer_topic
        self.peer.client.on_message = self._answer
        assert self.peer.subscribe([(topic, 2)]) == [2]

    def _answer(self, client, _userdata, message):
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties
        properties = Properties(PacketTypes.PUBLISH)
        correlation = getattr(message.properties, "CorrelationData", None)
        if correlation is not None:
            properties.CorrelationData = correlation
        where = self.answer_topic or message.properties.ResponseTopic
        self.asked.append((where, correlation))
        client.publish(where, b"svar: " + message.payload, 1, properties=properties)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()
