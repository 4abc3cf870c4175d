"""The fuzzer of SPINE in short, the heap it leaves on 32 bits, and that it finds what is wrong."""

import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests import fuzz_spine
from spine import device
from tools.micropython import micropython_path

PROGRAM = Path(fuzz_spine.__file__).parent / "fuzz_heap.py"


@settings(max_examples=80, deadline=None)
@given(st.randoms(use_true_random=False))
def test_datagrams_that_hypothesis_makes_and_breaks_do_no_harm(choice):
    fuzz_spine.session(choice, 12)


@pytest.mark.parametrize("seed", range(5))
def test_datagrams_of_many_seeds_do_no_harm(seed):
    for number in range(10):
        fuzz_spine.session(random.Random(seed * 10 + number), fuzz_spine.TRIES_PER_WORLD)


def test_the_heap_is_back_where_it_was(tmp_path):
    choice = random.Random(4)
    maker = fuzz_spine.Maker(fuzz_spine.World(), choice)
    texts = [maker.datagram().encode() for _ in range(120)]
    texts += [maker.broken(text.decode()) for text in texts]
    corpus = tmp_path / "corpus"
    corpus.write_text("".join(f"{text.hex()}\n" for text in texts if len(text) < 8000))
    command = [micropython_path(32), "-X", "heapsize=1M", PROGRAM, corpus, "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    used = [int(word) for word in done.stdout.split()]
    assert len(used) == 6
    assert used[3] == used[4] == used[5]


def test_a_station_that_keeps_half_of_a_refused_write_is_found_out(monkeypatch):
    def careless(self, peer, stated, delete, partial):
        entries = stated.get("loadControlLimitData", ())
        for read, write, _ in self._providers if entries else ():
            change = device.changes.Change(0, {})
            (change.new,) = list(read(peer))[:1]
            change.new = dict(change.new, value={"number": len(str(stated)), "scale": 0})
            write(change)()
        return honest(self, peer, stated, delete, partial)

    honest = device.Function.prepare_write
    monkeypatch.setattr(device.Function, "prepare_write", careless)
    with pytest.raises(AssertionError, match="a refused request had an effect"):
        for seed in range(200):
            fuzz_spine.session(random.Random(seed), fuzz_spine.TRIES_PER_WORLD)
