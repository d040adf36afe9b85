"""A window with a progress bar and a cancel button; the work is done in another environment.

Needs PySide6: ``pip install "wetlands[qt]"``.
"""

import argparse
import sys
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QWidget,
)

from wetlands import EnvironmentManager, TaskEventType

WORK = Path(__file__).with_name("work.py")


class Window(QWidget):
    """Counts primes, and stays responsive meanwhile."""

    # Listeners run on a background thread, and only the main thread may touch widgets. A signal
    # carries each event over.
    happened = Signal(object)

    def __init__(self, env):
        super().__init__(windowTitle="Primes")
        self.env = env
        self.task = None
        self.limit = QSpinBox(minimum=1000, maximum=10_000_000, value=500_000, singleStep=100_000)
        self.start_button = QPushButton("Start", clicked=self.start)
        self.cancel_button = QPushButton("Cancel", clicked=self.cancel, enabled=False)
        self.bar = QProgressBar(maximum=1000)
        self.label = QLabel("Ready")
        self.happened.connect(self.show_event)
        layout = QGridLayout(self)
        layout.addWidget(QLabel("Count primes below"), 0, 0)
        layout.addWidget(self.limit, 0, 1)
        layout.addWidget(self.start_button, 0, 2)
        layout.addWidget(self.cancel_button, 0, 3)
        layout.addWidget(self.bar, 1, 0, 1, 4)
        layout.addWidget(self.label, 2, 0, 1, 4)

    def start(self):
        """Submit the task; its events come back as signals."""
        self.set_busy(True)
        self.bar.setValue(0)
        self.task = self.env.submit(WORK, "count_primes", (self.limit.value(),), start=False)
        self.task.listen(self.happened.emit).start()

    def cancel(self):
        """Ask the task to stop; should it not listen, end it after a second."""
        self.task.cancel(force_after=1)

    def show_event(self, event):
        """Show what happened; called in the main thread."""
        task = event.task
        if event.type is TaskEventType.STARTED:
            self.label.setText("Counting")
        elif event.type is TaskEventType.UPDATE:
            self.bar.setValue(int(1000 * (task.progress or 0)))
            self.label.setText(task.message or "")
        else:
            self.set_busy(False)
            if event.type is TaskEventType.COMPLETION:
                self.label.setText(f"Done: {task.result} primes")
            elif event.type is TaskEventType.CANCELATION:
                self.label.setText("Canceled")
            else:
                self.label.setText(f"Failed: {task.error}")

    def set_busy(self, busy):
        """Enable what makes sense."""
        self.start_button.setEnabled(not busy)
        self.cancel_button.setEnabled(busy)

    def closeEvent(self, event):  # noqa: N802  (Qt's name)
        """Leave no work behind."""
        if self.task is not None:
            self.task.remove_listener(self.happened.emit)
            self.cancel()
        super().closeEvent(event)


def main():
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", help="where environments are built (default: your data folder)")
    options = parser.parse_args()

    app = QApplication(sys.argv[:1])
    with EnvironmentManager(options.root) as manager:
        env = manager.create("example", {"python": ">=3.9"})
        env.launch()
        window = Window(env)
        window.show()
        return app.exec()


if __name__ == "__main__":
    sys.exit(main())
