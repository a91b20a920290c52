"""`antinode codegen`: its options, and the module it writes."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.plan.options import load_plan, output_option, plan_argument, write_out
from antinode.cli.ui.errors import Failed


@click.command(short_help="Write a Python module of typed events from the plan.")
@plan_argument
@output_option("Write the module here.")
@click.option("--check", "checks", is_flag=True, help="Write nothing; exit with 1 if FILE would change.")
def codegen(path: Path, output: Path | None, checks: bool) -> None:
    """Write a Python module with a class for each active event of PLAN.

    `OrderPlaced(order_id="88231", total=12.5)` is then checked by mypy and pyright and completed by editors,
    and `log_event` takes it. The same plan gives the same bytes.

    The exit code is 0, 1 if --check finds another module, or 2 if the plan cannot be read.

    \b
    Examples:
      antinode codegen -o shop/events.py
      antinode codegen plans/shop.yaml -o shop/events.py --check    # in CI
    """
    from antinode.plan._codegen import to_module  # noqa: PLC0415 - not for help and completion

    if checks and output is None:
        raise click.UsageError("--check needs the module to look at: give -o FILE.")
    text = to_module(load_plan(path))
    if not checks or output is None:
        write_out(text, output)
        return
    try:
        is_current = output.read_bytes().replace(b"\r\n", b"\n") == text.encode()
    except OSError as error:
        raise Failed(f"{output} cannot be read ({error.strerror}): write it without --check") from None
    if not is_current:
        raise Failed(f"{output} is not what the plan gives: write it again without --check")
