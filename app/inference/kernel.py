"""What a network spends its time in, as machine code (`compiling`).

Recurrent layers and their memory, heads, and the products of a context. From the source
beside this file, never from a bundle: a bundle holds no code. Where there is no
compiler networks run as they were trained.
"""

import ctypes
import logging
import subprocess
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from nextvec.app.inference.compiling import (
    PREBUILT,
    compiled_here,
    compiler,
    prebuilt,
)
from nextvec.app.inference.packed import PANEL, Matrix, Packed
from nextvec.app.user_cache import user_cache
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.items import LONGEST_MATCH
from nextvec.training.models.similarities import (
    NUM_SIMILARITIES,
    SHARP,
    WIDE,
    Described,
)
from nextvec.training.models.survey import constants
from nextvec.training.vectors import Float32

log = logging.getLogger(__name__)


class CopyRule(ctypes.Structure):
    """`copying` of the source."""

    _fields_ = (
        *((name, ctypes.c_float) for name in ("step", "same", "never")),
        ("match", ctypes.c_float * LONGEST_MATCH),
    )


class _Rule(ctypes.Structure):
    """`rule` of the source."""

    _fields_ = tuple(
        (name, ctypes.c_float) for name in ("sharp", "wide", "tau", "gain", "cap")
    )


class Kernel:
    """The compiled source."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Take the loaded library."""
        pointers = [ctypes.POINTER(Matrix)] * 2
        self._scratch, self._layer = library.gru_scratch, library.gru_layer
        self._scratch.restype, self._scratch.argtypes = ctypes.c_int64, pointers
        numbers, arrays = [ctypes.c_int64] * 4, [ctypes.c_void_p] * 3
        self._layer.restype = None
        self._layer.argtypes = [*pointers, ctypes.c_void_p, *numbers, *arrays]
        self._recall_scratch, self._recall = library.recall_scratch, library.recall
        self._recall_scratch.restype = ctypes.c_int64
        self._recall_scratch.argtypes = [*pointers, *numbers[:2]]
        self._recall.restype = None
        self._recall.argtypes = [*pointers, *arrays[:2], *numbers, *arrays[:2]]
        self._linear_scratch, self._linear = library.linear_scratch, library.linear
        self._linear_scratch.restype = ctypes.c_int64
        self._linear_scratch.argtypes = pointers[:1]
        self._linear.restype = None
        self._linear.argtypes = [pointers[0], arrays[0], *numbers[:3], *arrays[:2]]
        self._newest, self._copies = library.recall_newest, library.weigh_copies
        self._newest.restype = self._copies.restype = None
        self._newest.argtypes = [*arrays, *numbers[:3], *arrays]
        self._copies.argtypes = [
            *arrays,
            *numbers,
            ctypes.POINTER(CopyRule),
            *arrays,
        ]
        self._places_scratch, self._places = (
            library.places_scratch,
            library.weigh_places,
        )
        self._places_scratch.restype = ctypes.c_int64
        self._places_scratch.argtypes = pointers
        self._places.restype = None
        self._places.argtypes = [
            *pointers,
            *[ctypes.c_void_p] * 6,
            *[ctypes.c_int64] * 6,
            ctypes.c_float,
            *arrays[:2],
        ]
        self._local = threading.local()
        self._room = library.describe_scratch
        self._room.restype, self._room.argtypes = ctypes.c_int64, [ctypes.c_int64] * 3
        self._describe = library.describe_contexts
        self._describe.restype = None
        self._describe.argtypes = [
            *[ctypes.c_void_p] * 5,
            *numbers,
            ctypes.POINTER(_Rule),
            *arrays,
        ]

    def describe(
        self, base: ClosedForm, context_BTD: Tensor, length_B: Tensor
    ) -> Described:
        """Do what `nextvec.training.models.similarities.describe` does.

        Args:
            base: the closed form.
            context_BTD: unit vectors, float32, on the CPU, padded at the end.
            length_B: vectors in each context.
        """
        num_contexts, width, _ = context_BTD.shape
        fixed = constants(base, width)
        product_BTT = (context_BTD @ context_BTD.transpose(1, 2)).contiguous()
        length_B = length_B.to(torch.int64).contiguous()
        memory = base.memory or SequenceMemory()
        rule = _Rule(SHARP, WIDE, memory.tau, memory.gain, memory.cap)
        sizes = len(fixed.sums), len(fixed.squares)
        scratch = torch.empty(self._room(width, *sizes))
        figures_BTF = torch.empty(num_contexts, width, NUM_SIMILARITIES)
        base_BT2 = torch.empty(num_contexts, width, 2)
        given = product_BTT, length_B, fixed.sums, fixed.squares, fixed.fresh
        made = scratch, figures_BTF, base_BT2
        self._describe(
            *(array.data_ptr() for array in given),
            num_contexts,
            width,
            *sizes,
            rule,
            *(array.data_ptr() for array in made),
        )
        return Described(figures_BTF, base_BT2)

    def layer(
        self, reading: Packed, recurrent: Packed, read_BTI: Tensor, state_BH: Tensor
    ) -> Tensor:
        """Run one layer.

        Args:
            reading: matrix of what is read.
            recurrent: matrix of the state.
            read_BTI: float32, on the CPU.
            state_BH: contiguous; the states to begin with, and afterwards the last.

        Returns:
            States, shape ``(B, T, H)``.
        """
        num_sequences, length, num_inputs = read_BTI.shape
        read_BTI, size = read_BTI.contiguous(), state_BH.shape[1]
        states_BTH = torch.empty(num_sequences, length, size)
        matrices = reading.matrix, recurrent.matrix
        self._layer(
            *matrices,
            read_BTI.data_ptr(),
            num_sequences,
            length,
            num_inputs,
            size,
            state_BH.data_ptr(),
            states_BTH.data_ptr(),
            self._room_of(self._scratch(*matrices)),
        )
        return states_BTH

    def recall(
        self, ask: Packed, value: Packed, states_BTH: Tensor, read_BTI: Tensor
    ) -> Tensor:
        """Let every state ask what was read after earlier ones like it.

        Args:
            ask: matrix from a state to what it looks for among states, scaled.
            value: matrix from what was read to an answer as long as a state.
            states_BTH: float32, on the CPU.
            read_BTI: what was read at each.

        Returns:
            States and answers, shape ``(B, T, 2 H)``.
        """
        num_contexts, length, size = states_BTH.shape
        states_BTH, read_BTI = states_BTH.contiguous(), read_BTI.contiguous()
        both_BTF = torch.empty(num_contexts, length, 2 * size)
        matrices, num_inputs = (ask.matrix, value.matrix), read_BTI.shape[2]
        self._recall(
            *matrices,
            states_BTH.data_ptr(),
            read_BTI.data_ptr(),
            num_contexts,
            length,
            size,
            num_inputs,
            both_BTF.data_ptr(),
            self._room_of(self._recall_scratch(*matrices, length, num_inputs)),
        )
        return both_BTF

    def linear(self, matrix: Packed, rows_NI: Tensor, size: int) -> Tensor:
        """Multiply rows, float32, on the CPU; the result is ``(N, size)``."""
        rows_NI, made_NO = rows_NI.contiguous(), torch.empty(len(rows_NI), size)
        self._linear(
            matrix.matrix,
            rows_NI.data_ptr(),
            *rows_NI.shape,
            size,
            made_NO.data_ptr(),
            self._room_of(self._linear_scratch(matrix.matrix)),
        )
        return made_NO

    def recall_newest(
        self, asked_BH: Tensor, states: Sequence[Tensor], read: Sequence[Tensor]
    ) -> Tensor:
        """Weigh what was read after states like the newest, of contexts one by one.

        Args:
            asked_BH: what the newest state of each looks for.
            states: of each, contiguous float32, each ``(T, H)``.
            read: at each state, the same, each ``(T, I)``.

        Returns:
            Shape ``(B, I)``; zeros of a context of one.
        """
        lengths, size = [one.shape[0] for one in read], read[0].shape[1]
        what_BI, asked_BH = torch.empty(len(read), size), asked_BH.contiguous()
        self._newest(
            _addresses(states),
            _addresses(read),
            (ctypes.c_int64 * len(lengths))(*lengths),
            len(lengths),
            asked_BH.shape[1],
            size,
            asked_BH.data_ptr(),
            self._room_of(4 * (max(lengths) + PANEL)),
            what_BI.data_ptr(),
        )
        return what_BI

    def weigh_copies(
        self,
        rule: CopyRule,
        contexts: Sequence[Tensor],
        keys: Sequence[Tensor] | None,
        lengths: Sequence[int],
        asked_BK: Tensor,
        start_B: Tensor,
    ) -> Tensor:
        """Weigh the places of contexts after the newest.

        Args:
            rule: the numbers of a `Copying`.
            contexts: contiguous float32, each at least ``(T, D)``.
            keys: the same, each at least ``(T, K)``; None for no products.
            lengths: vectors of each, T.
            asked_BK: what keys are multiplied with.
            start_B: weight that all places of a context have.

        Returns:
            Shape ``(B, T)``, T of the longest of `contexts`, padding included.
        """
        width = max(context.shape[0] for context in contexts)
        weight_BT = torch.empty(len(contexts), width)
        asked_BK, start_B = asked_BK.contiguous(), start_B.contiguous()
        self._copies(
            _addresses(contexts),
            _addresses(contexts if keys is None else keys),
            (ctypes.c_int64 * len(lengths))(*lengths),
            len(contexts),
            width,
            contexts[0].shape[1],
            0 if keys is None else keys[0].shape[1],
            rule,
            asked_BK.data_ptr(),
            start_B.data_ptr(),
            weight_BT.data_ptr(),
        )
        return weight_BT

    def weigh_places(
        self,
        here: Packed,
        now: Packed,
        out: Float32,
        given: tuple[Tensor, Tensor, Tensor, Tensor],
        length_B: Tensor,
        each_new: float,
    ) -> Tensor:
        """Weigh the vectors of contexts of documents, and add them up.

        Args:
            here: matrix of a place: its figures, then its features.
            now: matrix of the features of the last place.
            out: from what these two give to three changes, then three biases.
            given: contexts ``(B, T, D)``, base ``(B, T, 2)``, figures ``(B, T, F)`` and
                features ``(B, T, H)``; float32, on the CPU.
            length_B: vectors in each context.
            each_new: weight of a place for a third change of 1.

        Returns:
            Unit vectors, shape ``(B, D)``.
        """
        arrays = [array.contiguous() for array in given]
        length_B = length_B.to(torch.int64).contiguous()
        context_BTD, _, figures_BTF, features_BTH = arrays
        num_contexts, width, dim = context_BTD.shape
        vector_BD = torch.empty(num_contexts, dim)
        matrices = here.matrix, now.matrix
        self._places(
            *matrices,
            out.ctypes.data,
            *(array.data_ptr() for array in arrays),
            length_B.data_ptr(),
            num_contexts,
            width,
            dim,
            figures_BTF.shape[2],
            features_BTH.shape[2],
            len(out) // 3 - 1,
            each_new,
            self._room_of(self._places_scratch(*matrices)),
            vector_BD.data_ptr(),
        )
        return vector_BD

    def _room_of(self, size_bytes: int) -> int:
        """Return the address of room to work in, kept for each thread.

        Fresh room is handed out by the system a page at a time, which costs a step of a
        session as much as its products.
        """
        room: Tensor | None = getattr(self._local, "room", None)
        if room is None or len(room) < size_bytes:
            room = torch.empty(size_bytes, dtype=torch.uint8)
            self._local.room = room
        return room.data_ptr()


