"""x @ w on crossbars by plain loops in numpy, in float64: over crossbars, inputs, streams and columns.

Written from the description of the hardware, for formats, digits, codings and converters of every kind.
"""

import numpy as np
import torch

from geniex.coding import OffsetInputs, TwosComplementStreams
from geniex.converters import ColumnScales, DigitalFloor, DummyColumn, PaperFloor, WorstCase
from geniex.digital import FixedPoint
from geniex.mapping import DifferentialPair, OffsetColumn


def integers(x, number):
    """Numbers in steps of a format: truncated or rounded, and saturated."""
    steps = x / np.array(number.step)
    whole = np.trunc(steps) if isinstance(number, FixedPoint) else np.rint(steps)
    return np.clip(whole, -(2 ** (number.bits - 1)), 2 ** (number.bits - 1) - 1).astype(np.int64)


def widths_of(bits, width):
    """Bits of each digit, least significant first."""
    if isinstance(width, tuple):
        return list(width)
    return [min(width, bits - k) for k in range(0, bits, width)]


def cut(words, widths):
    """(place, digits) of non-negative words."""
    places = [2 ** sum(widths[:k]) for k in range(len(widths))]
    return [(place, words // place % 2**width) for place, width in zip(places, widths, strict=True)]


def streams(x, config):
    """(place, digits) of the integers `x`, whatever their sign."""
    bits, width = config.inputs.bits, config.stream_bits or config.dac.bits
    coding = config.signed_inputs
    if coding is None and width == 1:
        coding = TwosComplementStreams()
    if isinstance(coding, TwosComplementStreams):
        widths = width if isinstance(width, tuple) else (*widths_of(bits - 1, width), 1)
        *low, (place, sign) = cut(x % 2**bits, widths)
        return [*low, (-place, sign)]
    if isinstance(coding, OffsetInputs):
        return cut(x + 2 ** (bits - 1), widths_of(bits, width))
    positive, negative = (cut(np.maximum(sign * x, 0), widths_of(bits, width)) for sign in (1, -1))
    return positive + [(-place, digits) for place, digits in negative]


def arrays(w, config):
    """(factor, list of (place, digits)) of every array that stands for the integers `w`."""
    bits, half = config.weights.bits, 2 ** (config.weights.bits - 1)
    widths = widths_of(bits, config.slice_bits)
    if isinstance(config.mapping, DifferentialPair):
        return [(1, cut(np.maximum(w, 0), widths)), (-1, cut(np.maximum(-w, 0), widths))]
    if isinstance(config.mapping, OffsetColumn):
        return [(1, cut(w + half, widths))]
    return [(1, cut(w % half, widths)), (-half, [(1, (w < 0).astype(np.int64))])]


def crossbars(w, config):
    """(row tile, number side by side, factor, [(place, output) per column], digits (row, col)) of every crossbar."""
    used = config.cols - config.floor.reserved_cols
    for top in range(0, len(w), config.rows):
        number = 0
        for factor, digits in arrays(w[top : top + config.rows], config):
            columns = [(place, m, digit[:, m]) for place, digit in digits for m in range(w.shape[1])]
            for left in range(0, len(columns), used):
                level = np.zeros((config.rows, config.cols))
                for col, (_, _, digit) in enumerate(columns[left : left + used]):
                    level[: len(digit), col] = digit
                yield top // config.rows, number, factor, [c[:2] for c in columns[left : left + used]], level
                number += 1


def full_scale(config, place, levels):
    """Products of levels per code of the columns of a crossbar."""
    adc, product = config.adc, levels["v_step"] * levels["g_step"]
    if adc.full_scale is None:
        return 1.0
    if isinstance(adc.full_scale, WorstCase):
        return config.rows * (2**config.dac.bits - 1) * levels["g_top"] / (2**adc.bits - 1)
    amperes = adc.full_scale
    if isinstance(amperes, ColumnScales):
        tile, number, count = place
        amperes = np.array(amperes.amperes[tile][number][:count])
    return amperes / product / (2**adc.bits - 1)


def converted(y, config, place, levels):
    """What the ADC gives for products of levels, and which of them lie too near to a step to tell."""
    if config.adc is None:
        return np.rint(y), np.abs(y % 1 - 0.5) < 1e-3
    adc, unit = config.adc, full_scale(config, (*place, len(y)), levels)
    code = y / unit * adc.gain + adc.offset
    if adc.inl is not None:
        code = code + np.interp(code, np.linspace(0, 2**adc.bits - 1, len(adc.inl)), adc.inl)
    return np.clip(np.rint(code), 0, 2**adc.bits - 1) * unit, (np.abs(code % 1 - 0.5) < 1e-3) * unit


def without_floor(i, digit, level, config, floor):
    """Currents without that of g_off, which the digital side takes for `floor`; all in products of levels."""
    if isinstance(config.floor, DummyColumn):
        return i[:-1] - i[-1]
    if isinstance(config.floor, DigitalFloor):
        return i - floor
    return digit @ level * i / (digit @ level + floor)


def looped(x, w, model, config):
    """x @ w, and how far readings on the edge of a step could move each result."""
    q, words = integers(x, config.inputs), integers(w, config.weights)
    top = 2 ** max(widths_of(config.weights.bits, config.slice_bits)) - 1
    levels = {
        "g_top": top,
        "g_step": (config.g_on - config.g_off) / top,
        "v_step": config.dac.v_max / (2**config.dac.bits - 1),
    }
    y, edge = np.zeros((2, len(x), w.shape[1]))
    for tile, number, factor, columns, level in crossbars(words, config):
        if isinstance(config.floor, PaperFloor) and not level.any():
            continue  # the controller knows a blank crossbar
        read = model.program(torch.tensor(config.g_off + level * levels["g_step"]))
        for n, row in enumerate(q):
            for place, digits in streams(row[tile * config.rows : (tile + 1) * config.rows], config):
                if not digits.any():
                    continue  # and what drives no row
                digit = np.zeros(config.rows)
                digit[: len(digits)] = digits
                deviation = 0 if config.dac.inl is None else np.array(config.dac.inl)[digit.astype(int)]
                volt = torch.tensor((digit + deviation) * levels["v_step"])
                i = read(volt[None])[0].numpy() / levels["v_step"] / levels["g_step"]
                left = without_floor(i, digit, level, config, config.g_off / levels["g_step"] * digit.sum())
                got, near = converted(left[: len(columns)], config, (tile, number), levels)
                for (weight, m), products, close in zip(columns, got, near, strict=True):
                    y[n, m] += factor * weight * place * products
                    edge[n, m] += abs(factor * weight * place) * close
    y = digital_corrections(y, q, words, config)
    step = np.array(config.weights.step) * config.inputs.step
    return y * step, edge * step


def digital_corrections(y, q, words, config):
    """The sums less what an offset of the inputs, and one of the weights, has added."""
    if isinstance(config.signed_inputs, OffsetInputs):
        for factor, digits in arrays(words, config):
            stored = sum(place * digit for place, digit in digits)
            y = y - factor * 2 ** (config.inputs.bits - 1) * stored.sum(0)
    if isinstance(config.mapping, OffsetColumn):
        y = y - 2 ** (config.weights.bits - 1) * q.sum(1, keepdims=True)
    return y
