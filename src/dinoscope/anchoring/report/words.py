"""What the laboratory's report says whatever was measured: its rules, and what it does not show."""

from __future__ import annotations

RULES = (
    "The gate fires if, at the last snapshot, patch kNN mIoU is at least 2 percentage points below its "
    "highest earlier value while class-token kNN is not lower than it was there. Of these rules this one was "
    "set before the first score was measured.",
    "An arm is above (below) another where every fork seed of it scores above (below) every fork seed of the "
    "other, with at least three seeds of both. Between arms that do not differ, three against three fall so "
    "once in ten, once in twenty in each direction.",
    "A Gram arm is credited only if its patch kNN mIoU is above continue, local-half and feature-mse, by 0.5 "
    "points or more each, if its class-token kNN, boundary AUC and effective rank are not below continue, "
    "and if every seed of it exceeds its own frozen teacher. Its Gram distance counts for nothing.",
)

NOT_SHOWN = (
    "Whether larger networks or longer training behave alike: published evidence places the loss of patch "
    "quality in models above 300 million parameters and in long runs.",
    "What any released model owes to the anchor: the released DINOv3 S, S+, B, L and H+ were distilled, not "
    "anchored.",
    "The spread between trunks, unless several are listed: fork seeds share one trunk and differ in the "
    "order and crops after the fork only.",
    "What another weight would do: feature-mse has the Gram arms' weight, under which its loss is the larger "
    "part of the sum (see Losses); a lighter one might cost less and hold less.",
    "Photographs: the scores are measured on procedural scenes, which the network was not trained for. They "
    "rank the same network's snapshots; they are no benchmark.",
)

NO_CONTROL = "Repair of known damage: no positive control is part of this run."

CONTROL_RULES = (
    "Rules of this part, written after the trunk had been measured and before any arm after the damage was: "
    "repair is judged only if the damage cost at least 2 points of patch kNN mIoU, between arms after the "
    "same damage, by the spread of their seeds. Strength and length of the pull are chosen so that it does "
    "damage; they are no finding."
)
