"""The papers' tables and figures: which models each rests on, how a cell is measured, what the paper says and claims."""

from . import cem, detectors, generation, generative, jeat, outside, restoration, robustness, sweeps, thesis
from .table import Cell, Experiment, Order, Place
from .verdicts import judge

__all__ = ["EXPERIMENTS", "Cell", "Experiment", "Order", "Place", "judge"]

EXPERIMENTS: dict[str, Experiment] = {
    "draws": cem.DRAWS,
    "cem-1": cem.CEM_1,
    "cem-2": cem.CEM_2,
    "cem-3": robustness.CEM_3,
    "cem-4": robustness.CEM_4,
    "cem-5": sweeps.CEM_5,
    "cem-fig-2": sweeps.CEM_FIG_2,
    "cem-fig-3": sweeps.CEM_FIG_3,
    "cem-25": robustness.CEM_25,
    "cem-26": robustness.CEM_26,
    "jeat-1": jeat.JEAT_1,
    "jeat-2": jeat.JEAT_2,
    "jeat-3": jeat.JEAT_3,
    "jeat-fig-2": jeat.JEAT_FIG_2,
    "jeat-fig-3": jeat.JEAT_FIG_3,
    "jeat-fig-5": jeat.JEAT_FIG_5,
    "thesis-fig-2.3": thesis.FIG_2_3,
    "thesis-fig-2.4": thesis.FIG_2_4,
    "thesis-fig-2.5": thesis.FIG_2_5,
    "thesis-fig-2.6": thesis.FIG_2_6,
    "thesis-2.5": generation.T_2_5,
    "thesis-2.7": restoration.THESIS_2_7,
    "thesis-2.8": restoration.THESIS_2_8,
    "thesis-fig-2.9": restoration.THESIS_FIG_2_9,
    "thesis-2.10": generation.T_2_10,
    "thesis-2.11": generation.T_2_11,
    "thesis-fig-2.15": generation.FIG_2_15,
    "thesis-fig-2.16": restoration.THESIS_FIG_2_16,
    "thesis-stability": thesis.STABILITY,
    "thesis-3.2": detectors.THESIS_3_2,
    "thesis-3.3": detectors.THESIS_3_3,
    "thesis-3.4": detectors.THESIS_3_4,
    "thesis-3.5": detectors.THESIS_3_5,
    "thesis-3.6": detectors.THESIS_3_6,
    "thesis-fig-3.2": detectors.THESIS_FIG_3_2,
    "detectors": detectors.EVERY,
    "thesis-3.12": outside.THESIS_3_12,
    "thesis-3.14": generative.THESIS_3_14,
    "thesis-fig-3.7": generative.THESIS_FIG_3_7,
    "thesis-3.16": generative.THESIS_3_16,
    "thesis-3.17": generative.THESIS_3_17,
}
