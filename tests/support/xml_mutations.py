"""Hostile and broken annotation files without end, and a witness that sees whether any of them gets a file opened."""

import copy
import ctypes
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import format_annotation

_OPENED = 0x20 | 0x1  # IN_OPEN | IN_ACCESS
_WORDS = [
    b"<", b">", b"&", b"\0", b"\xff", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?", b"?>", b"&#0;", b"&#x110000;",
    b"&amp;", b"&x;", b"%x;", b"<object>", b"</object>", b"<bndbox>", b"<annotation>", b"</annotation>", b"xmlns='a'",
    b"<xi:include href='CANARY' xmlns:xi='http://www.w3.org/2001/XInclude'/>", b"<?xml-stylesheet href='CANARY'?>",
    b"<!DOCTYPE a SYSTEM 'CANARY'>", b"<!ENTITY x SYSTEM 'CANARY'>", b"nan", b"1e999", b"-", b"9" * 400,
    b"\xef\xbb\xbf", b"\xed\xa0\x80", b"<?xml version='1.1' encoding='utf-7'?>", b"encoding='utf-16'",
    b"encoding='ebcdic'",
]  # fmt: skip


def hostile_documents(canary: Path) -> list[bytes]:
    """Documents that try to read ``canary``, to call a server, or to blow up."""
    sound = _sound()
    body = sound.partition(b">")[2]
    target = canary.as_uri().encode()
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (index, b"&a%d;" % (index - 1) * 10) for index in range(1, 10))
    doctypes = [
        b"<!DOCTYPE a SYSTEM '" + target + b"'>",
        b"<!DOCTYPE a PUBLIC 'x' 'http://127.0.0.1:9/x.dtd'>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM '" + target + b"'>]>",
        b"<!DOCTYPE a [<!ENTITY % x SYSTEM '" + target + b"'> %x;]>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'http://127.0.0.1:9/'>]>",
        b"<!DOCTYPE a [<!ENTITY a0 'ha'>" + laughs + b"]>",
        b"<!DOCTYPE a [<!ENTITY x '" + b"q" * 50_000 + b"'>]>",
        b"<!DOCTYPE a [<!ATTLIST annotation verified CDATA 'yes'>]>",
    ]
    uses = [b"&x;", b"&a9;", b"&x;" * 5000]
    documents = [
        doctype + b"<annotation><filename>" + use + b"</filename>" + body for doctype in doctypes for use in uses
    ]
    return [
        sound,
        *documents,
        sound.replace(b"<annotation>", b"<annotation xmlns='urn:voc'>"),
        b"<annotation>" + b"<a>" * 100_000,
        b"<annotation>" + b"<a>" * 250 + b"</a>" * 250 + b"</annotation>",
        b"<annotation " + b" ".join(b"a%d='1'" % index for index in range(20_000)) + b"/>",
        b"<annotation><filename>" + b"x" * 900_000 + b"</filename></annotation>",
        b"<annotation><filename>a<!-- b -->c<?d?>.jpg</filename></annotation>",
        b"<annotation>" + b"<!-- -->" * 100_000 + b"</annotation>",
        sound.decode().encode("utf-16"),
        sound.decode().encode("utf-32"),
        b'<?xml version="1.0" encoding="gb18030"?>' + sound.decode().encode("gb18030"),
        b'<?xml version="1.0" encoding="no such"?>' + sound,
        b"\x1f\x8b\x08\x00" + sound,
        b"\xef\xbb\xbf" * 3 + sound,
        b"<annotation><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='" + target + b"'/></annotation>",
        b"",
        b" \n\t",
        b"\0" * 1000,
    ]


def mutated_documents(count: int, seed: int, canary: Path) -> Iterator[bytes]:
    """Yield ``count`` documents: a tenth all random, four tenths still XML, the others hostile ones with bytes changed.

    Those that still are XML have elements renamed, moved, doubled, left out or filled with something else, so that they
    come past the parser.
    """
    generator = random.Random(seed)
    seeds = [document for document in hostile_documents(canary) if len(document) < 5000]
    words = [word.replace(b"CANARY", canary.as_uri().encode()) for word in _WORDS]
    for _ in range(count):
        chance = generator.random()
        if chance < 0.1:
            yield generator.randbytes(generator.randrange(400))
            continue
        if chance < 0.5:
            yield _rearranged(generator)
            continue
        document = bytearray(generator.choice(seeds))
        for _ in range(generator.choice([1, 1, 2, 3, 8])):
            at = generator.randrange(len(document) + 1)
            end = min(len(document), at + generator.choice([0, 1, 4, 40, 400]))
            kind = generator.randrange(6)
            if kind == 0:
                document[at:end] = generator.choice(words)
            elif kind == 1:
                document[at:end] = b""
            elif kind == 2:
                document[at:at] = document[at:end] * generator.choice([1, 2, 30])
            elif kind == 3 and document:
                document[at % len(document)] ^= 1 << generator.randrange(8)
            elif kind == 4:
                document[at:at] = generator.choice(words)
            else:
                del document[at:]
        yield bytes(document)


_TAGS = [
    "object", "bndbox", "name", "xmin", "ymin", "xmax", "ymax", "size", "width", "depth", "filename", "source", "path",
    "{urn:a}object", "polygon", "truncated", "difficult", "segmented", "annotation",
]  # fmt: skip
_TEXTS = [
    "", " ", "nan", "-inf", "1e999", "-0", "1" * 400, "1e-9999", "0x10", "1_000", "\u0661\u0662", "1.5", "3,5", "\n7\t",
    "true", "yes", "cat", "\u732b", "../../etc/passwd", "//host/share/a.jpg", "a\u202eb", "9" * 19, "-5", "2.5000001",
]  # fmt: skip


def _rearranged(generator: random.Random) -> bytes:
    root = etree.fromstring(_sound())
    for _ in range(generator.choice([1, 1, 2, 4, 12])):
        element = generator.choice(list(root.iter(etree.Element)))
        parent = element.getparent()
        kind = generator.randrange(7)
        if kind == 0:
            element.text = generator.choice(_TEXTS)
        elif kind == 1:
            element.tag = generator.choice(_TAGS)
        elif kind == 2 and parent is not None:
            parent.remove(element)
        elif kind == 3 and parent is not None:
            parent.extend(copy.deepcopy(element) for _ in range(generator.choice([1, 2, 60])))
        elif kind == 4:
            etree.SubElement(element, generator.choice(_TAGS)).text = generator.choice(_TEXTS)
        elif kind == 5:
            element.set(generator.choice(["verified", "a"]), generator.choice(_TEXTS))
        else:
            element.insert(0, etree.Comment("a") if generator.random() < 0.5 else etree.ProcessingInstruction("a"))
        if len(root) > 300:
            break
    return etree.tostring(root, encoding=generator.choice(["utf-8", "utf-16", "ascii", "iso-8859-15"]))


class OpenWitness:
    """Sees every opening of a file by anybody, C libraries included (Linux's inotify).

    Args:
        path: The file to watch.
    """

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, os.fsencode(path), _OPENED) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def num_events(self) -> int:
        """How often the file was opened or read since the last call."""
        try:
            content = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return 0
        count, at = 0, 0
        while at < len(content):
            length = struct.unpack_from("iIII", content, at)[3]
            at += 16 + length
            count += 1
        return count

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)


def _sound() -> bytes:
    objects = (LabeledObject("cat", Box(5, 6, 40, 30)), LabeledObject("café", Box(1, 2, 9, 9), truncated=True))
    return format_annotation(Annotation("a.jpg", 64, 48, path="/x/a.jpg", objects=objects))
