"""Every setting of a run, frozen, with the small run's values as defaults; as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from dinoscope.anchoring.checks import require, require_least
from dinoscope.errors import InputError
from dinoscope.maths.ramp import cosine_ramp


@dataclass(frozen=True, slots=True)
class Network:
    """The shape of student and teacher.

    Attributes:
        dim, depth, heads, patch_size, registers: of the vision transformer.
        hidden: channels inside its MLP.
        layer_scale: initial value; 1 changes nothing at first.
        rope_base: of the rotary position embedding.
        rope_rescale: positions of the student are multiplied, each forward pass, by a log-uniform number
            in [1/rescale, rescale]; None for never.
        rope_jitter: like ``rope_rescale``, for each axis on its own.
        rope_shift: positions are moved by a uniform number in [-shift, shift] for each axis.
        prototypes: of each of the two heads.
        head_hidden, head_bottleneck: channels inside a head, and of what is compared with prototypes.
    """

    dim: int = 128
    depth: int = 6
    heads: int = 4
    patch_size: int = 8
    registers: int = 4
    hidden: int = 512
    layer_scale: float = 1.0
    rope_base: float = 100.0
    rope_rescale: float | None = 2.0
    rope_jitter: float | None = None
    rope_shift: float | None = None
    prototypes: int = 256
    head_hidden: int = 256
    head_bottleneck: int = 64

    def __post_init__(self) -> None:
        sizes = ("dim", "depth", "heads", "patch_size", "hidden", "head_hidden", "head_bottleneck")
        require_least(self, 1, *sizes)
        require_least(self, 0, "registers")
        require_least(self, 2, "prototypes")
        require(
            self.dim % (4 * self.heads) == 0,
            f"rotary positions need a dim that is a multiple of 4 * heads, got {self.dim} and {self.heads}",
        )
        given = (name for name in ("rope_rescale", "rope_jitter") if getattr(self, name) is not None)
        require_least(self, 1, *given)


@dataclass(frozen=True, slots=True)
class Crops:
    """What the networks see of a photograph. There are always two global crops.

    Attributes:
        global_px, local_px: side of a crop.
        n_local: local crops of each photograph.
        global_area, local_area: smallest and largest share of the photograph.
        aspect: narrowest and widest W / H of what is cut out before the resize.
        jitter: brightness and contrast are multiplied by a number in [1 - jitter, 1 + jitter], saturation
            too; 0 for no photometric distortion.
        jitter_share, grey_share: of the crops.
        mask_share: of the global crops; each of them gets one masked block.
        mask_side: smallest and largest side of the block, in patches.
    """

    global_px: int = 64
    local_px: int = 32
    n_local: int = 2
    global_area: tuple[float, float] = (0.32, 1.0)
    local_area: tuple[float, float] = (0.08, 0.3)
    aspect: tuple[float, float] = (0.75, 4 / 3)
    jitter: float = 0.4
    jitter_share: float = 0.8
    grey_share: float = 0.2
    mask_share: float = 0.5
    mask_side: tuple[int, int] = (3, 6)

    def __post_init__(self) -> None:
        require_least(self, 0, "n_local")
        for name in ("global_area", "local_area"):
            low, high = getattr(self, name)
            require(0 < low <= high <= 1, f"{name} must be two shares in (0, 1], got {low}, {high}")
        require(0 < self.aspect[0] <= self.aspect[1], f"aspect must rise from above 0, got {self.aspect}")
        for name in ("jitter", "jitter_share", "grey_share", "mask_share"):
            require(0 <= getattr(self, name) <= 1, f"{name} must lie in [0, 1], got {getattr(self, name)}")
        low, high = self.mask_side
        require(1 <= low <= high, f"mask_side must rise from at least 1, got {self.mask_side}")


@dataclass(frozen=True, slots=True)
class Objective:
    """The losses of self-distillation, and their weights.

    Attributes:
        student_temperature, teacher_temperature: of the two softmaxes. A third of DINO's 0.1 and 0.04, which
            are meant for prototypes of unit length: these begin at a sixth of it, and under the published
            temperatures the teacher's targets stay almost even for thousands of steps.
        first_temperature, temperature_steps: the teacher's temperature moves in a line from the first to
            ``teacher_temperature`` over so many steps; 0 steps for never.
        sinkhorn_iterations: rounds of balancing of the teacher's assignments.
        dino, ibot, koleo: weights of the three losses.
        local: weight of the local crops inside the DINO loss.
        contrast: weight of telling a photograph's class token from the rest of the batch's; 0 for none.
        contrast_temperature: of its softmax.
    """

    student_temperature: float = 0.033
    teacher_temperature: float = 0.0133
    first_temperature: float = 0.0133
    temperature_steps: int = 0
    sinkhorn_iterations: int = 3
    dino: float = 1.0
    ibot: float = 1.0
    koleo: float = 0.1
    local: float = 1.0
    contrast: float = 0.0
    contrast_temperature: float = 0.2

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name.endswith("_temperature")):
            require(getattr(self, name) > 0, f"{name} must be above 0, got {getattr(self, name)}")
        require_least(self, 1, "sinkhorn_iterations")
        require_least(self, 0, "dino", "ibot", "koleo", "local", "contrast", "temperature_steps")


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What changes after a fork. Weights move from their old value along half a cosine.

    Attributes:
        start: step of the fork.
        ramp: steps until the new weights hold; 0 for at once.
        local: weight of the local crops, from then on.
        anchor: what ties the student's patches to a frozen teacher's: nothing, their Gram matrix, or
            the features themselves.
        weight: of the anchor.
        scale: the frozen teacher sees the same crops at this many times the resolution.
        blur: standard deviation, in patches, of a Gaussian over the frozen teacher's patch map; 0 for none.
        teacher_step: of the snapshot that the frozen teacher is, for the record.
        update_every: steps after which the current EMA replaces the frozen teacher; 0 for never.
        max_updates: how often that happens.
        pull: weight of the pull of all patches towards their crop's class token: damage planted on purpose,
            for the positive control; 0 for none.
    """

    start: int
    ramp: int = 0
    local: float = 1.0
    anchor: Literal["none", "gram", "feature-mse"] = "none"
    weight: float = 2.0
    scale: int = 1
    blur: float = 0.0
    teacher_step: int = 0
    update_every: int = 0
    max_updates: int = 3
    pull: float = 0.0

    def __post_init__(self) -> None:
        require_least(self, 0, *(f.name for f in fields(self) if f.name not in ("anchor", "scale")))
        require(self.anchor in ("none", "gram", "feature-mse"), f"no anchor {self.anchor!r}")
        require_least(self, 1, "scale")

    def share(self, step: int) -> float:
        """How far the ramp has come at a step, in [0, 1]."""
        return cosine_ramp(step, self.start, self.ramp)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how the arithmetic is done: no part of what the run is.

    Attributes:
        device: as torch names it; ``auto`` takes the GPU where there is one.
        precision: of the forward passes; ``auto`` is bfloat16 on a GPU that has it, else float32. Losses
            are float32 always.
        compile: run the blocks through torch.compile: about half a minute at the start, other last digits
            than without. None for where that pays: on a CPU with a C++ compiler, from 64 channels on.
        workers: threads that cut crops; the crops do not depend on it. A GPU cuts them itself: in the same
            places, with other last digits.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        require(self.precision in ("auto", "float32", "bfloat16"), f"no precision {self.precision!r}")
        require_least(self, 1, "workers")


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole run.

    Attributes:
        seed: of the weights, and of every step's batch and random numbers.
        steps: the last step; it may be raised when a run is resumed.
        batch: photographs a step.
        learning_rate: of AdamW, reached after ``warmup`` steps and constant from then on.
        cooldown_start, cooldown_steps: after the start the rate falls in a line, towards 0 after so many
            steps; 0 steps for never. Counted from the run's first step, so that it can be made longer.
        weight_decay: of matrices; biases, norms and scales have none.
        ema: share of the old teacher that is kept each step.
        clip_gradient: largest norm of the gradient; 0 for no limit.
        memory_px: photographs are reduced to this short side when they are read; 0 keeps them.
        checkpoint_every, snapshot_every: steps between resumable checkpoints, and between exported EMA
            networks; 0 for none but the last.
        keep_checkpoints: the newest so many stay; 0 keeps all.
    """

    seed: int = 0
    steps: int = 2000
    batch: int = 64
    learning_rate: float = 1e-3
    warmup: int = 100
    cooldown_start: int = 0
    cooldown_steps: int = 0
    weight_decay: float = 0.04
    ema: float = 0.99
    clip_gradient: float = 3.0
    memory_px: int = 192
    checkpoint_every: int = 100
    snapshot_every: int = 100
    keep_checkpoints: int = 2
    network: Network = field(default_factory=Network)
    crops: Crops = field(default_factory=Crops)
    objective: Objective = field(default_factory=Objective)
    second_stage: SecondStage | None = None
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        require_least(self, 1, "steps")
        require_least(self, 0, "seed", "warmup", "cooldown_start", "cooldown_steps", "weight_decay")
        require_least(self, 0, "clip_gradient", "memory_px", "checkpoint_every", "snapshot_every")
        require_least(self, 0, "keep_checkpoints")
        require(self.batch >= 2, f"batch must be at least 2 (neighbours are compared), got {self.batch}")
        require(self.learning_rate > 0, f"learning_rate must be above 0, got {self.learning_rate}")
        require(0 <= self.ema <= 1, f"ema must lie in [0, 1], got {self.ema}")
        patch = self.network.patch_size
        for name in ("global_px", "local_px"):
            px = getattr(self.crops, name)
            require(
                px >= patch and px % patch == 0,
                f"{name} must be a whole multiple of the patch size {patch}, got {px}",
            )
        require(
            self.crops.mask_side[1] <= self.grid or self.crops.mask_share == 0,
            f"mask_side reaches {self.crops.mask_side[1]} patches, a global crop has only {self.grid}",
        )
        require(
            0 < self.memory_px >= self.crops.global_px or self.memory_px == 0,
            f"memory_px must be 0 or at least global_px ({self.crops.global_px}), got {self.memory_px}",
        )

    @property
    def grid(self) -> int:
        """Patches on a side of a global crop."""
        return self.crops.global_px // self.network.patch_size

    def as_json(self) -> str:
        """JSON, two spaces deep, that `from_json` reads back to an equal value."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read settings back; what is left out takes its default.

        Raises:
            InputError: not JSON, a setting that does not exist, or a value out of range.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"settings are not JSON: {error}") from error
        return _build(cls, values)


_PARTS: Mapping[str, type] = {
    "network": Network,
    "crops": Crops,
    "objective": Objective,
    "second_stage": SecondStage,
    "machine": Machine,
}


def _build(kind: type, values: object) -> Any:
    if not isinstance(values, dict):
        raise InputError(f"{kind.__name__} must be an object of settings, got {values!r}")
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise InputError(f"{kind.__name__} has no setting {', '.join(unknown)}; there are {sorted(known)}")
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name in _PARTS and value is not None:
            arguments[name] = _build(_PARTS[name], value)
        else:
            arguments[name] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**arguments)
    except TypeError as error:
        raise InputError(f"{kind.__name__}: {error}") from error
