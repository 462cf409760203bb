"""Names for replays that nobody named: an adjective and a noun, `abstract-yucca`.

They become names of objects and labels, so a word has letters only. Which pair it is comes from the caller's
randomness; a name that is taken already is the API server's business.
"""

from __future__ import annotations

from typing import Final, Protocol


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES: Final = _words(
    """
    abstract agile amber ancient autumn azure blithe bold brave brisk calm candid cedar clever coastal copper
    cosmic crisp curious deft distant eager early elder even fair fast fervent flint fond gentle gilded glad
    golden grand hardy hazel hidden honest humble icy idle ivory jolly keen kind late leafy light lively lucid
    lunar mellow merry misty modest nimble noble north olive patient placid plain polar proud quick quiet rapid
    ready rosy rural rustic sage sandy serene sharp silent silver slate smooth snowy solar solid steady stoic
    sunny swift tame tidal tidy tranquil upper urban vast vivid warm west wild winter wise young
    """
)
NOUNS: Final = _words(
    """
    acacia agave alder almond aspen aster balsam bamboo banyan barley basil bay beech birch bracken briar broom
    cactus camas canna cassia cedar cherry chicory clover cocoa conifer cosmos cotton crocus cypress dahlia
    daisy dill dogwood elder elm fennel fern fig fir flax foxglove freesia garlic ginger ginkgo gorse hazel
    heath heather hemlock hickory holly hyssop indigo iris ivy jasmine juniper larch laurel lavender lilac lily
    linden lotus lupin mallow maple marigold millet mimosa mint moss myrtle nettle nutmeg oak oat olive orchid
    oregano palm peony pepper pine poplar poppy privet quince reed rosemary rowan rye saffron sage sedge sorrel
    spruce sumac sycamore tansy teak thistle thyme tulip umbel vanilla verbena vetch viola walnut wheat willow
    yarrow yew yucca
    """
)


class Choice(Protocol):
    """The part of `random.Random` that is used."""

    def randrange(self, stop: int, /) -> int:
        """Return a number from 0 up to, and without, `stop`."""


def generate(choice: Choice) -> str:
    """Return a name such as `abstract-yucca`."""
    return f"{ADJECTIVES[choice.randrange(len(ADJECTIVES))]}-{NOUNS[choice.randrange(len(NOUNS))]}"
