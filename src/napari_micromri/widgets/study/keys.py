"""Keys of the canvas that are ours while a pair is shown, and go back to whoever had them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QPlainTextEdit, QTextEdit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TYPED_INTO = (QLineEdit, QTextEdit, QPlainTextEdit, QAbstractSpinBox)


class Keys:
    """Binds keys on the viewer and on layers, whose own bindings would come first, and unbinds them again."""

    def __init__(self, actions: Mapping[str, Callable[[], object]]) -> None:
        self.actions = dict(actions)
        self._taken: list[tuple[Any, str, Any]] = []

    @property
    def bound(self) -> bool:
        """Whether the keys are ours now."""
        return bool(self._taken)

    def bind(self, owners: Sequence[Any]) -> None:
        """Take the keys of the viewer and layers ``owners``."""
        self.release()
        for owner in owners:
            for key, action in self.actions.items():
                before = owner.bind_key(key, _unless_typing(action), overwrite=True)
                self._taken.append((owner, key, before))

    def release(self) -> None:
        """Give every key back."""
        for owner, key, before in reversed(self._taken):
            owner.bind_key(key, before, overwrite=True)  # None unbinds
        self._taken.clear()

    def press(self, text: str) -> bool:
        """Do what a key does when it was pressed inside the dock; False when it is none of ours."""
        action = self.actions.get(text.upper())
        if action is None or not self.bound:
            return False
        action()
        return True


def is_typing() -> bool:
    """Tell whether what is pressed now goes into a text."""
    return isinstance(QApplication.focusWidget(), TYPED_INTO)


def _unless_typing(action: Callable[[], object]) -> Callable[[object], None]:
    def act(owner: object) -> None:
        if not is_typing():
            action()

    return act
