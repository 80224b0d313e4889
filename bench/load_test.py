#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Do bench_load and bench_durable notice a broker that errs?

load_test.py BENCH_LOAD BENCH_DURABLE BENCH_FLOOR

The floor is the broker that does everything right. The other one is Scoundrel below: a few threads
of Python that forward QoS 0 and 1 between the clients of one run and err in one chosen way.
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

LOAD = DURABLE = FLOOR = None
SECONDS_MAX = 60
SMALL = ["--groups", "2", "--batch", "2", "--window", "10", "--milliseconds", "300",
         "--warm-up", "20"]


def run_load(port, *arguments):
    """(exit status, the parsed line or None, standard error)"""
    done = subprocess.run([LOAD, "--port", str(port), *SMALL, *arguments], capture_output=True,
                          text=True, check=False, timeout=SECONDS_MAX)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def run_durable(port, pid, *arguments):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([DURABLE, "--port", str(port), "--pid", str(pid), "--directory",
                               directory, "--milliseconds", "60", "--slice", "20", *arguments],
                              capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


class Scoundrel:
    """Forwards each PUBLISH to who subscribed to its topic, but errs with every tenth."""

    def __init__(self, vice):
        self.vice = vice
        self.subscribers = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        stream = peer.makefile("rb")
        published = 0
        try:
            while head := stream.read(2):  # every packet here is shorter than 128 bytes
                body = stream.read(head[1])
                if head[0] == 0x10:
                    peer.sendall(b"\x20\x02\0\0" if self.vice != "refuse" else b"\x20\x02\0\x05")
                elif head[0] == 0x82:
                    self.subscribers[body[4:-1]] = peer
                    peer.sendall(b"\x90\x03" + body[:2] + body[-1:])
                elif head[0] & 0xf0 == 0x30:
                    published += 1
                    self.forward(peer, head, body, published % 10 == 0)
        except OSError:
            pass

    def forward(self, publisher, head, body, err):
        size = struct.unpack("!H", body[:2])[0]
        subscriber = self.subscribers[body[2:2 + size]]
        if head[0] & 6 and not (err and self.vice == "no PUBACK"):
            publisher.sendall(b"\x40\x02" + body[2 + size:4 + size])
        if err and self.vice == "hang up":
            subscriber.shutdown(socket.SHUT_RDWR)
        elif err and self.vice == "truncate":
            subscriber.sendall(bytes([head[0], head[1] - 1]) + body[:-1])
        elif not (err and self.vice == "drop"):
            subscriber.sendall((head + body) * (2 if err and self.vice == "repeat" else 1))


class FloorTest(unittest.TestCase):
    def setUp(self):
        self.floor = subprocess.Popen([FLOOR], stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)$", self.floor.stderr.readline())[1])

    def tearDown(self):
        self.floor.kill()
        self.floor.wait()
        self.floor.stderr.close()

    def expect_whole(self, *arguments):
        status, line, errors = run_load(self.port, "--pid", str(self.floor.pid), *arguments)
        self.assertEqual((status, errors), (0, ""))
        self.assertGreater(line["delivered"], 0)
        self.assertEqual(line["total_delivered"], line["total_expected"])
        self.assertEqual((line["lost"], line["repeated"]), (0, 0))
        self.assertGreater(line["broker_seconds"], 0)
        self.assertGreater(line["generator_seconds"], 0)
        return line

    def test_qos_0_arrives_whole(self):
        line = self.expect_whole()
        self.assertEqual(line["total_expected"], line["total_sent"])

    def test_qos_1_arrives_whole(self):
        self.expect_whole("--qos", "1")

    def test_each_subscriber_counts(self):
        line = self.expect_whole("--groups", "1", "--subscribers", "30")
        self.assertEqual(line["total_expected"], 30 * line["total_sent"])

    def test_one_under_way_and_payloads_larger_than_a_read(self):
        self.expect_whole("--batch", "1", "--window", "1", "--payload", "60000")

    def test_batches_that_a_socket_cannot_take_at_once(self):
        self.expect_whole("--batch", "200", "--window", "400", "--payload", "30000", "--qos", "1")

    def test_idle_connections(self):
        status, line, _ = run_load(self.port, "--pid", str(self.floor.pid), "--idle", "50")
        self.assertEqual((status, line["connections"]), (0, 50))
        self.assertGreater(line["rss_before"], 0)
        self.assertGreaterEqual(line["rss_after"], line["rss_before"])


    def expect_acknowledged(self, *arguments):
        status, line, errors = run_durable(self.port, self.floor.pid, *arguments)
        self.assertEqual((status, errors), (0, ""))
        self.assertGreater(line["acknowledged"], 0)
        self.assertLessEqual(line["ack_p50_us"], line["ack_p99_us"])
        return line

    def test_durable_publishes_to_a_subscriber_that_is_away(self):
        line = self.expect_acknowledged()
        self.assertEqual(line["delivered"], 0)
        self.assertGreater(line["barriers"], 0)
        self.assertLessEqual(line["barrier_p50_us"], line["barrier_p99_us"])

    def test_durable_publishes_to_one_that_is_there(self):
        line = self.expect_acknowledged("--publishers", "5", "--window", "7", "--online", "1")
        self.assertEqual(line["delivered"], line["acknowledged"])

    def test_a_number_of_messages_to_queue(self):
        line = self.expect_acknowledged("--messages", "1000", "--publishers", "3", "--window", "4")
        self.assertEqual((line["acknowledged"], line["barriers"]), (1000, 0))
        self.assertGreater(line["rss_after"], 0)


class ScoundrelTest(unittest.TestCase):
    def run_with(self, vice, *arguments):
        with Scoundrel(vice) as broker:
            return run_load(broker.port, *arguments)

    def test_an_honest_one_passes(self):
        status, line, _ = self.run_with(None, "--qos", "1")
        self.assertEqual((status, line["lost"], line["repeated"]), (0, 0, 0))

    def test_loss_is_counted_and_forgiven_with_qos_0(self):
        status, line, _ = self.run_with("drop")
        self.assertEqual(status, 0)
        self.assertGreater(line["lost"], 0)
        self.assertEqual(line["lost"] + line["total_delivered"], line["total_expected"])

    def test_loss_of_the_only_message_under_way_does_not_stop_the_run(self):
        status, line, _ = self.run_with("drop", "--batch", "1", "--window", "1",
                                        "--milliseconds", "1500")
        self.assertEqual(status, 0)
        self.assertGreater(line["lost"], 0)

    def test_loss_fails_with_qos_1(self):
        status, line, _ = self.run_with("drop", "--qos", "1")
        self.assertEqual(status, 1)
        self.assertTrue(line is None or line["lost"] > 0)

    def test_repetition_fails_with_qos_1(self):
        status, line, _ = self.run_with("repeat", "--qos", "1")
        self.assertEqual(status, 1)
        self.assertGreater(line["repeated"], 0)
        self.assertEqual(line["lost"], 0)

    def expect_breaking_off(self, vice, *arguments):
        status, line, errors = self.run_with(vice, *arguments)
        self.assertEqual((status, line), (1, None))
        self.assertIn("bench_load: ", errors)

    def test_a_missing_puback_ends_the_run(self):
        self.expect_breaking_off("no PUBACK", "--qos", "1")

    def test_a_changed_message_ends_the_run(self):
        self.expect_breaking_off("truncate")

    def test_a_closed_connection_ends_the_run(self):
        self.expect_breaking_off("hang up")

    def test_a_refused_connection_ends_the_run(self):
        self.expect_breaking_off("refuse")

    def test_durable_ends_with_a_closed_connection(self):
        with Scoundrel("hang up") as broker:
            status, line, errors = run_durable(broker.port, os.getpid(), "--online", "1",
                                               "--payload", "20")
        self.assertEqual((status, line), (1, None))
        self.assertIn("bench_durable: ", errors)


class ArgumentTest(unittest.TestCase):
    def test_nonsense_is_refused(self):
        for arguments in (["--qos", "2"], ["--window", "1"], ["--payload", "7"], ["--port", "x"],
                          ["--window", "65536"], ["--idle", "5"], ["--nothing", "1"], ["more"]):
            with self.subTest(arguments=arguments):
                status, line, errors = run_load(1, *arguments)
                self.assertEqual((status, line), (2, None))
                self.assertIn("bench_load --port", errors)

    def test_durable_refuses_nonsense(self):
        for arguments in (["--window", "0"], ["--window", "1001"], ["--publishers", "x"],
                          ["--directory"], ["more"]):
            with self.subTest(arguments=arguments):
                status, line, errors = run_durable(1, 1, *arguments)
                self.assertEqual((status, line), (2, None))
                self.assertIn("bench_durable --port", errors)


if __name__ == "__main__":
    FLOOR = sys.argv.pop()
    DURABLE = sys.argv.pop()
    LOAD = sys.argv.pop()
    unittest.main()
