# SPDX-License-Identifier: MIT
"""Options of a file in effect, seen by clients."""
import os
import signal
import socket
import subprocess

import pytest

from client import Client, eventually
from mqtt import Connack, Publish, Reason
from server import BUD, STOP_SECONDS, free_port

OPEN = "listener 0 127.0.0.1\nallow_anonymous true\n"


def test_without_listeners_it_is_for_this_machine_alone(start_with, connect):
    broker = start_with("# nothing\n", "-p", "0")
    connect(port=broker.port)
    addresses = {line.split()[3].rsplit(":", 1)[0] for line in subprocess.run(
        ["ss", "-Hltn", f"sport = :{broker.port}"], capture_output=True, check=True,
        text=True).stdout.splitlines()} if os.path.exists("/usr/bin/ss") else {"127.0.0.1"}
    assert addresses == {"127.0.0.1"}


def test_a_listener_closes_it_for_strangers(start_with, connect, version):
    broker = start_with("listener 0 127.0.0.1\n")
    client = connect(version, port=broker.port, connect=False)
    client.send_connect(clean=True)
    client.expect_refused(Reason.NOT_AUTHORIZED if version == 5 else 5)


def test_two_listeners_have_their_own_rules(start_with, connect):
    ports = free_port(), free_port()
    broker = start_with(f"log_type all\nlistener {ports[0]} 127.0.0.1\nallow_anonymous true\n"
                        f"max_qos 0\nmax_topic_alias 3\n"
                        f"listener {ports[1]} 127.0.0.1\nmax_topic_alias_broker 5\n")
    first, second = connect(port=ports[0]), connect(port=ports[1])
    assert first.connack.properties["maximum_qos"] == 0
    assert first.connack.properties["topic_alias_maximum"] == 3
    assert "maximum_qos" not in second.connack.properties
    assert second.connack.properties["topic_alias_maximum"] == 10
    second.publish("t", b"x", qos=2)
    first.send(Publish("t", b"x", 1, False, packet_id=1))
    first.expect_closed(Reason.QOS_NOT_SUPPORTED)
    assert broker.process.poll() is None


def test_versions(start_with, connect, version):
    broker = start_with(OPEN + "accept_protocol_versions 4,5\n")
    client = connect(version, port=broker.port, connect=False)
    client.send_connect(clean=True)
    if version == 3:
        client.expect_refused(1)
    else:
        assert client.expect(Connack).reason == 0


def test_max_connections_of_one_listener(start_with, connect):
    ports = free_port(), free_port()
    start_with(f"allow_anonymous true\nlistener {ports[0]} 127.0.0.1\nmax_connections 1\n"
               f"listener {ports[1]} 127.0.0.1\n")
    held = connect(port=ports[0])
    late = connect(port=ports[0], connect=False)
    late.send_connect(clean=True)
    late.expect_refused(Reason.QUOTA_EXCEEDED)
    connect(port=ports[1])
    held.disconnect()
    held.expect_closed()

    def comes_in():
        client = connect(port=ports[0], connect=False)
        client.send_connect(clean=True)
        return client.expect(Connack).reason == 0
    eventually(comes_in, "room again")


def test_names(start_with, connect):
    broker = start_with(OPEN + "auto_id_prefix house-\n")
    assert connect(port=broker.port, client_id="").client_id.startswith("house-")
    broker = start_with(OPEN + "allow_zero_length_clientid false\n")
    client = connect(port=broker.port, client_id="", connect=False)
    client.send_connect(clean=True)
    client.expect_refused(Reason.CLIENT_IDENTIFIER_NOT_VALID)


def test_prefixes(start_with, connect):
    broker = start_with("clientid_prefixes house-\n" + OPEN)
    connect(port=broker.port, client_id="house-1")
    client = connect(port=broker.port, client_id="garden-1", connect=False)
    client.send_connect(clean=True)
    client.expect_refused(Reason.NOT_AUTHORIZED)


def test_the_user_name_as_client_identifier(start_with, connect):
    broker = start_with(OPEN + "use_username_as_clientid true\n")
    connect(port=broker.port, client_id="own", username="kari")
    broker.wait_for_log(r"client connected client=kari")
    nobody = connect(port=broker.port, connect=False)
    nobody.send_connect(clean=True)
    nobody.expect_refused(Reason.NOT_AUTHORIZED)


def test_payloads_beyond_the_limit_are_acknowledged_and_not_passed_on(start_with, connect, version,
                                                                      prefix):
    broker = start_with("message_size_limit 10\n" + OPEN)
    reader, writer = connect(5, port=broker.port), connect(version, port=broker.port)
    reader.subscribe(prefix)
    answer = writer.publish(prefix, b"x" * 11, qos=1)
    assert version < 5 or answer.reason == 0x83
    writer.publish(prefix, b"x" * 10, qos=1)
    assert reader.receive(prefix).payload == b"x" * 10


def test_packets_of_two_million_bytes_are_the_most(start_with, connect):
    broker = start_with(OPEN)
    assert connect(port=broker.port).connack.properties["maximum_packet_size"] == 2000000


def test_keep_alives_beyond_the_limit(start_with, connect, version):
    broker = start_with("max_keepalive 30\n" + OPEN)
    connect(version, port=broker.port, keep_alive=30)
    for keep_alive in (31, 0):
        client = connect(version, port=broker.port, connect=False)
        client.send_connect(clean=True, keep_alive=keep_alive)
        if version < 5:
            client.expect_refused(2)
        else:
            assert client.expect(Connack).properties["server_keep_alive"] == 30


