"""Shapes: creatures and things, part by part, in the square that `dinoscope.scenes.outlines` describes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dinoscope.scenes.outlines import Part, Shape, Square, blend


def _hound(at: Square, rng: np.random.Generator) -> Shape:
    legs, girth, neck, stride = rng.uniform((0.42, 0.21, 0.0, -0.10), (0.62, 0.30, 0.22, 0.10))
    back = 1.0 - legs - girth * 0.7
    hip, chest = (-0.52, back), (0.34, back - 0.02)
    head = (0.66, back - 0.30 - neck)
    paws = 0.95
    far = blend(
        at.limb((hip[0] + 0.10, back + 0.05), (hip[0] + 0.12 + stride, paws), 0.12, 0.055),
        at.limb((chest[0] - 0.10, back + 0.05), (chest[0] - 0.10 - stride, paws), 0.10, 0.05),
        0.02,
    )
    near = blend(
        at.limb((hip[0], back + 0.03), (hip[0] - 0.05 - stride, paws), 0.15, 0.06),
        at.limb((chest[0], back + 0.03), (chest[0] + 0.04 + stride, paws), 0.12, 0.055),
        0.02,
    )
    trunk = blend(
        at.limb(hip, chest, girth * 0.85, girth),
        at.ellipse(chest[0], back + 0.04, girth * 1.05, girth * 1.1),
        0.1,
    )
    trunk = blend(trunk, at.limb(chest, (head[0] - 0.08, head[1] + 0.06), girth * 0.75, 0.13), 0.15)
    tip = rng.uniform(-0.5, 0.25)
    tail = at.curve([(-0.62, back - 0.05), (-0.85, back - 0.05), (-0.92, back + tip)], 0.07, 0.035)
    skull = blend(
        at.ellipse(head[0], head[1], 0.17, 0.15),
        at.limb(head, (head[0] + 0.24, head[1] + 0.07), 0.11, 0.06),
        0.06,
    )
    hang = (head[0] - 0.17, head[1] + rng.uniform(-0.3, 0.1))
    ear = at.curve([(head[0] - 0.06, head[1] - 0.1), (head[0] - 0.16, head[1] - 0.12), hang], 0.065, 0.03)
    nose = at.ellipse(head[0] + 0.285, head[1] + 0.045, 0.035, 0.03)
    return Shape(
        (
            Part("far legs", far, "dark", 1.5, 0.02, 0.10),
            Part("tail", tail, "pale", 2.6, 0.03, 0.08),
            Part("body", trunk, "coat", 0.1, 0.06, 0.30),
            Part("near legs", near, "coat", 1.5, 0.10, 0.14),
            Part("head", skull, "pale", 0.4, 0.05, 0.18),
            Part("nose", nose, "black", 0.0, 0.0, 0.05),
            Part("ear", ear, "dark", 1.2, 0.02, 0.08),
        ),
        ((head[0] + 0.055, head[1] - 0.045, 0.028),),
    )


def _bird(at: Square, rng: np.random.Generator) -> Shape:
    plump, tilt, tail_length = rng.uniform((0.34, 0.25, 0.45), (0.44, 0.6, 0.75))
    c, s = np.cos(tilt), np.sin(tilt)
    cy = 0.12
    body = at.ellipse(0.0, cy, 0.56, plump, -tilt)
    head = (0.46 * c + 0.04, cy - 0.62 * s - 0.22)
    skull = at.ellipse(head[0], head[1], 0.22, 0.205)
    beak = at.limb(
        (head[0] + 0.16, head[1] + 0.02), (head[0] + rng.uniform(0.3, 0.42), head[1] + 0.07), 0.075, 0.008
    )
    end = (-0.42 * c - tail_length * c, cy + (0.42 + tail_length * 0.6) * s)
    tail = at.limb((-0.42 * c, cy + 0.42 * s), end, 0.13, 0.07)
    wing = blend(
        at.ellipse(-0.10, cy + 0.02, 0.40, plump * 0.52, -tilt - 0.08),
        at.limb((-0.15, cy + 0.05), (-0.62 * c, cy + 0.66 * s), 0.12, 0.02),
        0.1,
    )
    legs = np.minimum(
        at.limb((0.02, cy + plump * 0.7), (0.06, 0.95), 0.035, 0.022),
        at.limb((0.16, cy + plump * 0.65), (0.22, 0.95), 0.035, 0.022),
    )
    toes = np.minimum(
        at.limb((0.0, 0.965), (0.16, 0.975), 0.022, 0.016),
        at.limb((0.16, 0.965), (0.33, 0.975), 0.022, 0.016),
    )
    return Shape(
        (
            Part("legs", np.minimum(legs, toes), "horn", 1.5, 0.0, 0.05),
            Part("tail", tail, "dark", -tilt, 0.03, 0.12),
            Part("beak", beak, "horn", 0.0, 0.01, 0.08),
            Part("body", body, "pale", -tilt, 0.06, 0.38),
            Part("head", skull, "coat", 0.3, 0.16, 0.22),
            Part("wing", wing, "coat", -tilt - 0.1, 0.0, 0.16),
        ),
        ((head[0] + 0.075, head[1] - 0.04, 0.034),),
    )


def _fish(at: Square, rng: np.random.Generator) -> Shape:
    deep, fork, fin = rng.uniform((0.30, 0.26, 0.2), (0.48, 0.40, 0.36))
    body = blend(at.ellipse(0.18, 0.0, 0.70, deep), at.limb((0.0, 0.0), (-0.62, 0.0), deep * 0.55, 0.08), 0.2)
    tail = blend(
        at.limb((-0.58, 0.0), (-0.92, -fork), 0.09, 0.05),
        at.limb((-0.58, 0.0), (-0.92, fork), 0.09, 0.05),
        0.10,
    )
    dorsal = blend(
        at.limb((0.30, -deep * 0.7), (-0.02, -deep - fin * 0.55), 0.10, 0.04),
        at.limb((0.02, -deep - fin * 0.45), (-0.28, -deep * 0.72), 0.06, 0.04),
        0.12,
    )
    belly = at.limb((0.05, deep * 0.8), (-0.16, deep + fin * 0.5), 0.09, 0.035)
    side = at.limb((0.30, 0.08), (0.04, 0.20 + fin * 0.3), 0.085, 0.06)
    face = np.maximum(body, at.ellipse(0.92, 0.0, 0.42, 0.62))
    return Shape(
        (
            Part("tail fin", tail, "dark", 3.1, 0.04, 0.10),
            Part("back fin", dorsal, "dark", 2.2, 0.04, 0.10),
            Part("belly fin", belly, "dark", 1.9, 0.03, 0.08),
            Part("body", body, "coat", 0.0, 0.05, 0.40),
            Part("face", face, "pale", 0.0, 0.0, 0.40),
            Part("side fin", side, "dark", 2.5, 0.0, 0.07),
        ),
        ((0.62, -deep * 0.22, 0.055),),
        lift=0.25,
    )


def _snail(at: Square, rng: np.random.Generator) -> Shape:
    radius, lean, horn = rng.uniform((0.50, -0.1, 0.25), (0.62, 0.05, 0.42))
    cy = 0.88 - radius
    foot = blend(
        at.limb((-0.86, 0.95), (0.55, 0.88), 0.04, 0.11),
        at.curve([(0.42, 0.88), (0.74, 0.86), (0.76, 0.46)], 0.12, 0.12),
        0.08,
    )
    stalks = np.minimum(
        at.limb((0.74, 0.42), (0.68 + lean, 0.42 - horn), 0.035, 0.022),
        at.limb((0.80, 0.42), (0.88 + lean, 0.42 - horn), 0.035, 0.022),
    )
    knobs = np.minimum(
        at.ellipse(0.68 + lean, 0.42 - horn, 0.04, 0.04),
        at.ellipse(0.88 + lean, 0.42 - horn, 0.04, 0.04),
    )
    shell = at.ellipse(-0.14, cy, radius, radius * 0.94, -0.2)
    coil = at.ellipse(-0.08, cy + 0.03, radius * 0.62, radius * 0.58, -0.2)
    core = at.ellipse(-0.05, cy + 0.05, radius * 0.30, radius * 0.28, -0.2)
    return Shape(
        (
            Part("foot", foot, "skin", 0.0, 0.03, 0.13),
            Part("stalks", np.minimum(stalks, knobs), "skin", 1.5, 0.03, 0.05),
            Part("shell", shell, "coat", 0.8, 0.0, 0.42),
            Part("whorl", coil, "pale", 0.3, 0.0, 0.30),
            Part("apex", core, "dark", 0.0, 0.0, 0.20),
        )
    )


def _tortoise(at: Square, rng: np.random.Generator) -> Shape:
    high, neck = rng.uniform((0.62, 0.0), (0.86, 0.22))
    base = 0.66
    dome = np.maximum(at.ellipse(-0.10, base, 0.70, high), at.y - base)
    rim = at.limb((-0.76, base), (0.56, base), 0.075, 0.075)
    head = (0.78, base - 0.12 - neck)
    throat = at.limb((0.45, base - 0.02), head, 0.12, 0.10)
    skull = at.ellipse(head[0] + 0.05, head[1], 0.165, 0.125, 0.15)
    legs = np.minimum(
        at.limb((-0.50, base + 0.05), (-0.56, 0.90), 0.13, 0.10),
        at.limb((0.34, base + 0.05), (0.42, 0.90), 0.13, 0.10),
    )
    tail = at.limb((-0.74, base + 0.05), (-0.94, base + 0.16), 0.06, 0.015)
    return Shape(
        (
            Part("tail", tail, "skin", 0.4, 0.02, 0.06),
            Part("neck", throat, "skin", 0.4, 0.04, 0.13),
            Part("legs", legs, "skin", 1.5, 0.03, 0.14),
            Part("head", skull, "skin", 0.2, 0.06, 0.16),
            Part("shell", dome, "coat", 0.0, 0.0, 0.55),
            Part("rim", rim, "dark", 0.0, 0.0, 0.09),
        ),
        ((head[0] + 0.10, head[1] - 0.03, 0.026),),
    )


def _mushroom(at: Square, rng: np.random.Generator) -> Shape:
    wide, tall, thick, bend = rng.uniform((0.60, 0.50, 0.13, -0.12), (0.88, 0.85, 0.22, 0.12))
    brim = 0.02
    stem = at.curve([(bend, brim - 0.1), (bend * 0.2, 0.5), (0.0, 0.96 - thick)], thick * 0.85, thick * 1.15)
    cap = np.maximum(
        at.ellipse(bend, brim, wide, tall), at.y - brim - 0.10 + 0.12 * ((at.x - bend) / wide) ** 2
    )
    gills = at.ellipse(bend, brim + 0.05, wide * 0.90, 0.11)
    skirt = at.ellipse(bend * 0.6, 0.34, thick * 1.55, 0.055)
    return Shape(
        (
            Part("gills", gills, "cream", 1.5, 0.0, 0.10),
            Part("stem", stem, "cream", 1.5, 0.03, 0.2),
            Part("ring", skirt, "bone", 0.0, 0.0, 0.06),
            Part("cap", cap, "coat", 0.0, 0.0, 0.50),
        )
    )


def _jug(at: Square, rng: np.random.Generator) -> Shape:
    belly, neck, mouth, low = rng.uniform((0.46, 0.20, 0.24, 0.25), (0.62, 0.34, 0.40, 0.50))
    pot = blend(at.ellipse(-0.08, low, belly, 0.52), at.block(-0.08, 0.83, belly * 0.62, 0.155, 0.05), 0.12)
    throat = at.limb((-0.08, low - 0.2), (-0.08, -0.72), belly * 0.55, neck)
    pot = np.maximum(blend(pot, throat, 0.2), -0.84 - at.y)
    lip = blend(
        at.block(-0.08, -0.84, mouth, 0.055, 0.05),
        at.limb((-0.2, -0.84), (-0.12 - mouth * 1.15, -0.90), 0.05, 0.035),
        0.06,
    )
    ring = at.curve(
        [(neck * 0.7 - 0.08, -0.66), (0.95, -0.72), (belly * 0.80 - 0.06, low + 0.05)], 0.062, 0.055
    )
    band = np.maximum(pot - 0.004, np.abs(at.y - low + 0.10) - 0.07)
    return Shape(
        (
            Part("handle", ring, "dark", 1.5, 0.03, 0.07),
            Part("body", pot, "coat", 1.5, 0.0, 0.45),
            Part("band", band, "pale", 1.5, 0.0, 0.45),
            Part("lip", lip, "dark", 0.0, 0.0, 0.08),
        )
    )


def _pear(at: Square, rng: np.random.Generator) -> Shape:
    wide, waist, bend = rng.uniform((0.50, 0.20, -0.14), (0.66, 0.34, 0.14))
    fruit = blend(at.ellipse(0.0, 0.40, wide, 0.58), at.ellipse(bend, -0.25, waist, 0.36), 0.34)
    top = -0.58
    stalk = at.curve([(bend, top + 0.06), (bend, top - 0.15), (bend + 0.14, top - 0.32)], 0.035, 0.028)
    aim = rng.uniform(-0.5, 0.1)
    leaf = np.maximum(
        at.ellipse(bend + 0.34, top - 0.20, 0.40, 0.28, aim + 0.5),
        at.ellipse(bend + 0.36, top - 0.06, 0.40, 0.26, aim - 0.1),
    )
    blossom = at.ellipse(0.02, 0.955, 0.09, 0.045)
    return Shape(
        (
            Part("blossom end", blossom, "black", 0.0, 0.0, 0.04),
            Part("stalk", stalk, "bark", 1.5, 0.02, 0.05),
            Part("leaf", leaf, "leaf", aim, 0.0, 0.14),
            Part("fruit", fruit, "coat", 1.5, 0.0, 0.50),
        )
    )


SHAPES: dict[str, Callable[[Square, np.random.Generator], Shape]] = {
    "hound": _hound,
    "bird": _bird,
    "fish": _fish,
    "snail": _snail,
    "tortoise": _tortoise,
    "mushroom": _mushroom,
    "jug": _jug,
    "pear": _pear,
}
"""Shape makers by name. Each takes the square and a generator for its proportions."""
