#!/usr/bin/env python3
"""Verifies a copy of codeverify's audit ledger without the database and without codeverify.

    psql -c "SET client_encoding = 'UTF8'" -c "SET timezone = 'UTC'" -c "SET datestyle = 'ISO'" \\
         -c "\\copy (SELECT * FROM audits.audit_log ORDER BY org_id, lane, seq) TO ledger.csv (FORMAT csv, HEADER)"
    verify_ledger.py [--partial] [ledger.csv]

Reads CSV as COPY writes it, in UTF-8, from a file or standard input: columns by the names in the header, in any order,
others ignored; entries in the order of org_id, lane and seq. Computes every hash anew as docs/ledger_format.md says,
and checks that each lane is one chain, without a gap, from its first entry on. Prints a line for each finding and for
the last entry of each lane, to compare with one noted elsewhere: entries missing at a lane's end leave no other trace.

    altered     an entry is not what its hash was made of, or has been hashed anew
    missing     entries are not there
    forked      there are two entries for one place
    reordered   an entry is not later than the one before it

--partial: lanes may begin with any entry, as after an archive or in a copy of some months.
Exit status: 0 intact, 1 findings, 2 the input cannot be used. Needs Python 3.8 and nothing else.
"""

import argparse
import hashlib
import io
import json
import re
import sys
import uuid

GENESIS = "0" * 64
DOMAIN = b"codeverify.audit.entry\x01"
NOT_IN_ORDER = "line {}: entries are not in order; copy them with ORDER BY org_id, lane, seq"


class Unusable(Exception):
    """The input is not a copy of the ledger that can be read."""


# ---- CSV as COPY writes it: what is quoted is a text, even an empty one, and nothing at all is NULL. Python's csv
# ---- module does not tell the two apart.

FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|\Z)')


def csv_records(stream):
    """Yields (line, fields) of each record; a field is a str or None."""
    record, first_line, quotes = [], 1, 0
    for number, line in enumerate(stream, 1):
        record.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            yield first_line, split_record("".join(record), first_line)
            record, first_line, quotes = [], number + 1, 0
    if record:
        raise Unusable(f"line {first_line}: a quoted field does not end")


def split_record(text, line):
    text = re.sub(r"\r?\n\Z", "", text)
    fields, place = [], 0
    while True:
        match = FIELD.match(text, place)
        if not match:
            raise Unusable(f"line {line}: not the CSV that COPY writes")
        quoted, bare, comma = match.groups()
        fields.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        if not comma:
            return fields
        place = match.end()


# ---- The encoding: docs/ledger_format.md. A ValueError means that a value is none that the ledger can hold.


def sized(data):
    return len(data).to_bytes(4, "big") + data


def encode_int64(number):
    return (number % 2**64).to_bytes(8, "big")


TIMESTAMP = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?")
INFINITIES = {"infinity": 2**63 - 1 + 946684800000000, "-infinity": -(2**63) + 946684800000000}


def microseconds(text):
    """Since 1970-01-01 00:00 UTC."""
    if text in INFINITIES:
        return INFINITIES[text]
    match = TIMESTAMP.fullmatch(text)
    if not match:
        raise Unusable(f'"{text}" is not a time as PostgreSQL prints it; copy with SET datestyle = \'ISO\'')
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, *offset, before_christ = match.groups()[6:]
    offset = [int(part or 0) for part in offset]
    if before_christ:
        year = 1 - year
    # Years begin with March here, so that the day that some have is their last.
    year, month = (year - 1, month + 9) if month < 3 else (year, month - 3)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 1 - 719468
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    east = (offset[0] * 60 + offset[1]) * 60 + offset[2]
    return (seconds - (east if sign == "+" else -east)) * 1000000 + int((fraction or "").ljust(6, "0"))


def decode_hash(text):
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError(f'"{text}" is not a hash')
    return bytes.fromhex(text)


