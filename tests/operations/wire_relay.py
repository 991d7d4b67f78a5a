"""A relay between clients and the server that reads along: it finds given texts in whatever the server answers."""

import os
import re
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Of a message: its length, which counts itself.
HEADER = struct.Struct("!I")


@dataclass(frozen=True)
class Leak:
    mark: str
    statement: str


class Marks:
    """Texts to look for, in whatever case."""

    def __init__(self, marks):
        marks = {mark.lower().encode() for mark in marks}
        # UUIDs are looked up in a set, which takes as long for a thousand as for one.
        self.uuids = {mark for mark in marks if UUID.fullmatch(mark)}
        # What is found by a shorter mark needs no search of its own.
        self.texts = []
        for mark in sorted(marks - self.uuids, key=len):
            if not any(known in mark for known in self.texts):
                self.texts.append(mark)

    def find(self, content):
        content = content.lower()
        yield from (mark for mark in self.texts if mark in content)
        yield from (found for found in UUID.findall(content) if found in self.uuids)


class Relay:
    """Listens on a Unix socket in a directory, beside the server that PGHOST and PGPORT name. It collects marks that
    are in any answer (leaks), and counts rows with a proof that something was to be seen at all."""

    def __init__(self, directory, marks, proofs=frozenset()):
        self.directory = str(directory)
        self.marks = Marks(marks)
        self.proofs = Marks(proofs)
        self.forget()

    def forget(self):
        self.leaks = []
        self.panics = {}
        self.states = Counter()
        self.statements = self.rows = self.proved = 0

    def __enter__(self):
        port = os.environ["PGPORT"]
        self.server = str(Path(os.environ["PGHOST"], f".s.PGSQL.{port}"))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(Path(self.directory, f".s.PGSQL.{port}")))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                Conversation(self, client).start()
            except OSError:
                # No server: it is for the test to find out why.
                client.close()


class Conversation:
    def __init__(self, relay, client):
        self.relay = relay
        self.client = client
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(relay.server)
        self.statement = ""

    def start(self):
        for source, target, read in (
                (self.client, self.server, self._asked), (self.server, self.client, self._answered)):
            threading.Thread(target=self._forward, args=(source, target, read), daemon=True).start()

    def _forward(self, source, target, read):
        pending = bytearray()
        # The first packet of a client has no type.
        is_startup = source is self.client
        try:
            while data := source.recv(1 << 16):
                pending += data
                place = 0
                while True:
                    start = place if is_startup else place + 1
                    if len(pending) < start + 4:
                        break
                    end = start + HEADER.unpack_from(pending, start)[0]
                    if len(pending) < end:
                        break
                    if not is_startup:
                        read(chr(pending[place]), bytes(pending[start + 4:end]))
                    is_startup = False
                    place = end
                del pending[:place]
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _asked(self, kind, content):
        if kind == "Q":
            self.statement = content.rstrip(b"\0").decode(errors="replace")
            self.relay.statements += self.statement not in ("BEGIN;", "ROLLBACK;")

    def _answered(self, kind, content):
        relay = self.relay
        relay.leaks.extend(Leak(mark.decode(), self.statement) for mark in relay.marks.find(content))
        if kind == "D":
            relay.rows += 1
            relay.proved += any(relay.proofs.find(content))
        elif kind == "E":
            fields = {part[:1]: part[1:].decode(errors="replace") for part in content.split(b"\0") if part}
            state = fields.get(b"C", "")
            relay.states[state] += 1
            # What Rust code raises without a code of its own is a panic.
            if state == "XX000" and fields.get(b"F", "").endswith(".rs"):
                relay.panics.setdefault(f"{fields.get(b'M')} ({fields[b'F']}:{fields.get(b'L')})", self.statement)
