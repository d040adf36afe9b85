"""Plays the user of the Qt example; run as a program: qt_user.py EXAMPLES ROOT SCREENSHOT."""

from __future__ import annotations

import sys

sys.path.insert(0, sys.argv[1])

from PySide6.QtCore import QDeadlineTimer, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from qt_window import Window

from wetlands import EnvironmentManager


def until(condition) -> None:  # type: ignore[no-untyped-def]
    """Let the window live until a condition holds."""
    deadline = QDeadlineTimer(15_000)
    while not condition():
        if deadline.hasExpired():
            sys.exit("the window did not get there within 15 s")
        QApplication.processEvents()
        QTest.qWait(5)


def click(button) -> None:  # type: ignore[no-untyped-def]
    """Press and release the left button of the mouse."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def main() -> None:
    """Count once to the end, once until canceled, and close the window at work."""
    app = QApplication([])
    with EnvironmentManager(sys.argv[2]) as manager:
        env = manager.create("example", {"python": ">=3.9"})
        env.launch()
        window = Window(env)
        window.show()

        window.limit.setValue(100_000)
        click(window.start_button)
        print("busy:", window.cancel_button.isEnabled() and not window.start_button.isEnabled())
        until(lambda: window.bar.value() > 300)
        window.grab().save(sys.argv[3])
        until(lambda: window.start_button.isEnabled())
        print("bar:", window.bar.value(), "label:", window.label.text())

        window.limit.setValue(10_000_000)
        click(window.start_button)
        until(lambda: window.label.text().endswith("so far"))
        click(window.cancel_button)
        until(lambda: window.start_button.isEnabled())
        print("label:", window.label.text())

        click(window.start_button)
        until(lambda: window.label.text().endswith("so far"))
        window.close()
        print("closed:", window.task.wait_for(10).status.name)
    app.quit()


if __name__ == "__main__":
    main()