def test_a_unix_socket(start_with):
    broker = start_with(OPEN + "listener 0 {directory}/bud.sock\n")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.connect(str(broker.directory / "bud.sock"))


def test_a_pid_file_is_there_while_it_runs(start_with):
    broker = start_with("pid_file {directory}/bud.pid\n" + OPEN)
    path = broker.directory / "bud.pid"
    assert path.read_text() == f"{broker.pid}\n"
    broker.stop()
    assert not path.exists()


def test_persistence_is_off_unless_it_is_said(start_with, connect):
    broker = start_with(OPEN)
    broker.wait_for_log("Nothing is kept on the disk")
    broker = start_with("persistence true\npersistence_location {directory}/store\n" + OPEN)
    writer = connect(port=broker.port)
    writer.publish("t", b"x", qos=1, retain=True)
    assert (broker.directory / "store/store.db").exists()


def test_a_daemon_is_ready_when_its_starter_ends(tmp_path):
    pid_file, port = tmp_path / "pid", free_port()
    path = tmp_path / "bud.conf"
    path.write_text(f"pid_file {pid_file}\nlistener {port} 127.0.0.1\nallow_anonymous true\n")
    done = subprocess.run([str(BUD), "serve", "-c", str(path), "-d", "--user", "root"],
                          cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          timeout=STOP_SECONDS)
    assert done.returncode == 0, done.stderr
    pid = int(pid_file.read_text())
    try:
        with Client(port):
            pass
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pid_file.exists(), "the daemon's end")


def test_a_daemon_that_cannot_start_says_so(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = tmp_path / "bud.conf"
        path.write_text(f"listener {taken.getsockname()[1]} 127.0.0.1\n")
        done = subprocess.run([str(BUD), "serve", "-c", str(path), "-d", "--user", "root"],
                              cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, timeout=STOP_SECONDS)
    assert done.returncode == 1 and b"cannot listen" in done.stderr


# --------------------------------------------------------------------------------------- reload

def reload(broker, pattern="configuration read again"):
    position = broker.log_position()
    os.kill(broker.pid, signal.SIGHUP)
    broker.wait_for_log(pattern, start=position)
    return position


def test_a_reload_changes_what_it_says_and_names_what_waits(start_with, connect):
    port = free_port()
    place = f"listener {port} 127.0.0.1\nallow_anonymous true\n"
    broker = start_with(place)
    client = connect(port=port)
    broker.write("max_queued_messages 5\nworkers 3\n" + place + "max_qos 1\n")
    position = reload(broker)
    broker.wait_for_log("option changed option=max_qos .*effect=now", start=position)
    broker.wait_for_log("option changed option=max_queued_messages .*effect=now", start=position)
    client.ping()
    assert connect(port=port).connack.properties["maximum_qos"] == 1


def test_a_reload_of_a_broken_file_changes_nothing(start_with, connect):
    port = free_port()
    broker = start_with(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    client = connect(port=port)
    broker.write("rabbit 1\n")
    position = reload(broker, "nothing has changed")
    broker.wait_for_log("bud.conf:1", start=position)
    client.ping()
    connect(port=port)


def test_an_emptied_file_takes_no_listener_away(start_with, connect):
    port = free_port()
    broker = start_with(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    client = connect(port=port)
    broker.write("")
    reload(broker, "no listener any more")
    client.ping()
    connect(port=port)


def test_listeners_come_and_go_by_a_reload(start_with, connect):
    ports = free_port(), free_port()
    text = "allow_anonymous true\nlistener {} 127.0.0.1\n"
    broker = start_with(text.format(ports[0]))
    connect(port=ports[0])
    broker.write(text.format(ports[1]))
    reload(broker)
    connect(port=ports[1])
    with pytest.raises(ConnectionRefusedError):
        connect(port=ports[0])


# ------------------------------------------------------------------------------- who may come in

def comes_in(connect, port, **fields):
    client = connect(port=port, connect=False)
    client.send_connect(clean=True, **fields)
    return client.expect(Connack).reason == 0


def test_anonymous_clients_by_listener(start_with, connect):
    ports = free_port(), free_port(), free_port()
    start_with(f"listener {ports[0]} 127.0.0.1\nlistener_allow_anonymous true\n"
               f"listener {ports[1]} 127.0.0.1\n"
               f"listener {ports[2]} 127.0.0.1\nlistener_allow_anonymous private\n")
    assert [comes_in(connect, port) for port in ports] == [True, False, True]


def test_password_files_by_listener(start_with, connect, tmp_path):
    ports = free_port(), free_port()
    for name in ("kari", "ola"):
        subprocess.run([str(BUD), "passwd", "-c", "-b", str(tmp_path / name), name, "secret"],
                       check=True, stdin=subprocess.DEVNULL, timeout=STOP_SECONDS)
    start_with(f"per_listener_settings true\nlistener {ports[0]} 127.0.0.1\n"
               f"plugin mosquitto_password_file.so\nplugin_opt_password_file {tmp_path}/kari\n"
               f"listener {ports[1]} 127.0.0.1\npassword_file {tmp_path}/ola\n")
    for port, name in zip(ports, ("kari", "ola")):
        assert comes_in(connect, port, username=name, password=b"secret")
        assert not comes_in(connect, port, username=name, password=b"wrong")
    assert not comes_in(connect, ports[0], username="ola", password=b"secret")
    assert not comes_in(connect, ports[1], username="kari", password=b"secret")
    assert not comes_in(connect, ports[0])
