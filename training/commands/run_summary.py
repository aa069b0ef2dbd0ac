"""What a person sees of a run that came to its end."""

from pathlib import Path
from typing import Any

from rich.text import Text

from nextvec.training.commands.console import console
from nextvec.training.commands.narrow import print_table
from nextvec.training.commands.tables import readiness_table, result_table
from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.reporting.diagnosis import RULES, findings
from nextvec.training.reporting.plain_words import in_plain_words
from nextvec.training.run_folder import REPORT

_SEVERITY_STYLES = {"problem": "red", "warning": "yellow", "notice": "cyan"}


def print_run(card: dict[str, Any]) -> None:
    """Print what came out of a run."""
    console.print(f"\n[bold]{card['name']}[/]", soft_wrap=True, highlight=False)
    print_table(result_table(card))
    gain = card["diagnostics"]["memory_gain"]
    if gain is not None:
        shown = points(Estimate.from_plain(gain)).replace("[", r"\[")
        console.print(f"What the memory's reads bring, against their mean: {shown}")
    print_table(readiness_table(card))
    _print_diagnosis(card)


def say_plainly(card: dict[str, Any], run: Path) -> None:
    """Say in plain words what a run holds, and where its report lies."""
    console.print("\n[bold]In plain words[/]")
    for sentence in in_plain_words(card):
        console.print(sentence, markup=False, highlight=False)
    console.print(f"Report: {run / REPORT}", soft_wrap=True, highlight=False)


def _print_diagnosis(card: dict[str, Any]) -> None:
    """Print what the rules found; a card from before they were written is held to them.

    The card of such a run stays as it is.
    """
    told = card.get("diagnosis")
    if told is None:
        told = [finding.to_dict() for finding in findings(card)]
    if not told:
        console.print(f"diagnosis: none of {len(RULES)} rules found anything")
        return
    console.print("diagnosis:")
    for finding in told:
        style = _SEVERITY_STYLES.get(finding["severity"], "")
        console.print(
            Text.assemble(
                ("· ", style),
                (f"{finding['severity']}: {finding['name']}. ", style),
                f"{finding['sentence']} Threshold: {finding['threshold']}. "
                f"Try: {finding['advice']}",
            )
        )
