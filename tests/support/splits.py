"""Ways to cut bytes into the blocks in which a network may bring them."""

import random


def whole(data):
    return [data]


def byte_by_byte(data):
    return [data[at : at + 1] for at in range(len(data))]


def at_random(data, seed, longest=400):
    """Blocks of 1 to ``longest`` bytes; the same seed cuts at the same places."""
    dice = random.Random(seed)
    blocks = []
    at = 0
    while at < len(data):
        size = dice.randint(1, dice.choice((3, 40, longest)))
        blocks.append(data[at : at + size])
        at += size
    return blocks


def every_way(data, small=20_000, seeds=(1, 2, 3)):
    """Whole, cut at random and, up to ``small`` bytes, byte by byte: ``(name, blocks)``."""
    yield "whole", whole(data)
    for seed in seeds:
        yield f"random {seed}", at_random(data, seed)
    if len(data) <= small:
        yield "byte by byte", byte_by_byte(data)