@cache
def load_kernel(prebuilt_folder: Path = PREBUILT) -> Kernel | None:
    """Return the kernel, compiled if it never was; None where that cannot be.

    One that was compiled beforehand is taken if this processor can run it; else it is
    kept in the user's cache (`nextvec.app.user_cache`), named after its source, its
    compiler and the processor.

    Args:
        prebuilt_folder: of what was compiled beforehand.
    """
    made = prebuilt(prebuilt_folder)
    if made is not None:
        try:
            return Kernel(ctypes.CDLL(str(made)))
        except OSError as error:
            told = {"path": str(made), "reason": str(error)}
            log.warning("a kernel made beforehand cannot be loaded", extra=told)
    found = compiler()
    if found is None:
        log.warning("no C compiler: networks run as they were trained, more slowly")
        return None
    try:
        return Kernel(ctypes.CDLL(str(compiled_here(found, user_cache()))))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        log.warning(
            "the kernel cannot be compiled: networks run as they were trained, "
            "more slowly",
            extra={"reason": _said(error)},
        )
        return None


def _said(error: Exception) -> str:
    """Return why, in the compiler's own words where it was the compiler."""
    words: bytes = getattr(error, "stderr", None) or b""
    return "\n".join(filter(None, [str(error), words.decode(errors="replace")]))


def _addresses(arrays: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.data_ptr() for array in arrays))
