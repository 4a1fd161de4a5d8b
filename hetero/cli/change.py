"""``hetero change``: another priority for a slice that runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from hetero.cli.context import Context
from hetero.errors import InvalidValue

if TYPE_CHECKING:
    from hetero.model.allocation import Slice

_ID = re.compile(r"[A-Za-z0-9_-]{1,63}")
"""Of a slice; so no id leads out of the directory of slices."""


@click.command("change")
@click.option("--priority", required=True, type=int, metavar="N", help="0 to 100: 0 goes first.")
@click.argument("slice_id", metavar="SLICE")
@click.pass_obj
def command(context: Context, priority: int, slice_id: str) -> None:
    """Give SLICE another priority, while its programs go on.

    SLICE is one of 'hetero top', or, for root on a node, one of the agent's; there it holds until the container starts
    anew.
    """
    from hetero.enforcement.limits import LOWEST

    if not 0 <= priority <= LOWEST:
        raise InvalidValue(
            "--priority", str(priority), f"is none; write a number from 0, which goes first, to {LOWEST}"
        )
    known = _ID.fullmatch(slice_id)
    if not known or not (_change_local(context, slice_id, priority) or _change_on_node(context, slice_id, priority)):
        raise InvalidValue("SLICE", slice_id, "is no slice of this machine; 'hetero top' lists them")


def _change_local(context: Context, slice_id: str, priority: int) -> bool:
    from hetero.allocation import local

    store = local.store(context.runtime_directory(), context.vendors)
    if store.read(slice_id) is None:
        return False
    with store.locked():
        record = store.read(slice_id)
        if record is None:  # it has ended meanwhile
            return False
        held = msgspec.structs.replace(record.held, priority=priority)
        store.rewrite(msgspec.structs.replace(record, held=held))
        _tell(held, Path(held.region), priority)
    return True


def _change_on_node(context: Context, slice_id: str, priority: int) -> bool:
    from hetero.agent.records import REGION, Records

    records = Records(Path(context.settings.agent.run_dir))
    record = records.read(slice_id)
    if record is None:
        return False
    held = msgspec.structs.replace(record.held, priority=priority)
    records.write(msgspec.structs.replace(record, held=held))
    _tell(held, records.path(slice_id) / REGION, priority)
    return True


def _tell(held: Slice, path: Path, priority: int) -> None:
    """Whoever lends idle compute and the programs of the slice read it from the region."""
    from hetero.enforcement import region

    for position in range(len(held.grants) if held.region else 0):
        region.change(path, position, priority=priority)