TOKEN = re.compile(r'[ \t\n\r]*([][{}:,]|"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9]+(?:\.[0-9]+)?|true|false|null)', re.DOTALL)
WORDS = {"null": b"\0", "false": b"\1", "true": b"\2"}
STRING, SCALAR = "string", "scalar"
VALUE = {STRING, SCALAR, "[", "{"}


def encode_json(text):
    """Numbers keep their digits, which no parser into float or int would grant; nesting may be as deep as it likes."""
    place, open_, key, expected, value = 0, [], None, VALUE, None
    while place < len(text):
        match = TOKEN.match(text, place)
        token = match.group(1) if match else ""
        kind = STRING if token[:1] == '"' else token if token[:1] in list("[]{},:") else SCALAR
        if not match or kind not in expected:
            raise ValueError(f"the payload is not JSON at character {place}")
        place = match.end()
        if kind == STRING:
            string = sized((json.loads(token) if "\\" in token else token[1:-1]).encode("utf-8"))
            if open_ and open_[-1][0] == "{" and key is None:
                key, expected = string, {":"}
                continue
            value = b"\4" + string
        elif kind == SCALAR:
            value = WORDS[token] if token in WORDS else b"\3" + sized(token.encode("ascii"))
        elif kind in "[{":
            open_.append((kind, [], key))
            key, expected = None, VALUE | {"]"} if kind == "[" else {STRING, "}"}
            continue
        elif kind in ",:":
            expected = {STRING} if kind == "," and open_[-1][0] == "{" else VALUE
            continue
        else:
            opening, members, key = open_.pop()
            if opening == "{":
                # By the bytes of the keys, which begin after their length.
                members.sort(key=lambda member: member[0][4:])
                if any(one[0] == other[0] for one, other in zip(members, members[1:])):
                    raise ValueError("the payload has a key twice")
                members = [part for member in members for part in member]
            count = len(members) // (2 if opening == "{" else 1)
            value = (b"\6" if opening == "{" else b"\5") + count.to_bytes(4, "big") + b"".join(members)
        if not open_:
            expected = set()
        elif open_[-1][0] == "[":
            open_[-1][1].append(value)
            expected = {",", "]"}
        else:
            open_[-1][1].append((key, value))
            key, expected = None, {",", "}"}
    if expected:
        raise ValueError("the payload ends too early")
    return value


UUID = (1, lambda text: uuid.UUID(text).bytes)
INT64 = (2, lambda text: encode_int64(int(text)))
TIME = (3, lambda text: encode_int64(microseconds(text)))
TEXT = (4, lambda text: text.encode("utf-8"))
HASH = (5, decode_hash)
JSONB = (6, encode_json)
FIELDS = (
    ("org_id", UUID), ("lane", INT64), ("seq", INT64), ("prev_hash", HASH), ("id", INT64), ("event_id", UUID),
    ("ts", TIME), ("entity", TEXT), ("action", TEXT), ("actor_id", UUID), ("resource_id", UUID), ("payload", JSONB),
    ("ip_address", TEXT), ("user_agent", TEXT))


def encode_entry(row):
    """The encoding of an entry from the texts of its columns, None for NULL."""
    parts = [DOMAIN]
    for ordinal, (name, (kind, encode)) in enumerate(FIELDS, 1):
        value = row[name]
        parts.append(bytes((ordinal, kind, value is None)))
        if value is not None:
            parts.append(sized(encode(value)))
    return b"".join(parts)


# ---- The chains.


