"""A small server for one person at this machine: the drawing page, and the answers of a classifier to what is drawn."""

import json
import math
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError, TagboxError
from collectors.rasterize import rasterize_drawings
from pipelines.classification.classifier import Answer, Classifier, best_answers
from pipelines.classification.drawing_page import PAGE

_MOST_BYTES = 1 << 20
_MOST_STROKES, _MOST_POINTS = 1000, 50_000
_CANVAS = 255.0


class DrawingServer(ThreadingHTTPServer):
    """Serves on the loopback interface only; use as a context, then `serve_forever`.

    Args:
        classifier: Who answers.
        port: 0 takes any that is free.
        top: How many classes an answer has at most.
        thresholds: Of a tag classifier: from which score on each tag is given, by its name.

    Attributes:
        address: What a browser opens.

    Raises:
        InputError: The port is taken.
    """

    daemon_threads = True

    def __init__(
        self,
        classifier: Classifier,
        *,
        port: int = 0,
        top: int = 5,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise InputError(
                f"the port cannot be opened ({error.strerror})", where=f"127.0.0.1:{port}", fix="Choose another: --port"
            ) from error
        self.address = f"http://127.0.0.1:{self.server_address[1]}/"
        self._classifier, self._top, self._thresholds = classifier, top, thresholds
        self._one_at_a_time = threading.Lock()

    def answers(self, strokes: list[NDArray[np.float64]]) -> tuple[Answer, ...]:
        """Return the likeliest classes of a drawing, drawn as QuickDraw's bitmaps are."""
        height, width, channels = self._classifier.input_shape
        pixels = rasterize_drawings([as_quickdraw(strokes)], side=max(height, width))[..., None]
        with self._one_at_a_time:
            scores = self._classifier.scores(np.repeat(pixels, channels, axis=3))
        return best_answers(scores, self._classifier.class_names, self._top)[0]

    def tags_among(self, answers: Sequence[Answer]) -> list[str] | None:
        """Return the names of the answers that reach their thresholds; ``None`` where classes exclude each other."""
        if self._thresholds is None:
            return None
        return [one.name for one in answers if one.score >= self._thresholds[one.name]]


def as_quickdraw(strokes: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Move and scale strokes as QuickDraw's simplified drawings are: to the top left corner, the longer side 255.

    A single dot stays one.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = _CANVAS / max(float((high - low).max()), 1.0)
    return [(stroke - low) * scale for stroke in strokes]


def strokes_of(body: bytes) -> list[NDArray[np.float64]]:
    """Read what the page sends: ``{"strokes": [[[x, y], ...], ...]}``, coordinates from 0 to 255.

    Raises:
        ValueError: It is something else, or too much.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("this is no JSON") from error
    strokes = content.get("strokes") if isinstance(content, dict) else None
    if not isinstance(strokes, list) or not strokes:
        raise ValueError("there is no stroke")
    if len(strokes) > _MOST_STROKES or not all(isinstance(stroke, list) and stroke for stroke in strokes):
        raise ValueError(f"strokes are lists of points, at most {_MOST_STROKES}")
    if sum(map(len, strokes)) > _MOST_POINTS:
        raise ValueError(f"there are more than {_MOST_POINTS} points")
    if not all(_is_point(point) for stroke in strokes for point in stroke):
        raise ValueError("a point is two numbers from 0 to 255")
    return [np.asarray(stroke, np.float64) for stroke in strokes]


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(
            isinstance(number, int | float)
            and not isinstance(number, bool)
            and math.isfinite(number)
            and 0 <= number <= _CANVAS
            for number in point
        )
    )


class _Handler(BaseHTTPRequestHandler):
    server: DrawingServer
    server_version, sys_version = "tagbox", ""

    def do_GET(self) -> None:
        if self.path == "/" and self._is_of_this_machine():
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.encode())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is only the page /")

    def do_POST(self) -> None:
        # A page of another site can send a form here, but neither this type nor this host.
        kind = self.headers.get_content_type()
        length = self.headers.get("Content-Length", "")
        if self.path != "/answer" or kind != "application/json" or not self._is_of_this_machine():
            self._refuse(HTTPStatus.NOT_FOUND, "drawings go to /answer, as JSON")
        elif not length.isdecimal() or int(length) > _MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the drawing is too large")
        else:
            self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        try:
            found = self.server.answers(strokes_of(body))
        except (ValueError, TagboxError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        answers = [{"class": one.name, "class_id": one.class_id, "score": one.score} for one in found]
        content = {"answers": answers, "tags": self.server.tags_among(found)}
        self._send(HTTPStatus.OK, "application/json", json.dumps(content).encode())

    def _is_of_this_machine(self) -> bool:
        """Whether the browser asked for this machine by its address, and not by a name that leads here."""
        port = self.server.server_address[1]
        return self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}")

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True
        self._send(status, "application/json", json.dumps({"error": reason}).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the terminal belongs to the command."""
