"""Frames of films: every one of them, numbered, and a film that breaks off says so."""

import cv2
import numpy as np
import pytest

from collectors.errors import InputError
from pipelines.video_frames import Video


@pytest.fixture
def film(tmp_path):
    """Twenty frames, ten a second, each brighter than the one before."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        frame = np.full((48, 64, 3), 40, np.uint8)
        frame[..., 2] = number * 10  # red, the last channel of OpenCV
        writer.write(frame)
    writer.release()
    return path


def test_every_frame_comes_with_its_number_and_time(film):
    video = Video(film)
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(20))
    assert video.num_frames == 20
    assert [frame.seconds for frame in frames] == pytest.approx([number / 10 for number in range(20)])
    for frame in frames:
        red, _, blue = frame.image.getpixel((30, 20))
        assert abs(red - frame.number * 10) < 8
        assert abs(blue - 40) < 8
    assert str(frames[3].name) == f"{film}:frame 3"


def test_each_nth_frame(film):
    video = Video(film, every=7)
    assert [frame.number for frame in video.frames()] == [0, 7, 14]
    assert video.num_frames == 3
    assert [frame.number for frame in Video(film, every=100).frames()] == [0]


def test_a_film_that_breaks_off_says_where(film):
    content = film.read_bytes()
    film.write_bytes(content[: len(content) * 4 // 5])
    *frames, last = Video(film).frames()
    assert 0 < len(frames) < 20
    assert last.image is None
    assert last.number == len(frames)
    assert "breaks off here; it should have 20 frames" in last.error


def test_what_is_no_film(tmp_path):
    path = tmp_path / "100%_of_%03d.mp4"
    path.write_text("nothing")
    with pytest.raises(InputError, match="cannot be read as a film"):
        Video(path)