class Verifier:
    """Takes entries one after another; remembers which lanes there were, and where it is in the last one."""

    def __init__(self, partial):
        self.partial = partial
        self.lane, self.lanes = None, set()
        self.seq, self.ts = 0, None
        # Who may be the predecessor of the next entry: (signature, altered) of those at the last place.
        self.last = []
        self.entries = self.findings = 0

    def find(self, verdict, seq, detail, row=None):
        self.findings += 1
        entry = f" id {row['id']}" if row else ""
        print(f"{verdict:<10} org {self.lane[0]} lane {self.lane[1]} seq {seq}{entry}: {detail}")

    def add(self, row, line):
        try:
            lane, seq = (row["org_id"] or "none", int(row["lane"])), int(row["seq"])
        except (TypeError, ValueError):
            raise Unusable(f"line {line}: lane and seq are not numbers") from None
        if lane != self.lane:
            self.end_lane()
            if lane in self.lanes:
                raise Unusable(NOT_IN_ORDER.format(line))
            self.lanes.add(lane)
            self.lane, self.seq, self.ts, self.last = lane, seq - 1 if self.partial else 0, None, []
        self.entries += 1
        if seq < self.seq:
            raise Unusable(NOT_IN_ORDER.format(line))

        altered, ts = False, None
        try:
            ts = microseconds(row["ts"])
            computed = hashlib.sha256(b"\0" + encode_entry(row)).hexdigest()
            if computed != row["signature"]:
                altered = True
                self.find("altered", seq, f"its hash is {computed}, its signature says {row['signature']}", row)
        except (TypeError, ValueError) as error:
            altered = True
            self.find("altered", seq, f"it holds what no entry can: {error}", row)

        if seq == self.seq:
            self.find("forked", seq, "there is another entry at its place", row)
            self.last.append((row["signature"], altered))
            return
        if seq > self.seq + 1:
            self.find("missing", f"{self.seq + 1} to {seq - 1}", "not in this copy")
        elif seq == 1 and row["prev_hash"] != GENESIS and not altered:
            self.find("altered", seq, "the first entry of a lane continues another one", row)
        elif self.last and not altered and not any(was_altered for _, was_altered in self.last):
            if row["prev_hash"] not in [signature for signature, _ in self.last]:
                self.find("altered", seq, "it does not continue the entry before it: one of them was hashed anew", row)
        if self.ts is not None and ts is not None and ts <= self.ts:
            self.find("reordered", seq, f"{row['ts']} is not later than the entry before it", row)
        self.seq, self.last = seq, [(row["signature"], altered)]
        self.ts = self.ts if ts is None else ts

    def end_lane(self):
        if self.lane:
            for signature, _ in self.last:
                print(f"head       org {self.lane[0]} lane {self.lane[1]} seq {self.seq}: {signature}")


def verify(stream, partial):
    verifier = Verifier(partial)
    records = csv_records(stream)
    _, header = next(records, (1, []))
    needed = [name for name, _ in FIELDS] + ["signature"]
    lacking = [name for name in needed if name not in header]
    if lacking:
        raise Unusable(f"the header has no {', '.join(lacking)}; copy with (FORMAT csv, HEADER)")
    for line, fields in records:
        if len(fields) != len(header):
            raise Unusable(f"line {line}: {len(fields)} fields under a header of {len(header)}")
        verifier.add(dict(zip(header, fields)), line)
    verifier.end_lane()
    verdict = "intact" if verifier.findings == 0 else f"{verifier.findings} findings"
    print(f"{verdict}: {verifier.entries} entries in {len(verifier.lanes)} lanes")
    return 1 if verifier.findings else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="the copy; standard input without")
    parser.add_argument("--partial", action="store_true", help="lanes may begin with any entry")
    arguments = parser.parse_args()
    try:
        raw = open(arguments.file, "rb") if arguments.file else sys.stdin.buffer
        with raw:
            # No translation of line ends: those inside a text are part of it.
            return verify(io.TextIOWrapper(raw, encoding="utf-8", newline="\n"), arguments.partial)
    except UnicodeDecodeError as error:
        problem = f"not in UTF-8: {error}; copy with SET client_encoding = 'UTF8'"
    except (OSError, Unusable) as error:
        problem = str(error)
    print(f"verify_ledger: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
