from __future__ import annotations

import pytest

from napari_micromri.io.dates import iso_date, sidecar_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11:59:49  5 Nov 2013", "2013-11-05T11:59:49"),
        ("2016-03-17T10:43:43,456+0100", "2016-03-17T10:43:43"),
        ("20131105115949.123", "2013-11-05T11:59:49"),
        ("20131105", "2013-11-05"),
        ("2013.11.05", "2013-11-05"),
        ("2019-02-28T23:59:59.5", "2019-02-28T23:59:59"),
        ("20131399", None),
        ("10:00:00 31 Feb 2013", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_as_files_write_them(text, expected):
    assert iso_date(text) == expected


def test_the_first_that_makes_sense_is_taken():
    assert iso_date(None, "", "0000", "20200102", "20300102") == "2020-01-02"


def test_a_sidecar_tells_the_date():
    assert sidecar_date({}) is None
    assert sidecar_date({"AcquisitionDateTime": 5}) is None
    assert sidecar_date({"AcquisitionDateTime": "2021-05-04T03:02:01.0"}) == "2021-05-04T03:02:01"
