"""docs/protocol.md: its examples happen as printed, also without quotes about member names, and leave
out no packet."""

import re

import pytest

import examples
import exercised
from lempd import ROOT

DOCUMENT = examples.PROTOCOL.read_text()
EXAMPLES = examples.read(DOCUMENT)
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=[example.title for example in EXAMPLES])


@pytest.fixture
def stage_for(world, make_world):
    """The shared server is for examples that want no settings of their own."""
    def choose(example):
        settings = examples.settings_of(example)
        return examples.Stage(make_world(settings) if settings else world)
    return choose


@each_example
async def test_each_example_happens_as_printed(stage_for, example):
    await stage_for(example).play(example)


@each_example
async def test_each_example_happens_as_printed_with_member_names_without_quotes(stage_for, example):
    await stage_for(example).play(example, quoted=False)
