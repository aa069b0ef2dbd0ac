"""``predict``: a question to a running service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nextvec.app.settings import read_settings
from nextvec.training.commands.console import AsJson, console, handle_errors, print_json


@handle_errors()
def predict(
    vectors: Annotated[
        Path | None,
        typer.Argument(
            help="A .npy file of vectors in order, shape (T, D), or of several "
            "contexts, (B, T, D)."
        ),
    ] = None,
    *,
    ids: Annotated[
        str | None,
        typer.Option(help="Instead: ids of the index in order, with commas between."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Instead: a text, encoded as the corpus was; named several times, in "
            "order."
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Where the service is (default: where NEXTVEC_HOST and NEXTVEC_PORT, "
            "or their defaults, let it listen)."
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            help="Key to ask with (default: NEXTVEC_API_KEY, which, unlike this, "
            "nobody else on this machine sees)."
        ),
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="Neighbors to show.")] = 10,
    include_context: Annotated[
        bool | None,
        typer.Option(
            "--include-context/--exclude-context",
            help="Whether context vectors can be neighbors (default: the service's).",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Longest wait, in seconds.")
    ] = 30.0,
) -> None:
    """Ask a running service what comes next."""
    from nextvec.app.commands.client import Client, context_of_file

    if sum(given is not None for given in (vectors, ids, text)) != 1:
        msg = "give either a .npy file, --ids or --text"
        raise typer.BadParameter(msg)
    settings = read_settings(api_key=api_key)
    key = settings.api_key
    client = Client(
        url or settings.url, timeout_s, None if key is None else key.get_secret_value()
    )
    options: dict[str, Any] = {"k": k}
    if include_context is not None:
        options["exclude_context"] = not include_context
    array = None if vectors is None else context_of_file(vectors)
    if array is not None and array.ndim == 3:
        answer = client.predict_batch(list(array), **options)
    elif array is not None:
        answer = client.predict_vectors(array, **options)
    elif text is not None:
        answer = client.predict_texts(text, **options)
    else:
        named = [name.strip() for name in (ids or "").split(",")]
        answer = client.predict_ids(named, **options)
    if as_json:
        print_json(answer)
        return
    for place, found in enumerate(answer.get("predictions", [answer])):
        after = f"After {found['num_context']} in context"
        if "predictions" in answer:
            after += f" {place}"
        _show(f"{after}, says {answer['bundle']}:", found["neighbors"])


def _show(after: str, neighbors: list[dict[str, Any]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(after, soft_wrap=True, highlight=False)
    for rank, found in enumerate(neighbors, start=1):
        # no table: in a narrow column the name would be broken
        console.print(
            f"{rank:3d}  {found['score']:.4f}  {found['id']}",
            markup=False,
            soft_wrap=True,
            highlight=False,
        )
        if found.get("text"):
            passage = Text(found["text"], overflow="fold")
            console.print(Padding(passage, (0, 0, 0, 13)), highlight=False)
