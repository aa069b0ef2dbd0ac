"""The one console command, ``nextvec``."""

import typer

from app.commands.bundle import bundle_app
from app.commands.predict import predict
from app.commands.serve import serve
from app.commands.up import up
from training.commands.corpus import corpus_app
from training.commands.runs import compare, evaluate, recipes, train
from training.commands.study import study

nextvec = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Predict the next embedding vector, and find the real things nearest to it.",
)
nextvec.add_typer(corpus_app, name="corpus")
for command in (up, train, evaluate, compare, study, recipes):
    nextvec.command()(command)
nextvec.add_typer(bundle_app, name="bundle")
for command in (serve, predict):
    nextvec.command()(command)


def main() -> None:
    """Run the command line."""
    nextvec()
